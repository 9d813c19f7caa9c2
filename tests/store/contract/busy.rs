//! Users with very many tokens: the contract holds although a store may work in steps.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use doorward::internals::model::device_key::DeviceChange;
use doorward::internals::model::event::EventKind;
use doorward::internals::model::revoke_reason::RevokeReason;
use doorward::internals::store::StoreLimits;
use doorward::internals::token_string::TokenId;
use doorward::{Token, TokenChange};
use futures_util::future::join_all;

use crate::common::devices::{login_of, sample_device};
use crate::common::store::{DAY_MS, HOUR_MS, LIMITS, NOW_MS, StoreKind, TestStore, edited, keep, with_idle};

each_store! {
    revoking_thousands_of_tokens_and_logging_in_are_linearizable,
    revoking_hundreds_of_tokens_keeps_the_history_short,
    removing_a_device_key_revokes_hundreds_of_tokens,
    the_oldest_of_many_tokens_makes_room,
}

/// Several times the number of tokens that a store revokes in one step.
const MANY: usize = 2_500;
const CONCURRENT: usize = 16;

async fn issue_many(on: &TestStore, user: &str, count: usize) -> BTreeSet<TokenId> {
    let mut ids = BTreeSet::new();
    while ids.len() < count {
        let tokens: Vec<_> =
            (0..CONCURRENT.min(count - ids.len())).map(|_| on.sample(user, NOW_MS)).collect();
        join_all(tokens.iter().map(|token| on.keep(token, NOW_MS))).await;
        ids.extend(tokens.iter().map(|token| token.record.id));
    }
    ids
}

async fn live(on: &TestStore, user: &str) -> BTreeSet<TokenId> {
    let tokens = on.store.user_tokens(user, NOW_MS + 1).await.unwrap();
    let live = tokens.iter().filter(|token| token.record.is_active);
    live.map(|token| token.record.id).collect()
}

/// Never: a token issued before the call and live after it; nor a live token that was issued before a revoked one.
async fn revoking_thousands_of_tokens_and_logging_in_are_linearizable(kind: StoreKind) {
    let on = TestStore::open_with(kind, StoreLimits { max_tokens_per_user: 10_000, ..LIMITS }).await;
    let before = issue_many(&on, "alice", MANY).await;
    let spared = *before.first().unwrap();
    let is_over = Arc::new(AtomicBool::new(false));
    let workers: Vec<_> = (0..4)
        .map(|_| {
            let (store, is_over) = (on.store.clone(), is_over.clone());
            let tokens: Vec<Token> = (0..500).map(|_| on.sample("alice", NOW_MS)).collect();
            tokio::spawn(async move {
                let mut issued = Vec::new();
                for token in tokens {
                    keep(&store, &token, NOW_MS).await;
                    issued.push(token.record.id);
                    if is_over.load(Ordering::SeqCst) {
                        break;
                    }
                }
                issued
            })
        })
        .collect();
    let revoked = on.store.revoke_user_tokens("alice", Some(spared), NOW_MS).await.unwrap();
    is_over.store(true, Ordering::SeqCst);
    let revoked: BTreeSet<_> = revoked.into_iter().collect();
    let live = live(&on, "alice").await;
    assert!(live.is_disjoint(&revoked), "the returned ids are the revoked tokens");
    assert!(live.contains(&spared));
    assert!(before.iter().all(|id| revoked.contains(id) || *id == spared));
    for worker in workers {
        let issued = worker.await.unwrap();
        let survives = |id: &TokenId| !revoked.contains(id);
        let first = issued.iter().position(survives).unwrap_or(issued.len());
        assert!(issued[first..].iter().all(survives), "a token lives that was issued before a revoked one");
    }
    assert!(on.store.revoke_user_tokens("alice", None, NOW_MS).await.unwrap().contains(&spared));
    assert_eq!(self::live(&on, "alice").await, BTreeSet::new());
}

