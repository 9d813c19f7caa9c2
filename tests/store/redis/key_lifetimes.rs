//! How long keys are kept, and what removes them earlier.

use std::collections::BTreeMap;

use doorward::internals::model::device_key::{DeviceChange, DeviceKey};
use doorward::internals::model::revoke_reason::RevokeReason;
use doorward::internals::model::token::RelatedObject;
use doorward::internals::model::token::Rotation;
use doorward::internals::store::StoreLimits;
use doorward::internals::token_string::HashTag;
use doorward::{Token, TokenChange};

use super::keys::{Keys, ttls_min};
use crate::common::devices::{DEVICE_IDLE_MS, login_of, sample_device};
use crate::common::store::{
    DAY_MS, HOUR_MS, LIMITS, MINUTE_MS, NOW_MS, StoreKind, TestStore, edited, eventually, raw_connection,
    with_idle, with_objects,
};

#[tokio::test]
async fn device_keys_expire_when_idle_and_their_map_with_the_last_one() {
    let on = TestStore::open(StoreKind::RedisTcp).await;
    let shard = HashTag::of_user("alice");
    let expiring = |uuid, number, idle_ms| DeviceKey {
        expires_at_ms: NOW_MS + idle_ms,
        ..sample_device("alice", uuid, number, NOW_MS)
    };
    let (short, long) = (expiring("short", 0, HOUR_MS), expiring("long", 1, 3 * HOUR_MS));
    let assert_ttls = |map_ms: Option<u64>, devices: &[(&DeviceKey, u64)]| {
        let name = |kind, rest: &str| format!("{}{kind}:{{{shard}}}:{rest}", on.prefix());
        let mut expected: BTreeMap<_, _> =
            devices.iter().map(|(key, ms)| (name('d', &key.id.locator()), ms / MINUTE_MS)).collect();
        expected.extend(map_ms.map(|ms| (name('k', "alice"), ms / MINUTE_MS)));
        let is_of_devices = |key: &str| [name('d', ""), name('k', "")].iter().any(|p| key.starts_with(p));
        let found = ttls_min(on.ttls()).into_iter().filter(|(key, _)| is_of_devices(key));
        assert_eq!(found.collect::<BTreeMap<_, _>>(), expected);
    };
    on.make_device(&long).await;
    assert_ttls(Some(3 * HOUR_MS), &[(&long, 3 * HOUR_MS)]);
    on.make_device(&short).await;
    assert_ttls(Some(3 * HOUR_MS), &[(&short, HOUR_MS), (&long, 3 * HOUR_MS)]);
    // Only a login renews a device key.
    on.store.make_device(&expiring("short", 2, DAY_MS), NOW_MS).await.unwrap().unwrap();
    let named = DeviceChange { name: Some(Some("a".into())), is_active: Some(false) };
    on.store.change_device("alice", "short", &named, NOW_MS).await.unwrap();
    let active = DeviceChange { is_active: Some(true), ..DeviceChange::default() };
    on.store.change_device("alice", "short", &active, NOW_MS).await.unwrap();
    assert_ttls(Some(3 * HOUR_MS), &[(&short, HOUR_MS), (&long, 3 * HOUR_MS)]);
    assert!(on.log_in(&login_of(&short, NOW_MS), &short, NOW_MS).await.is_some());
    assert_ttls(Some(DEVICE_IDLE_MS), &[(&short, DEVICE_IDLE_MS), (&long, 3 * HOUR_MS)]);
    assert!(on.store.remove_device("alice", "short", NOW_MS).await.unwrap());
    assert_ttls(Some(3 * HOUR_MS), &[(&long, 3 * HOUR_MS)]);
    // The next operation prunes what has expired by the given clock.
    on.store.change_device("alice", "other", &active, NOW_MS + 3 * HOUR_MS).await.unwrap();
    assert_ttls(None, &[]);
}

