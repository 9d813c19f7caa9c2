//! Changing the idle time and the lifetime of a token.

use doorward::internals::model::takeover::NewTakeover;
use doorward::internals::model::token::{RelatedObject, Rotation};
use doorward::internals::store::{Outcome, Rejection};
use doorward::internals::token_string;
use doorward::{Token, TokenChange};

use crate::common::imports::{import, sample_import};
use crate::common::store::{DAY_MS, HOUR_MS, MINUTE_MS, NOW_MS, StoreKind, TestStore, edited, with_objects};

each_store! {
    a_shorter_idle_time_counts_from_the_change,
    a_longer_idle_time_reaches_to_the_end,
    a_lifetime_counts_from_the_issue,
    a_lifetime_that_is_over_changes_nothing,
    an_access_before_a_shortening_does_not_undo_it,
    a_longer_life_is_found_by_its_objects,
    a_takeover_ends_with_the_new_end,
    the_end_of_an_imported_token_moves_later_once_it_was_rotated,
    other_fields_stay,
}

/// When the tests change a token.
const LATER_MS: u64 = NOW_MS + MINUTE_MS;
/// The end of a sample.
const END_MS: u64 = NOW_MS + 30 * DAY_MS;

fn idle(ms: u64) -> TokenChange {
    TokenChange { idle_ms: Some(ms), ..TokenChange::default() }
}

fn lifetime(ms: u64) -> TokenChange {
    TokenChange { lifetime_ms: Some(ms), ..TokenChange::default() }
}

async fn change(on: &TestStore, token: &Token, change: &TokenChange) -> Outcome<Token> {
    on.store.change(token.record.id, change, LATER_MS).await.unwrap()
}

/// Asserts that the token has these times, wherever they are read.
async fn assert_times(on: &TestStore, token: &Token, idle_ms: u64, ends_at_ms: u64, expires_at_ms: u64) {
    let expected = edited(token.clone(), |record| {
        (record.idle_ms, record.ends_at_ms, record.expires_at_ms) = (idle_ms, ends_at_ms, expires_at_ms);
    });
    assert_eq!(on.record(token.record.id).await.unwrap().as_ref(), Some(&expected.record));
    assert_eq!(on.token(token, expires_at_ms - 1).await, Some(expected));
    assert_eq!(on.listed("alice", expires_at_ms - 1).await, [token.record.id]);
    assert_eq!(on.listed("alice", expires_at_ms).await, []);
    // On Redis, the record and its index are kept that long.
    for (name, ttl_ms) in
        on.ttls().into_iter().filter(|(name, _)| name.contains("t:{") || name.contains("u:{"))
    {
        let left_ms = i64::try_from(expires_at_ms - LATER_MS).unwrap();
        assert!((left_ms - 60_000..=left_ms).contains(&ttl_ms), "{name} {ttl_ms} {left_ms}");
    }
}

async fn a_shorter_idle_time_counts_from_the_change(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    let token = on.issue_idle("alice", 9 * HOUR_MS, NOW_MS).await;
    let changed = change(&on, &token, &idle(HOUR_MS)).await.unwrap();
    assert_eq!(changed.last_access_ms, NOW_MS, "it is no access");
    assert_times(&on, &token, HOUR_MS, END_MS, LATER_MS + HOUR_MS).await;
}

async fn a_longer_idle_time_reaches_to_the_end(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    let token = on.issue("alice", NOW_MS).await;
    change(&on, &token, &idle(9 * HOUR_MS)).await.unwrap();
    assert_times(&on, &token, 9 * HOUR_MS, END_MS, LATER_MS + 9 * HOUR_MS).await;
    change(&on, &token, &idle(90 * DAY_MS)).await.unwrap();
    assert_times(&on, &token, 90 * DAY_MS, END_MS, END_MS).await;
}

async fn a_lifetime_counts_from_the_issue(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    let token = on.issue("alice", NOW_MS).await;
    change(&on, &token, &lifetime(2 * MINUTE_MS)).await.unwrap();
    assert_times(&on, &token, HOUR_MS, NOW_MS + 2 * MINUTE_MS, NOW_MS + 2 * MINUTE_MS).await;
    change(&on, &token, &lifetime(90 * DAY_MS)).await.unwrap();
    assert_times(&on, &token, HOUR_MS, NOW_MS + 90 * DAY_MS, LATER_MS + HOUR_MS).await;
    let both = TokenChange { idle_ms: Some(60 * DAY_MS), ..lifetime(40 * DAY_MS) };
    change(&on, &token, &both).await.unwrap();
    assert_times(&on, &token, 60 * DAY_MS, NOW_MS + 40 * DAY_MS, NOW_MS + 40 * DAY_MS).await;
}

