//! The events of a user.

use doorward::internals::model::event::{Actor, Event, EventFacts, EventKind};
use doorward::internals::model::revoke_reason::RevokeReason;
use doorward::internals::model::takeover::NewTakeover;
use doorward::internals::model::token::{Bars, Rotation, Texts};
use doorward::internals::store::{Call, StoreLimits};
use doorward::internals::token_string;
use doorward::{Token, TokenChange};

use crate::common::store::{DAY_MS, LIMITS, NOW_MS, StoreKind, TestStore, detailed, edited};

each_store! {
    every_change_is_an_event_with_actor_and_time,
    revoking_all_tokens_is_one_event_each,
    only_the_newest_events_are_kept_until_their_retention,
    a_history_length_of_zero_keeps_no_event,
}

const BY: Actor<'_> = Actor::ApiKey("back-office");

fn at(now_ms: u64) -> Call<'static> {
    Call::new(now_ms, BY)
}

/// Returns the user's events, oldest first.
async fn history(on: &TestStore, user: &str, now_ms: u64) -> Vec<Event> {
    let mut events = on.store.user_events(user, now_ms).await.unwrap();
    events.reverse();
    events
}

/// Makes each kind of change of a token, a millisecond after the one before. Returns the token and its takeovers.
async fn change_in_every_way(on: &TestStore) -> (Token, NewTakeover, NewTakeover) {
    let token = edited(on.sample("alice", NOW_MS), |c| {
        c.bars = Bars::PENDING;
        c.texts = Texts::new("alice", Some("web"), Some("ldap"), None);
    });
    // 63 characters of two bytes and one of three: the 128th byte is in the middle of the last one.
    let user_agent = format!("{}€uro", "é".repeat(63));
    let token = detailed(token, |details| details.user_agent = user_agent);
    let id = token.record.id;
    on.store.issue(&token, at(NOW_MS)).await.unwrap().unwrap();
    on.store.change(id, &TokenChange::confirming(), at(NOW_MS + 1)).await.unwrap().unwrap();
    let rotation = Rotation { hash: on.mint("alice").hash, grace_ms: 0 };
    on.store.change(id, &TokenChange::rotating(rotation), at(NOW_MS + 2)).await.unwrap().unwrap();
    let first = takeover(on, id, "bob");
    let second = takeover(on, id, "carol");
    on.store.start_takeover(&first, at(NOW_MS + 3)).await.unwrap().unwrap();
    on.store.start_takeover(&second, at(NOW_MS + 4)).await.unwrap().unwrap();
    // Changing the slug is no event, nor is a call that changes nothing.
    let edit = TokenChange { auth_slug: Some(Some("x".into())), ..TokenChange::default() };
    on.store.change(id, &edit, at(NOW_MS + 5)).await.unwrap().unwrap();
    on.store.change(id, &TokenChange::confirming(), at(NOW_MS + 5)).await.unwrap().unwrap();
    on.store.revoke_reused(id, &token.record.secret_hash, NOW_MS + 6).await.unwrap();
    on.store.change(id, &TokenChange::revoking(RevokeReason::Ended), at(NOW_MS + 7)).await.unwrap().unwrap();
    (token, first, second)
}

async fn every_change_is_an_event_with_actor_and_time(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    let (token, first, second) = change_in_every_way(&on).await;
    let id = token.record.id;

    let facts = |slug: &str| EventFacts {
        ip: Some(token.details.ip),
        user_agent: Some("é".repeat(63)),
        auth_slug: Some(slug.into()),
        backend: Some("ldap".into()),
    };
    let event = |kind, at_ms| {
        let slug = if at_ms < NOW_MS + 5 { "web" } else { "x" };
        Event { token: Some(id), facts: facts(slug), ..Event::new(kind, at_ms, BY) }
    };
    let taken = |kind, at_ms, new: &NewTakeover, reason| Event {
        takeover: Some(new.id),
        taken_over: Some(new.user.clone()),
        reason,
        ..event(kind, at_ms)
    };
    let reuse = |event: Event| Event { actor: Actor::Doorward.to_string(), ..event };
    let expected = [
        event(EventKind::TokenIssued, NOW_MS),
        event(EventKind::TokenConfirmed, NOW_MS + 1),
        event(EventKind::TokenRotated, NOW_MS + 2),
        taken(EventKind::TakeoverStarted, NOW_MS + 3, &first, None),
        taken(EventKind::TakeoverEnded, NOW_MS + 4, &first, Some(RevokeReason::Replaced)),
        taken(EventKind::TakeoverStarted, NOW_MS + 4, &second, None),
        reuse(event(EventKind::ReuseDetected, NOW_MS + 6)),
        reuse(taken(EventKind::TakeoverEnded, NOW_MS + 6, &second, Some(RevokeReason::Reuse))),
        Event { reason: Some(RevokeReason::Reuse), ..reuse(event(EventKind::TokenRevoked, NOW_MS + 6)) },
    ];
    assert_eq!(history(&on, "alice", NOW_MS + 8).await, expected);
    assert_eq!(history(&on, "bob", NOW_MS + 8).await, []);
}

fn takeover(on: &TestStore, token: token_string::TokenId, user: &str) -> NewTakeover {
    let id = token_string::new_id(token.hash_tag(), on.entropy()).unwrap();
    NewTakeover { id, token, user: user.into(), reason: None, ends_at_ms: NOW_MS + DAY_MS }
}

async fn revoking_all_tokens_is_one_event_each(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    for n in 0..3 {
        on.issue("alice", NOW_MS + n).await;
    }
    on.store.revoke_user_tokens("alice", None, at(NOW_MS + 5)).await.unwrap();
    let revoked = history(&on, "alice", NOW_MS + 5).await.split_off(3);
    assert_eq!(revoked.len(), 3);
    for event in revoked {
        let expected = Event::new(EventKind::TokenRevoked, NOW_MS + 5, BY);
        let facts = EventFacts { ip: Some("203.0.113.7".parse().unwrap()), ..EventFacts::default() };
        let reason = Some(RevokeReason::AllOfUser);
        assert_eq!(event, Event { token: event.token, reason, facts, ..expected });
    }
}

async fn only_the_newest_events_are_kept_until_their_retention(kind: StoreKind) {
    let limits = StoreLimits { events_per_user: 3, event_retention_ms: 1_000, ..LIMITS };
    let on = TestStore::open_with(kind, limits).await;
    for n in 0..5 {
        on.issue("alice", NOW_MS + 10 * n).await;
    }
    let times = async |now_ms| {
        history(&on, "alice", now_ms).await.iter().map(|e| e.at_ms - NOW_MS).collect::<Vec<_>>()
    };
    assert_eq!(times(NOW_MS + 40).await, [20, 30, 40]);
    assert_eq!(times(NOW_MS + 1_029).await, [30, 40]);
    assert_eq!(times(NOW_MS + 1_040).await, [] as [u64; 0]);
}

async fn a_history_length_of_zero_keeps_no_event(kind: StoreKind) {
    let on = TestStore::open_with(kind, StoreLimits { events_per_user: 0, ..LIMITS }).await;
    on.issue("alice", NOW_MS).await;
    assert_eq!(history(&on, "alice", NOW_MS).await, []);
    assert!(!on.ttls().keys().any(|key| key.contains(":e:")));
}