#[tokio::test]
async fn reverse_index_entries_are_kept_as_long_as_a_token_can_live() {
    let on = TestStore::open(StoreKind::RedisTcp).await;
    let objects = ["a", "b"].map(|id| RelatedObject { content_type: "order".into(), object_id: id.into() });
    let related = |objects: &[RelatedObject], ends_at_ms| {
        let token = with_objects(on.sample("alice", NOW_MS), objects.to_vec());
        edited(token, |c| c.ends_at_ms = ends_at_ms)
    };
    let index_entries = || {
        let ttls = ttls_min(on.ttls()).into_iter().filter(|(key, _)| key.contains("r:{"));
        let mut ttls: Vec<_> = ttls.map(|(_, ttl_min)| ttl_min * MINUTE_MS).collect();
        ttls.sort_unstable();
        ttls
    };
    let long = related(&objects[..1], NOW_MS + 9 * DAY_MS);
    on.keep(&long, NOW_MS).await;
    on.keep(&related(&objects, NOW_MS + 3 * DAY_MS), NOW_MS).await;
    assert_eq!(index_entries(), [3 * DAY_MS, 9 * DAY_MS]);
    on.store.revoke_object_tokens(&objects[1], NOW_MS).await.unwrap();
    assert_eq!(index_entries(), [9 * DAY_MS]);
    on.keep(&related(&objects, NOW_MS + 3 * DAY_MS), NOW_MS).await;
    on.revoke(&long, NOW_MS).await;
    assert_eq!(index_entries(), [3 * DAY_MS, 3 * DAY_MS]);
    on.store.revoke_object_tokens(&objects[0], NOW_MS).await.unwrap();
    assert_eq!(index_entries(), [0; 0], "all tokens were revoked, so no entry is left");

    // A write prunes expired entries.
    on.keep(&related(&objects[..1], NOW_MS + DAY_MS), NOW_MS).await;
    let later = with_idle(on.sample("alice", NOW_MS + DAY_MS), HOUR_MS);
    let later = with_objects(later, objects[..1].to_vec());
    on.keep(&edited(later, |c| c.ends_at_ms = c.expires_at_ms), NOW_MS + DAY_MS).await;
    let members =
        |key: &str| redis::cmd("ZCARD").arg(key).query::<u64>(&mut raw_connection(on.server())).unwrap();
    let key = on.ttls().into_keys().find(|key| key.contains("r:{")).unwrap();
    assert_eq!((members(&key), index_entries()), (1, vec![HOUR_MS]));
    on.store.revoke_object_tokens(&objects[0], NOW_MS + DAY_MS).await.unwrap();

    // A reverse-index entry of a token that was never written is removed once it is old.
    let gone = related(&objects[1..], NOW_MS + DAY_MS);
    on.keep(&gone, NOW_MS).await;
    let locator = gone.record.id.locator();
    let key = on.ttls().into_keys().find(|key| key.ends_with(&locator)).unwrap();
    redis::cmd("DEL").arg(key).exec(&mut raw_connection(on.server())).unwrap();
    for (at_ms, left) in [(NOW_MS + MINUTE_MS - 1, 1), (NOW_MS + MINUTE_MS, 0)] {
        assert_eq!(on.store.object_tokens(&objects[1], at_ms).await.unwrap(), []);
        assert_eq!(index_entries().len(), left, "{}", at_ms - NOW_MS);
    }
}

/// A new entry stays, because a concurrent call may be relating the two.
#[tokio::test]
async fn removing_an_object_removes_its_reverse_index_entry_once_old() {
    let on = TestStore::open(StoreKind::RedisTcp).await;
    let object = RelatedObject { content_type: "order".into(), object_id: "a".into() };
    let id = on.issue("alice", NOW_MS).await.record.id;
    let is_indexed = || on.ttls().keys().any(|key| key.contains("r:{"));
    for (after_ms, stays) in [(MINUTE_MS - 1, true), (MINUTE_MS, false)] {
        on.store.relate(id, &object, NOW_MS).await.unwrap().unwrap();
        on.store.unrelate(id, &object, NOW_MS + after_ms).await.unwrap().unwrap();
        assert_eq!(is_indexed(), stays, "{after_ms}");
    }
}

/// Reverse-index entries are removed in a second step; the first step revokes the token.
#[tokio::test]
async fn a_revocation_succeeds_if_reverse_index_entries_cannot_be_removed() {
    let on = TestStore::open(StoreKind::RedisTcp).await;
    let [broken, sound] =
        ["a", "b"].map(|id| RelatedObject { content_type: "order".into(), object_id: id.into() });
    let issue = async |related_objects| {
        let token = with_objects(on.sample("alice", NOW_MS), related_objects);
        on.keep(&token, NOW_MS).await;
        token
    };
    issue(vec![broken.clone()]).await;
    let key = on.ttls().into_keys().find(|key| key.contains("r:{")).unwrap();
    let token = issue(vec![broken, sound.clone()]).await;
    let mut connection = raw_connection(on.server());
    redis::cmd("SET").arg(&key).arg("no reverse-index entries").exec(&mut connection).unwrap();
    let ending = TokenChange::revoking(RevokeReason::Ended);
    let changed = on.store.change(token.record.id, &ending, NOW_MS).await.unwrap();
    assert!(matches!(changed, Ok(token) if !token.record.is_active));
    assert_eq!(on.store.object_tokens(&sound, NOW_MS).await.unwrap(), []);
    let kept: String = redis::cmd("GET").arg(&key).query(&mut connection).unwrap();
    assert_eq!(kept, "no reverse-index entries");
    redis::cmd("DEL").arg(&key).exec(&mut connection).unwrap();
}

