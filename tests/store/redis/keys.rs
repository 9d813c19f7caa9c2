//! The keys in Redis and their TTLs.

use std::collections::BTreeMap;

use doorward::internals::store::report::FaultKind;
use doorward::internals::token_string::HashTag;
use doorward::{StoreError, Token, TokenChange};

use crate::common::redis::RedisServer;
use crate::common::store::{DAY_MS, HOUR_MS, LIMITS, MINUTE_MS, NOW_MS, StoreKind, TestStore, ttls};

/// The keys and their TTLs in whole minutes, rounded up: no test takes a minute.
pub fn ttls_min(ttls: BTreeMap<String, i64>) -> BTreeMap<String, u64> {
    ttls.into_iter().map(|(key, ttl)| (key, u64::try_from(ttl).unwrap().div_ceil(MINUTE_MS))).collect()
}

pub struct Keys(pub TestStore);

impl Keys {
    /// Asserts that exactly these tokens and their user's index exist, with these TTLs.
    pub fn assert(&self, index_ttl_ms: u64, tokens: &[(&Token, u64)]) {
        let prefix = self.0.prefix();
        let user = tokens[0].0.record.user();
        let shard = HashTag::of_user(user);
        let mut expected =
            BTreeMap::from([(format!("{prefix}u:{{{shard}}}:{user}"), index_ttl_ms / MINUTE_MS)]);
        for (token, ttl_ms) in tokens {
            let locator = token.record.id.locator();
            expected.insert(format!("{prefix}t:{{{shard}}}:{locator}"), ttl_ms / MINUTE_MS);
        }
        // Events have their own retention, whatever happens to the tokens.
        expected.insert(format!("{prefix}e:{{{shard}}}:{user}"), LIMITS.event_retention_ms / MINUTE_MS);
        assert_eq!(ttls_min(self.0.ttls()), expected);
    }
}

async fn each_operation_leaves_the_right_keys(kind: StoreKind) {
    let keys = Keys(TestStore::open(kind).await);
    let on = &keys.0;
    let short = on.issue_renewable("al}i{ce", NOW_MS).await;
    keys.assert(HOUR_MS, &[(&short, HOUR_MS)]);
    let long = on.issue_idle("al}i{ce", 3 * HOUR_MS, NOW_MS).await;
    keys.assert(3 * HOUR_MS, &[(&short, HOUR_MS), (&long, 3 * HOUR_MS)]);

    on.touch(&short, NOW_MS, Some(NOW_MS + 2 * HOUR_MS)).await;
    keys.assert(3 * HOUR_MS, &[(&short, 2 * HOUR_MS), (&long, 3 * HOUR_MS)]);
    on.touch(&short, NOW_MS, Some(NOW_MS + 5 * HOUR_MS)).await;
    keys.assert(5 * HOUR_MS, &[(&short, 5 * HOUR_MS), (&long, 3 * HOUR_MS)]);
    on.touch(&short, NOW_MS, None).await;
    let edit = TokenChange { auth_slug: Some(Some("a".into())), ..TokenChange::default() };
    on.store.change(short.record.id, &edit, NOW_MS).await.unwrap().unwrap();
    keys.assert(5 * HOUR_MS, &[(&short, 5 * HOUR_MS), (&long, 3 * HOUR_MS)]);

    on.revoke(&long, NOW_MS).await;
    keys.assert(DAY_MS, &[(&short, 5 * HOUR_MS), (&long, DAY_MS)]);
    on.touch(&long, NOW_MS, Some(NOW_MS + 9 * DAY_MS)).await;
    on.store.revoke_user_tokens("al}i{ce", Some(short.record.id), NOW_MS).await.unwrap();
    keys.assert(DAY_MS, &[(&short, 5 * HOUR_MS), (&long, DAY_MS)]);
    on.store.revoke_user_tokens("al}i{ce", None, NOW_MS).await.unwrap();
    keys.assert(DAY_MS, &[(&short, DAY_MS), (&long, DAY_MS)]);
}

#[tokio::test]
async fn each_operation_leaves_the_right_keys_over_tcp() {
    each_operation_leaves_the_right_keys(StoreKind::RedisTcp).await;
}

#[tokio::test]
async fn each_operation_leaves_the_right_keys_over_a_unix_socket() {
    each_operation_leaves_the_right_keys(StoreKind::RedisUnix).await;
}

#[tokio::test]
async fn key_names_are_the_documented_ones_and_only_shared_keys_persist() {
    let server = RedisServer::start();
    let on = TestStore::alone_on(&server).await;
    on.store.shared_token_key("a key").await.unwrap();
    assert_eq!(on.store.examine().await.fatal(), None);
    let token = on.issue("alice", NOW_MS).await;
    let token_key = format!("dw:t:{{8c4d}}:{}", token.record.id.locator());
    let all = ["dw:e:{8c4d}:alice", "dw:m:check-key", "dw:m:schema", &token_key, "dw:u:{8c4d}:alice"];
    assert_eq!(server.keys(), all);
    for (key, ttl_ms) in ttls(&server, "") {
        assert_eq!(ttl_ms == -1, key.starts_with("dw:m:"), "{key} {ttl_ms}");
    }
    assert_eq!(server.cli(&["TYPE", &token_key]), "hash");
    assert_eq!(server.cli(&["TYPE", "dw:u:{8c4d}:alice"]), "zset");
}

#[tokio::test]
async fn another_schema_version_is_rejected() {
    let server = RedisServer::start();
    let on = TestStore::alone_on(&server).await;
    server.cli(&["SET", "dw:m:schema", "0"]);
    for _ in 0..2 {
        assert_eq!(on.store.examine().await.faults[0].kind, FaultKind::Schema);
        let error = on.store.issue(&on.sample("alice", NOW_MS), NOW_MS).await.unwrap_err();
        assert!(matches!(error, StoreError::Unusable(_)), "{error}");
    }
    assert_eq!(server.cli(&["GET", "dw:m:schema"]), "0");
}

#[tokio::test]
async fn key_prefixes_separate_stores() {
    let on = TestStore::open(StoreKind::RedisTcp).await;
    let other = TestStore::open(StoreKind::RedisTcp).await;
    let token = on.issue("alice", NOW_MS).await;
    assert_eq!(other.token(&token, NOW_MS).await, None);
    assert_eq!(other.listed("alice", NOW_MS).await, []);
    assert_eq!(on.store.shared_token_key("one").await.unwrap(), "one");
    assert_eq!(other.store.shared_token_key("two").await.unwrap(), "two");
}
