//! Damage of each kind is found by name and count, repaired, and gone.

use doorward::internals::model::revoke_reason::RevokeReason;
use doorward::internals::store::redis::verification::damage::Kind;
use doorward::internals::store::redis::verification::progress::VerifyOptions;

use super::kinds::{damage_everything, start_takeover};
use super::support::*;
use crate::common::redis::RedisServer;
use crate::common::store::{HOUR_MS, MINUTE_MS, NOW_MS, StoreKind, TestStore};

/// The runs look when the entries are no longer young.
const LATER_MS: u64 = NOW_MS + 2 * MINUTE_MS;

fn digest(server: &RedisServer) -> String {
    server.cli(&["DEBUG", "DIGEST"])
}

/// Damages a store, verifies, repairs and verifies again.
async fn each_kind_is_found_and_repaired(on: &TestStore, unchanged: impl Fn() -> String) {
    let expected = damage_everything(on).await;
    assert_eq!(expected.len(), Kind::ALL.len(), "every kind is made");
    on.age(LATER_MS - NOW_MS);

    let before = unchanged();
    let dry = verify(on, DRY, LATER_MS).await;
    assert_eq!(counts(&dry, false), expected, "{:#?}", dry.findings);
    assert_eq!(counts(&dry, true), expected, "a dry run repairs nothing");
    assert_eq!(unchanged(), before, "a dry run changes nothing");

    let repaired = verify(on, REPAIRING, LATER_MS).await;
    assert_eq!(counts(&repaired, false), expected, "{:#?}", repaired.findings);
    let mut left = expected.clone();
    left.retain(|kind, _| is_only_reported(kind));
    assert_eq!(counts(&repaired, true), left, "{:#?}", repaired.findings);

    let again = verify(on, DRY, LATER_MS).await;
    assert_eq!(counts(&again, false), left, "{:#?}", again.findings);
}

#[tokio::test]
async fn damage_on_one_server_is_found_and_repaired() {
    let on =
        TestStore::owning(RedisServer::with_args(&["--appendonly", "no", "--enable-debug-command", "yes"]))
            .await;
    each_kind_is_found_and_repaired(&on, || digest(on.server())).await;
}

#[tokio::test]
async fn damage_on_a_cluster_is_found_and_repaired() {
    let on = TestStore::open(StoreKind::Cluster).await;
    each_kind_is_found_and_repaired(&on, String::new).await;
}

/// A token that its user's index lost survives the revocation of all the user's tokens, until the index is repaired.
#[tokio::test]
async fn a_restored_token_is_revoked_with_all_of_its_user() {
    let on = TestStore::owning(RedisServer::start()).await;
    let token = on.issue("alice", NOW_MS).await;
    let index = user_key(&on, 'u', "alice");
    let _: i64 = on.raw(&[b"DEL", index.as_bytes()]);
    assert_eq!(on.store.revoke_user_tokens("alice", None, NOW_MS).await.unwrap(), []);

    let report = verify(&on, REPAIRING, NOW_MS).await;
    assert_eq!(counts(&report, false), [("token-not-in-index", 1)].into());
    assert_eq!(report.findings[&Kind::TokenNotInIndex].examples, [id_key(&on, 't', token.record.id)]);
    assert_eq!(on.token(&token, NOW_MS).await.as_ref(), Some(&token), "the repair changes no token");
    assert_eq!(on.listed("alice", NOW_MS).await, [token.record.id]);
    assert_eq!(on.store.revoke_user_tokens("alice", None, NOW_MS).await.unwrap(), [token.record.id]);
    assert!(on.token(&token, NOW_MS).await.unwrap().revoked.is_some());
}

/// A repair restores what a revocation finds, and revives nobody.
#[tokio::test]
async fn a_repair_revives_no_token() {
    let on = TestStore::owning(RedisServer::start()).await;
    let tokens = [on.issue("alice", NOW_MS).await, on.issue_idle("alice", HOUR_MS / 2, NOW_MS).await];
    on.revoke(&tokens[0], NOW_MS).await;
    let later_ms = NOW_MS + HOUR_MS / 2;
    for key in tokens.iter().map(|token| id_key(&on, 't', token.record.id)) {
        let _: i64 = on.raw(&[b"PERSIST", key.as_bytes()]);
    }
    let _: i64 = on.raw(&[b"DEL", user_key(&on, 'u', "alice").as_bytes()]);
    let report = verify(&on, REPAIRING, later_ms).await;
    // The expired token is removed: nothing else ever would.
    assert_eq!(counts(&report, false), [("missing-ttl", 2), ("token-not-in-index", 1)].into());
    assert_eq!(on.listed("alice", later_ms).await, [tokens[0].record.id]);
    assert!(on.token(&tokens[0], later_ms).await.unwrap().revoked.is_some());
    assert_eq!(on.record(tokens[1].record.id).await.unwrap(), None);
    assert_healthy(&verify(&on, DRY, later_ms).await);
}

/// The actors' histories name a user who was erased. A repair must not list their takeovers at that user again.
#[tokio::test]
async fn an_erasure_of_a_user_taken_over_is_no_damage() {
    let on = TestStore::owning(RedisServer::start()).await;
    let token = on.issue("actor", NOW_MS).await;
    let first = start_takeover(&on, &token).await;
    assert!(on.store.end_takeover(first.token, RevokeReason::Ended, NOW_MS).await.unwrap().is_some());
    let second = start_takeover(&on, &token).await;
    on.store.erase_user(&second.user, NOW_MS).await.unwrap();
    on.age(LATER_MS - NOW_MS);

    assert_healthy(&verify(&on, REPAIRING, LATER_MS).await);
    assert_eq!(on.store.user_takeovers(&second.user, LATER_MS).await.unwrap(), []);
    assert_eq!(on.store.token_takeovers(token.record.id, LATER_MS).await.unwrap().len(), 2);
}

#[tokio::test]
async fn user_names_are_hidden_unless_asked_for() {
    let on = TestStore::owning(RedisServer::start()).await;
    on.issue("alice", NOW_MS).await;
    let _: i64 = on.raw(&[b"PERSIST", user_key(&on, 'u', "alice").as_bytes()]);
    for (shows_users, shown) in [(false, "<user>"), (true, "alice")] {
        let report = verify(&on, VerifyOptions { shows_users, ..DRY }, NOW_MS).await;
        let example = &report.findings[&Kind::MissingTtl].examples[0];
        assert!(example.ends_with(&format!("}}:{shown}")), "{example}");
    }
}