/// The token is kept for renewals by accesses during an outage of Redis.
#[tokio::test]
async fn an_expired_token_is_kept_for_the_stale_grace() {
    let limits = StoreLimits { stale_grace_ms: HOUR_MS, ..LIMITS };
    let keys = Keys(TestStore::open_with(StoreKind::RedisTcp, limits).await);
    let on = &keys.0;
    let short = on.issue_renewable("alice", NOW_MS).await;
    keys.assert(2 * HOUR_MS, &[(&short, 2 * HOUR_MS)]);
    on.touch(&short, NOW_MS, Some(NOW_MS + 2 * HOUR_MS)).await;
    keys.assert(3 * HOUR_MS, &[(&short, 3 * HOUR_MS)]);
    // The index still holds its expiry.
    let index = on.ttls().into_keys().find(|key| key.contains("u:{")).unwrap();
    let score: u64 = redis::cmd("ZSCORE")
        .arg(index)
        .arg(short.record.id.locator())
        .query(&mut raw_connection(on.server()))
        .unwrap();
    assert_eq!(score, NOW_MS + 2 * HOUR_MS);
    on.revoke(&short, NOW_MS).await;
    keys.assert(DAY_MS + HOUR_MS, &[(&short, DAY_MS + HOUR_MS)]);
}

#[tokio::test]
async fn revoking_a_long_lived_token_shortens_its_index_to_the_retention() {
    let keys = Keys(TestStore::open(StoreKind::RedisTcp).await);
    let token = keys.0.issue_idle("alice", 14 * DAY_MS, NOW_MS).await;
    keys.assert(14 * DAY_MS, &[(&token, 14 * DAY_MS)]);
    keys.0
        .store
        .change(token.record.id, &TokenChange::revoking(RevokeReason::Ended), NOW_MS)
        .await
        .unwrap()
        .unwrap();
    keys.assert(DAY_MS, &[(&token, DAY_MS)]);
}

/// Makes one kind of write to the index of alice, who has this token.
async fn write_to_index(on: &TestStore, write: &str, token: &Token, now_ms: u64) {
    let id = token.record.id;
    match write {
        "issue" => {
            on.issue_idle("alice", HOUR_MS, now_ms).await;
        }
        "renew" => on.touch(token, now_ms, Some(now_ms + 3 * HOUR_MS)).await,
        "end" => {
            let revoking = TokenChange::revoking(RevokeReason::Ended);
            on.store.change(id, &revoking, now_ms).await.unwrap().unwrap();
        }
        "reuse" => {
            let rotation = Rotation { hash: on.mint("alice").hash, grace_ms: 0 };
            on.store.change(id, &TokenChange::rotating(rotation), NOW_MS).await.unwrap().unwrap();
            let reused = on.store.revoke_reused(id, &token.record.secret_hash, now_ms).await.unwrap();
            assert!(reused.is_some());
        }
        "end by object" => {
            let object = &token.details.related_objects[0];
            assert_eq!(on.store.revoke_object_tokens(object, now_ms).await.unwrap(), [id]);
        }
        _ => {
            on.store.revoke_user_tokens("alice", None, now_ms).await.unwrap();
        }
    }
}

/// A long-lived token keeps the index; the next write prunes the entry of an expired token.
#[tokio::test]
async fn a_write_to_an_index_prunes_expired_entries() {
    const LATER_MS: u64 = NOW_MS + HOUR_MS;
    for write in ["issue", "renew", "end", "reuse", "end by object", "end all"] {
        let on = TestStore::open(StoreKind::RedisTcp).await;
        let object = RelatedObject { content_type: "order".into(), object_id: "7".into() };
        let related = with_objects(on.sample("alice", NOW_MS), vec![object]);
        let token = with_idle(related, 3 * HOUR_MS);
        on.keep(&token, NOW_MS).await;
        on.issue_idle("alice", HOUR_MS, NOW_MS).await;
        let tokens = || {
            let index = on.ttls().into_keys().find(|key| key.contains("u:{")).unwrap();
            redis::cmd("ZCOUNT")
                .arg(index)
                .arg(0)
                .arg("+inf")
                .query::<u64>(&mut raw_connection(on.server()))
                .unwrap()
        };
        assert_eq!(tokens(), 2);
        let expected = if write == "issue" { 2 } else { 1 };
        write_to_index(&on, write, &token, LATER_MS).await;
        assert_eq!(tokens(), expected, "{write}");
    }
}

#[tokio::test]
async fn no_key_is_left_once_everything_has_expired() {
    const SHORT_MS: u64 = 300;
    let limits = StoreLimits { revoked_retention_ms: SHORT_MS, event_retention_ms: SHORT_MS, ..LIMITS };
    let on = TestStore::open_with(StoreKind::RedisTcp, limits).await;
    let renewed = on.issue_idle("alice", SHORT_MS, NOW_MS).await;
    on.touch(&renewed, NOW_MS, Some(NOW_MS + 2 * SHORT_MS)).await;
    on.issue_idle("alice", SHORT_MS, NOW_MS).await;
    let revoked = on.issue_idle("alice", HOUR_MS, NOW_MS).await;
    on.issue_idle("bob", HOUR_MS, NOW_MS).await;
    on.revoke(&revoked, NOW_MS).await;
    on.store.revoke_user_tokens("bob", None, NOW_MS).await.unwrap();
    eventually("all keys expire", async || on.ttls().is_empty().then_some(())).await;
    // Late operations find nothing and write nothing.
    on.touch(&renewed, NOW_MS, Some(NOW_MS + HOUR_MS)).await;
    assert!(on.ttls().is_empty());
}