async fn a_lifetime_that_is_over_changes_nothing(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    let token = on.issue("alice", NOW_MS).await;
    for over_ms in [1, MINUTE_MS] {
        let all = TokenChange {
            idle_ms: Some(9 * HOUR_MS),
            auth_slug: Some(Some("web".into())),
            allowed_cookie: Some(false),
            ..lifetime(over_ms)
        };
        assert_eq!(change(&on, &token, &all).await, Err(Rejection::LifetimeOver));
        assert_eq!(on.token(&token, LATER_MS).await.as_ref(), Some(&token));
    }
    on.revoke(&token, LATER_MS).await;
    assert_eq!(change(&on, &token, &idle(1)).await, Err(Rejection::Revoked));
}

/// Neither the idle time nor the end: the touch was earned by the times of before.
async fn an_access_before_a_shortening_does_not_undo_it(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    let token = on.issue_idle("alice", 9 * HOUR_MS, NOW_MS).await;
    change(&on, &token, &idle(HOUR_MS)).await.unwrap();
    let touch = async |access_ms: u64| {
        on.touch(&token, access_ms, Some(access_ms + 9 * HOUR_MS)).await;
        on.record(token.record.id).await.unwrap().unwrap().expires_at_ms
    };
    assert_eq!(touch(LATER_MS - 1).await, LATER_MS + HOUR_MS);
    assert_eq!(touch(LATER_MS + 7).await, LATER_MS + 7 + HOUR_MS, "a later access earns the new idle time");
    change(&on, &token, &lifetime(2 * HOUR_MS)).await.unwrap();
    assert_eq!(touch(NOW_MS + HOUR_MS + 1).await, NOW_MS + 2 * HOUR_MS);
}

async fn a_longer_life_is_found_by_its_objects(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    let order = |id: &str| RelatedObject { content_type: "order".into(), object_id: id.into() };
    let token = with_objects(on.sample("alice", NOW_MS), vec![order("1"), order("2")]);
    on.keep(&token, NOW_MS).await;
    let long = TokenChange { idle_ms: Some(90 * DAY_MS), ..lifetime(60 * DAY_MS) };
    change(&on, &token, &long).await.unwrap();
    on.store.relate(token.record.id, &order("3"), LATER_MS).await.unwrap().unwrap();
    let last_ms = NOW_MS + 60 * DAY_MS - 1;
    for id in ["1", "2", "3"] {
        let found = on.store.object_tokens(&order(id), last_ms).await.unwrap();
        assert_eq!(found.iter().map(|token| token.record.id).collect::<Vec<_>>(), [token.record.id]);
    }
    // On Redis, the entries are kept as long as the token can be.
    for (name, ttl_ms) in on.ttls().into_iter().filter(|(name, _)| name.contains("r:{")) {
        assert!(ttl_ms > i64::try_from(59 * DAY_MS).unwrap(), "{name} {ttl_ms}");
    }
    assert_eq!(on.store.revoke_object_tokens(&order("2"), last_ms).await.unwrap(), [token.record.id]);
}

async fn a_takeover_ends_with_the_new_end(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    let token = on.issue_idle("alice", 9 * HOUR_MS, NOW_MS).await;
    let id = token_string::new_id(token.record.id.hash_tag(), on.entropy()).unwrap();
    let ends_at_ms = NOW_MS + 5 * HOUR_MS;
    let new = NewTakeover { id, token: token.record.id, user: "bob".into(), reason: None, ends_at_ms };
    on.store.start_takeover(&new, NOW_MS).await.unwrap().unwrap();
    change(&on, &token, &idle(HOUR_MS)).await.unwrap();
    let expired_ms = LATER_MS + HOUR_MS;
    let history = on.store.token_takeovers(token.record.id, expired_ms).await.unwrap();
    assert_eq!(history[0].ended_at_ms, Some(expired_ms));
}

/// The alias of its foreign string is kept until the end at the import.
async fn the_end_of_an_imported_token_moves_later_once_it_was_rotated(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    let imported = sample_import(&on, "alice", "string", NOW_MS);
    import(&on.store, &imported, NOW_MS).await;
    let token = &imported.token;
    assert_eq!(change(&on, token, &lifetime(40 * DAY_MS)).await, Err(Rejection::ImportedEnd));
    let ends_at_ms = change(&on, token, &lifetime(20 * DAY_MS)).await.unwrap().record.ends_at_ms;
    assert_eq!(ends_at_ms, token.record.created_at_ms + 20 * DAY_MS);
    change(&on, token, &idle(2 * HOUR_MS)).await.unwrap();
    let rotation = Rotation { hash: on.mint("alice").hash, grace_ms: 10 };
    change(&on, token, &TokenChange::rotating(rotation)).await.unwrap();
    change(&on, token, &lifetime(40 * DAY_MS)).await.unwrap();
}

async fn other_fields_stay(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    for backend in [None, Some("ldap")] {
        let texts = doorward::internals::model::token::Texts::new("alice", Some("web"), backend, None);
        let token =
            edited(on.sample("alice", NOW_MS), |record| record.texts = texts.with_scopes(Some("a b")));
        on.keep(&token, NOW_MS).await;
        let changed = change(&on, &token, &lifetime(DAY_MS)).await.unwrap();
        assert_eq!(changed.record.texts, token.record.texts);
        assert_eq!(on.token(&token, LATER_MS).await, Some(changed));
    }
}
