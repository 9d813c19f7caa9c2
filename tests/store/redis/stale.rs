//! Stale reverse-index entries: an operation that finds one removes it.

use doorward::Token;
use doorward::internals::model::token::RelatedObject;
use doorward::internals::store::StoreLimits;

use crate::common::store::{
    HOUR_MS, LIMITS, MINUTE_MS, NOW_MS, StoreKind, TestStore, raw_connection, with_objects,
};

const OBJECTS: usize = 50;

fn object(n: usize) -> RelatedObject {
    RelatedObject { content_type: "order".into(), object_id: n.to_string() }
}

/// Returns how many objects have entries.
fn indexed_objects(on: &TestStore) -> usize {
    on.ttls().keys().filter(|key| key.contains("r:{")).count()
}

/// Returns a token to which all objects were just added, and from which they were removed again.
async fn related_and_unrelated(on: &TestStore) -> Token {
    let token = on.issue("alice", NOW_MS).await;
    for n in 0..OBJECTS {
        on.store.relate(token.record.id, &object(n), NOW_MS).await.unwrap().unwrap();
        on.store.unrelate(token.record.id, &object(n), NOW_MS).await.unwrap().unwrap();
    }
    assert_eq!(
        indexed_objects(on),
        OBJECTS,
        "recent entries stay, because the object may be about to be added again"
    );
    token
}

#[tokio::test]
async fn a_revocation_removes_the_entries_of_objects_removed_earlier() {
    let on = TestStore::open(StoreKind::RedisTcp).await;
    let token = related_and_unrelated(&on).await;
    on.revoke(&token, NOW_MS + 1).await;
    assert_eq!(indexed_objects(&on), 0);
}

#[tokio::test]
async fn a_revocation_by_object_removes_stale_entries() {
    let on = TestStore::open(StoreKind::RedisTcp).await;
    for (revokes, after_ms) in [(true, 1), (false, MINUTE_MS)] {
        let token = related_and_unrelated(&on).await;
        if revokes {
            // As if the removed objects had not been recorded.
            let id = token.record.id;
            let key = format!("{}t:{{{}}}:{}", on.prefix(), id.hash_tag(), id.locator());
            redis::cmd("HDEL").arg(key).arg("q").exec(&mut raw_connection(on.server())).unwrap();
            on.revoke(&token, NOW_MS + 1).await;
            assert_eq!(indexed_objects(&on), OBJECTS);
        }
        for n in 0..OBJECTS {
            assert_eq!(on.store.revoke_object_tokens(&object(n), NOW_MS + after_ms).await.unwrap(), []);
        }
        assert_eq!(indexed_objects(&on), 0, "{revokes}");
        on.revoke(&token, NOW_MS + MINUTE_MS).await;
    }
}

#[tokio::test]
async fn a_later_change_removes_the_entries_of_objects_removed_earlier() {
    let on = TestStore::open(StoreKind::RedisTcp).await;
    let token = related_and_unrelated(&on).await;
    let later_ms = NOW_MS + MINUTE_MS;
    // One object is added again at that time: its entry stays.
    on.store.relate(token.record.id, &object(0), later_ms).await.unwrap().unwrap();
    assert_eq!(indexed_objects(&on), 1);
    assert_eq!(on.store.object_tokens(&object(0), later_ms).await.unwrap().len(), 1);
}

/// If an object has the maximum number of entries, some are checked, and stale ones are removed to make room.
#[tokio::test]
async fn a_full_object_makes_room_by_removing_stale_entries() {
    let limits = StoreLimits { max_tokens_per_object: 20, ..LIMITS };
    let on = TestStore::open_with(StoreKind::RedisTcp, limits).await;
    let mut tokens = Vec::new();
    for n in 0..20 {
        let token = with_objects(on.sample(&format!("user {n}"), NOW_MS), vec![object(0)]);
        on.keep(&token, NOW_MS).await;
        tokens.push(token);
    }
    let id = on.issue("alice", NOW_MS).await.record.id;
    on.store.unrelate(tokens[7].record.id, &object(0), NOW_MS).await.unwrap().unwrap();
    let later_ms = NOW_MS + HOUR_MS / 2;
    on.store.relate(id, &object(0), later_ms).await.unwrap().unwrap();
    assert_eq!(on.store.object_tokens(&object(0), later_ms).await.unwrap().len(), 20);
}
