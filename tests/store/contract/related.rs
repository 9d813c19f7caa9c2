//! Related objects: tokens listed and revoked by object.

use std::collections::BTreeSet;

use doorward::internals::model::event::EventKind;
use doorward::internals::model::field_rules::MAX_RELATED_PER_TOKEN;
use doorward::internals::model::revoke_reason::RevokeReason;
use doorward::internals::model::token::RelatedObject;
use doorward::internals::store::{Rejection, StoreLimits};
use doorward::internals::token_string::TokenId;
use doorward::{Token, TokenChange};

use crate::common::devices::{login_of, sample_device};
use crate::common::store::{HOUR_MS, LIMITS, MINUTE_MS, NOW_MS, StoreKind, TestStore, with_objects};

each_store! {
    tokens_are_listed_by_related_object,
    an_object_is_added_to_and_removed_from_a_live_token,
    a_revoked_or_unknown_token_gets_no_related_object,
    all_tokens_of_an_object_are_revoked,
    the_objects_of_a_token_are_limited,
    the_live_tokens_of_an_object_are_limited,
    a_device_login_is_listed_by_related_object,
    a_token_stays_listed_while_its_object_is_readded,
}

fn object(id: &str) -> RelatedObject {
    RelatedObject { content_type: "shop.order".into(), object_id: id.into() }
}

async fn issue_with(on: &TestStore, user: &str, objects: &[&str], now_ms: u64) -> Token {
    let related_objects = objects.iter().map(|id| object(id)).collect();
    let token = with_objects(on.sample(user, now_ms), related_objects);
    assert_eq!(on.keep(&token, now_ms).await, []);
    token
}

async fn found(on: &TestStore, id: &str, now_ms: u64) -> Vec<TokenId> {
    let tokens = on.store.object_tokens(&object(id), now_ms).await.unwrap();
    tokens.iter().map(|token| token.record.id).collect()
}

async fn end_all(on: &TestStore, id: &str, now_ms: u64) -> BTreeSet<TokenId> {
    on.store.revoke_object_tokens(&object(id), now_ms).await.unwrap().into_iter().collect()
}

async fn tokens_are_listed_by_related_object(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    let alice = issue_with(&on, "alice", &["1", "2"], NOW_MS).await;
    let bob = issue_with(&on, "bob", &["1"], NOW_MS + 1).await;
    issue_with(&on, "carol", &["3"], NOW_MS).await;
    on.touch(&alice, NOW_MS + 2, None).await;
    let touched = Token { last_access_ms: NOW_MS + 2, ..alice.clone() };
    assert_eq!(on.store.object_tokens(&object("1"), NOW_MS + 2).await.unwrap(), [bob, touched]);
    assert_eq!(found(&on, "2", NOW_MS + 2).await, [alice.record.id]);
    assert_eq!(found(&on, "4", NOW_MS + 2).await, []);
    let other = RelatedObject { content_type: "shop.orde".into(), object_id: "r1".into() };
    assert_eq!(on.store.object_tokens(&other, NOW_MS + 2).await.unwrap(), []);
}

async fn an_object_is_added_to_and_removed_from_a_live_token(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    let token = issue_with(&on, "alice", &["1"], NOW_MS).await;
    let id = token.record.id;
    for _ in 0..2 {
        assert_eq!(on.store.relate(id, &object("2"), NOW_MS).await.unwrap().as_deref(), Ok("alice"));
        let shown = on.token(&token, NOW_MS).await.unwrap();
        assert_eq!(shown.details.related_objects, [object("1"), object("2")]);
        assert_eq!(found(&on, "2", NOW_MS).await, [id]);
    }
    for _ in 0..2 {
        assert_eq!(on.store.unrelate(id, &object("1"), NOW_MS).await.unwrap().as_deref(), Ok("alice"));
        assert_eq!(on.token(&token, NOW_MS).await.unwrap().details.related_objects, [object("2")]);
        assert_eq!(found(&on, "1", NOW_MS).await, []);
    }
    on.store.unrelate(id, &object("2"), NOW_MS).await.unwrap().unwrap();
    assert_eq!(on.token(&token, NOW_MS).await.unwrap().details.related_objects, []);
    assert_eq!(on.store.relate(id, &object("1"), NOW_MS).await.unwrap().map(drop), Ok(()));
    assert_eq!(found(&on, "1", NOW_MS + HOUR_MS - 1).await, [id]);
    assert_eq!(found(&on, "1", NOW_MS + HOUR_MS).await, [], "expired");
}

async fn a_revoked_or_unknown_token_gets_no_related_object(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    let token = issue_with(&on, "alice", &["1"], NOW_MS).await;
    let id = token.record.id;
    on.store.change(id, &TokenChange::revoking(RevokeReason::Ended), NOW_MS).await.unwrap().unwrap();
    let unknown = on.sample("bob", NOW_MS).record.id;
    for (id, refused) in [(id, Err(Rejection::Revoked)), (unknown, Err(Rejection::NotFound))] {
        assert_eq!(on.store.relate(id, &object("2"), NOW_MS).await.unwrap(), refused);
        assert_eq!(on.store.unrelate(id, &object("1"), NOW_MS).await.unwrap(), refused);
    }
    assert_eq!(on.token(&token, NOW_MS).await.unwrap().details.related_objects, [object("1")]);
    assert_eq!((found(&on, "1", NOW_MS).await, found(&on, "2", NOW_MS).await), (vec![], vec![]));
}