/// The history keeps the newest events of hundreds of revocations.
async fn revoking_hundreds_of_tokens_keeps_the_history_short(kind: StoreKind) {
    let on = TestStore::open_with(kind, StoreLimits { events_per_user: 7, ..LIMITS }).await;
    issue_many(&on, "alice", 300).await;
    assert_eq!(on.store.revoke_user_tokens("alice", None, NOW_MS).await.unwrap().len(), 300);
    let events = on.store.user_events("alice", NOW_MS).await.unwrap();
    assert_eq!(events.len(), 7);
    assert!(events.iter().all(|event| event.kind == EventKind::TokenRevoked));
}

async fn removing_a_device_key_revokes_hundreds_of_tokens(kind: StoreKind) {
    for is_removed in [false, true] {
        let on = TestStore::open(kind).await;
        let device = sample_device("alice", "phone", 0, NOW_MS);
        on.make_device(&device).await;
        let others = issue_many(&on, "alice", 150).await;
        let mut logged_in = BTreeSet::new();
        for _ in 0..150 {
            let token = on.log_in(&login_of(&device, NOW_MS), &device, NOW_MS).await.unwrap();
            logged_in.insert(token.record.id);
        }
        if is_removed {
            assert!(on.store.remove_device("alice", "phone", NOW_MS).await.unwrap());
            assert!(!on.store.remove_device("alice", "phone", NOW_MS).await.unwrap());
        } else {
            let change = DeviceChange { is_active: Some(false), ..DeviceChange::default() };
            on.store.change_device("alice", "phone", &change, NOW_MS).await.unwrap().unwrap();
        }
        assert_eq!(live(&on, "alice").await, others);
        assert_eq!(on.log_in(&login_of(&device, NOW_MS), &device, NOW_MS).await, None);
        let events = on.store.user_events("alice", NOW_MS).await.unwrap();
        let revoked = events.iter().filter(|event| event.kind == EventKind::DeviceEnded);
        // The events of the revocations evict the earlier ones.
        assert!(revoked.count() <= 1);
    }
}

/// In any order of issues, renewals and removals.
async fn the_oldest_of_many_tokens_makes_room(kind: StoreKind) {
    const MOST: usize = 40;
    /// Longer than the test: Redis removes an expired token by its own clock.
    const SHORT_MS: u64 = 10 * 60_000;
    let on = TestStore::open_with(kind, StoreLimits { max_tokens_per_user: MOST, ..LIMITS }).await;
    let mut live = Vec::new();
    let created_ms = |n: u64| NOW_MS + (n * 17) % 41;
    for n in 0..40 {
        // Every fifth token has expired by then.
        let idle_ms = if n % 5 == 0 { SHORT_MS } else { HOUR_MS + (n * 7) % 13 };
        let token = with_idle(on.sample("alice", created_ms(n)), idle_ms);
        let token = edited(token, |record| record.idle_ms = DAY_MS);
        assert_eq!(on.keep(&token, NOW_MS + 41).await, []);
        live.push(token);
    }
    for token in live.iter().filter(|token| token.record.created_at_ms % 3 == 0) {
        on.touch(token, NOW_MS + 50, Some(NOW_MS + 3 * HOUR_MS)).await;
    }
    for token in live.iter().filter(|token| token.record.created_at_ms % 7 == 0) {
        let id = token.record.id;
        on.store.change(id, &TokenChange::revoking(RevokeReason::Ended), NOW_MS + 60).await.unwrap().unwrap();
    }
    let now_ms = NOW_MS + 2 * SHORT_MS;
    live.retain(|token| {
        let is_renewed = token.record.created_at_ms % 3 == 0;
        token.record.created_at_ms % 7 != 0 && (is_renewed || token.record.expires_at_ms > now_ms)
    });
    live.sort_by_key(|token| (token.record.created_at_ms, token.record.id.locator()));
    for n in 0..60 {
        let token = on.sample("alice", now_ms + n);
        let made_room = on.keep(&token, now_ms + n).await;
        live.push(token);
        let expected = (live.len() > MOST).then(|| live.remove(0).record.id);
        assert_eq!(made_room, Vec::from_iter(expected), "{n}");
    }
}