async fn all_tokens_of_an_object_are_revoked(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    let mut ids = BTreeSet::new();
    for n in 0..20 {
        ids.insert(issue_with(&on, &format!("user {n}"), &["1"], NOW_MS).await.record.id);
    }
    let spared = issue_with(&on, "alice", &["2"], NOW_MS).await;
    let freed = issue_with(&on, "alice", &["1"], NOW_MS).await;
    on.store.unrelate(freed.record.id, &object("1"), NOW_MS).await.unwrap().unwrap();
    let dead = issue_with(&on, "alice", &["1"], NOW_MS).await;
    on.revoke(&dead, NOW_MS).await;

    assert_eq!(end_all(&on, "1", NOW_MS + 1).await, ids);
    assert_eq!(end_all(&on, "1", NOW_MS + 2).await, BTreeSet::new());
    assert_eq!(found(&on, "1", NOW_MS + 2).await, []);
    for id in ids {
        assert!(!on.record(id).await.unwrap().unwrap().is_active);
    }
    for live in [&spared, &freed] {
        assert!(on.token(live, NOW_MS + 2).await.unwrap().record.is_active);
    }
    let newest = on.store.user_events("user 0", NOW_MS + 2).await.unwrap().swap_remove(0);
    assert_eq!((newest.kind, newest.reason), (EventKind::TokenRevoked, Some(RevokeReason::Related)));
}

async fn the_objects_of_a_token_are_limited(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    let token = issue_with(&on, "alice", &[], NOW_MS).await;
    let id = token.record.id;
    for n in 0..MAX_RELATED_PER_TOKEN {
        assert_eq!(on.store.relate(id, &object(&n.to_string()), NOW_MS).await.unwrap().map(drop), Ok(()));
    }
    assert_eq!(on.store.relate(id, &object("x"), NOW_MS).await.unwrap(), Err(Rejection::TooManyObjects));
    assert_eq!(on.store.relate(id, &object("7"), NOW_MS).await.unwrap().map(drop), Ok(()), "it has that one");
    assert_eq!(found(&on, "x", NOW_MS).await, []);
    on.store.unrelate(id, &object("0"), NOW_MS).await.unwrap().unwrap();
    assert_eq!(on.store.relate(id, &object("x"), NOW_MS).await.unwrap().map(drop), Ok(()));
    assert_eq!(on.token(&token, NOW_MS).await.unwrap().details.related_objects.len(), MAX_RELATED_PER_TOKEN);
}

async fn the_live_tokens_of_an_object_are_limited(kind: StoreKind) {
    let on = TestStore::open_with(kind, StoreLimits { max_tokens_per_object: 2, ..LIMITS }).await;
    let first = issue_with(&on, "alice", &["1"], NOW_MS).await;
    issue_with(&on, "bob", &["1"], NOW_MS).await;
    let sample = |user: &str| with_objects(on.sample(user, NOW_MS), vec![object("0"), object("1")]);
    let third = sample("carol");
    assert_eq!(on.store.issue(&third, NOW_MS).await.unwrap(), Err(Rejection::ObjectFull));
    assert_eq!(on.token(&third, NOW_MS).await, None);
    let other = issue_with(&on, "carol", &[], NOW_MS).await.record.id;
    assert_eq!(on.store.relate(other, &object("1"), NOW_MS).await.unwrap(), Err(Rejection::ObjectFull));
    assert_eq!(on.store.relate(first.record.id, &object("1"), NOW_MS).await.unwrap().map(drop), Ok(()));
    // A revoked token does not count.
    let ending = TokenChange::revoking(RevokeReason::Ended);
    assert!(on.store.change(first.record.id, &ending, NOW_MS).await.unwrap().is_ok());
    let fourth = sample("dave");
    assert_eq!(on.store.issue(&fourth, NOW_MS).await.unwrap(), Ok(vec![]));
    assert_eq!(found(&on, "1", NOW_MS).await.len(), 2);
    assert_eq!(on.store.relate(other, &object("1"), NOW_MS).await.unwrap(), Err(Rejection::ObjectFull));
    // A token removed from the object makes no room either, on Redis only after a minute.
    on.store.unrelate(fourth.record.id, &object("1"), NOW_MS).await.unwrap().unwrap();
    let later_ms = NOW_MS + MINUTE_MS;
    assert_eq!(on.store.relate(other, &object("1"), later_ms).await.unwrap().map(drop), Ok(()));
}

/// A token is never missing from its object while the object is removed and added again.
async fn a_token_stays_listed_while_its_object_is_readded(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    let one = object("1");
    let id = issue_with(&on, "alice", &[], NOW_MS).await.record.id;
    for n in 0..50 {
        // Each time late enough that the old reverse-index entry may be removed.
        let now_ms = NOW_MS + n * MINUTE_MS;
        let (related, _, _) = tokio::join!(
            on.store.relate(id, &one, now_ms),
            on.store.object_tokens(&one, now_ms),
            on.store.object_tokens(&one, now_ms),
        );
        assert_eq!(related.unwrap().map(drop), Ok(()));
        assert_eq!(found(&on, "1", now_ms).await, [id]);
        on.store.unrelate(id, &one, now_ms).await.unwrap().unwrap();
    }
}

async fn a_device_login_is_listed_by_related_object(kind: StoreKind) {
    let on = TestStore::open_with(kind, StoreLimits { max_tokens_per_object: 1, ..LIMITS }).await;
    let device = sample_device("alice", "phone", 0, NOW_MS);
    on.make_device(&device).await;
    let log_in = async || {
        let token = with_objects(on.for_login(&device, NOW_MS), vec![object("1")]);
        on.store.device_login(&login_of(&device, NOW_MS), &token, NOW_MS).await.unwrap()
    };
    let Ok((token, _)) = log_in().await else { panic!("refused") };
    assert_eq!(found(&on, "1", NOW_MS).await, [token.record.id]);
    assert_eq!(log_in().await, Err(Rejection::ObjectFull));
}
