//! Invariants of concurrent operations on one user. Each pair runs many times on every store, in either start order.

use std::sync::Arc;

use doorward::internals::model::event::EventKind;
use doorward::internals::model::revoke_reason::RevokeReason;
use doorward::internals::model::takeover::NewTakeover;
use doorward::internals::model::token::RecordVerdict;
use doorward::internals::model::token::Rotation;
use doorward::internals::store::{Outcome, Rejection, Store, StoreLimits};
use doorward::internals::token_string;
use doorward::{Token, TokenChange};

use crate::common::store::{HOUR_MS, LIMITS, NOW_MS, StoreKind, TestStore, keep};

each_store! {
    no_revoked_token_has_an_active_takeover,
    a_token_has_at_most_one_active_takeover,
    revoking_all_tokens_and_logging_in_are_linearizable,
    a_lock_and_a_login_are_linearizable,
    a_lock_beside_an_unlock_takes_all_tokens_or_none,
    a_rotation_refuses_no_valid_secret,
    concurrent_rotations_both_take_effect,
    events_and_the_limit_hold_under_concurrent_logins,
}

const TIMES: usize = 100;

/// Runs both concurrently, alternating which starts first.
async fn at_once<A: Send + 'static, B: Send + 'static>(
    time: usize,
    one: impl Future<Output = A> + Send + 'static,
    other: impl Future<Output = B> + Send + 'static,
) -> (A, B) {
    if time.is_multiple_of(2) {
        let (one, other) = (tokio::spawn(one), tokio::spawn(other));
        (one.await.unwrap(), other.await.unwrap())
    } else {
        let (other, one) = (tokio::spawn(other), tokio::spawn(one));
        (one.await.unwrap(), other.await.unwrap())
    }
}

fn takeover(on: &TestStore, token: &Token, user: &str) -> NewTakeover {
    let token = token.record.id;
    let id = token_string::new_id(token.hash_tag(), on.entropy()).unwrap();
    NewTakeover { id, token, user: user.into(), reason: None, ends_at_ms: NOW_MS + HOUR_MS }
}

async fn end(store: Store, token: Token) -> Outcome<Token> {
    store.change(token.record.id, &TokenChange::revoking(RevokeReason::Logout), NOW_MS + 1).await.unwrap()
}

/// Never: an active takeover of a revoked token.
async fn no_revoked_token_has_an_active_takeover(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    for time in 0..TIMES {
        let token = on.issue("alice", NOW_MS).await;
        let new = takeover(&on, &token, "bob");
        let (start, stop) = (on.store.clone(), on.store.clone());
        let (started, _) = at_once(
            time,
            async move { start.start_takeover(&new, NOW_MS + 1).await.unwrap() },
            end(stop, token.clone()),
        )
        .await;
        assert!(matches!(started, Ok(_) | Err(Rejection::Revoked)), "{started:?}");
        let shown = on.token(&token, NOW_MS + 1).await.unwrap();
        assert_eq!((shown.record.is_active, shown.record.takeover.is_some()), (false, false));
        let history = on.store.token_takeovers(token.record.id, NOW_MS + 1).await.unwrap();
        assert_eq!(history.len(), usize::from(started.is_ok()));
        assert!(history.iter().all(|takeover| takeover.ended_at_ms == Some(NOW_MS + 1)), "{history:?}");
    }
}

/// Never: two active takeovers of one token.
async fn a_token_has_at_most_one_active_takeover(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    for time in 0..TIMES {
        let token = on.issue("alice", NOW_MS).await;
        let start = |user: &str| {
            let (store, new) = (on.store.clone(), takeover(&on, &token, user));
            async move { store.start_takeover(&new, NOW_MS + 1).await.unwrap() }
        };
        let (bob, carol) = at_once(time, start("bob"), start("carol")).await;
        assert!(bob.is_ok() && carol.is_ok());
        let history = on.store.token_takeovers(token.record.id, NOW_MS + 1).await.unwrap();
        let under_way: Vec<_> = history.iter().filter(|takeover| takeover.ended_at_ms.is_none()).collect();
        assert_eq!((history.len(), under_way.len()), (2, 1), "{history:?}");
        let shown = on.token(&token, NOW_MS + 1).await.unwrap();
        assert_eq!(shown.record.takeover.as_ref().map(|takeover| takeover.id), Some(under_way[0].id));
    }
}

/// Never: a live token that no listing shows; nor a token that is still live after a revocation of all that started
/// after its issue was acknowledged.
async fn revoking_all_tokens_and_logging_in_are_linearizable(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    for time in 0..TIMES {
        let user = format!("user {time}");
        let before = on.issue(&user, NOW_MS).await;
        let token = on.sample(&user, NOW_MS);
        let (issue, stop, new, name) = (on.store.clone(), on.store.clone(), token.clone(), user.clone());
        let (_, revoked) = at_once(time, async move { keep(&issue, &new, NOW_MS).await }, async move {
            stop.revoke_user_tokens(&name, None, NOW_MS).await.unwrap()
        })
        .await;
        assert!(revoked.contains(&before.record.id));
        let is_alive = on.token(&token, NOW_MS).await.unwrap().record.is_active;
        assert_eq!(is_alive, !revoked.contains(&token.record.id), "the returned ids are the revoked tokens");
        assert!(on.listed(&user, NOW_MS).await.contains(&token.record.id));
        assert_eq!(
            on.store.revoke_user_tokens(&user, None, NOW_MS).await.unwrap().len(),
            usize::from(is_alive)
        );
    }
}

/// Never: a usable token of a user whose lock is acknowledged.
async fn a_lock_and_a_login_are_linearizable(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    for time in 0..TIMES {
        let user = format!("user {time}");
        let token = on.sample(&user, NOW_MS);
        let (issue, lock, new, name) = (on.store.clone(), on.store.clone(), token.clone(), user.clone());
        let (issued, is_changed) =
            at_once(time, async move { issue.issue(&new, NOW_MS).await.unwrap() }, async move {
                lock.set_lock(&name, true, NOW_MS).await.unwrap()
            })
            .await;
        assert!(is_changed);
        let record = on.record(token.record.id).await.unwrap();
        match issued {
            Ok(_) => assert!(record.unwrap().is_locked(), "issued before the lock"),
            Err(rejection) => assert_eq!((rejection, record), (Rejection::UserLocked, None)),
        }
    }
}

/// Never: a lock without the flag on a token, or the flag without a lock.
async fn a_lock_beside_an_unlock_takes_all_tokens_or_none(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    for _ in 0..5 {
        on.issue("alice", NOW_MS).await;
    }
    for time in 0..TIMES {
        let set = |is_locked: bool| {
            let store = on.store.clone();
            async move { store.set_lock("alice", is_locked, NOW_MS).await.unwrap() }
        };
        at_once(time, set(true), set(false)).await;
        let is_locked = on.store.is_locked("alice").await.unwrap();
        let tokens = on.store.user_tokens("alice", NOW_MS).await.unwrap();
        assert!(tokens.iter().all(|token| token.record.is_locked() == is_locked), "{is_locked} {tokens:?}");
    }
}

/// Never: a refusal of the old secret within the grace or of the new secret after its issue; nor a revocation because
/// of either.
async fn a_rotation_refuses_no_valid_secret(kind: StoreKind) {
    let on = Arc::new(TestStore::open(kind).await);
    let mut token = on.issue("alice", NOW_MS).await;
    for time in 0..TIMES {
        // Each at its own time, so that no grace reaches its limit of rotations.
        let now_ms = NOW_MS + time as u64 * 10;
        let rotation = Rotation { hash: on.mint("alice").hash, grace_ms: 20 };
        let (store, seen, id, old) =
            (on.store.clone(), on.clone(), token.record.id, token.record.secret_hash);
        let (rotated, verdict) = at_once(
            time,
            async move { store.change(id, &TokenChange::rotating(rotation), now_ms).await.unwrap() },
            async move {
                let found = seen.record(id).await.unwrap().unwrap().judge(&old, None, now_ms);
                assert_eq!(seen.store.revoke_reused(id, &old, now_ms).await.unwrap(), None);
                found
            },
        )
        .await;
        assert_eq!(verdict, RecordVerdict::Admitted);
        let Ok(now) = rotated else { panic!("{rotated:?}") };
        let record = on.record(id).await.unwrap().unwrap();
        assert_eq!(record.judge(&rotation.hash, None, now_ms), RecordVerdict::Admitted);
        token = now;
    }
}

/// Never: two rotations that return the same secret; nor an issued secret that is invalid within the grace.
async fn concurrent_rotations_both_take_effect(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    for time in 0..TIMES {
        let token = on.issue("alice", NOW_MS).await;
        let rotate = || {
            let rotation = Rotation { hash: on.mint("alice").hash, grace_ms: 1_000 };
            let (store, id) = (on.store.clone(), token.record.id);
            async move {
                store.change(id, &TokenChange::rotating(rotation), NOW_MS).await.unwrap().unwrap();
                rotation.hash
            }
        };
        let (one, other) = at_once(time, rotate(), rotate()).await;
        let record = on.record(token.record.id).await.unwrap().unwrap();
        for hash in [&one, &other, &token.record.secret_hash] {
            assert_eq!(record.judge(hash, None, NOW_MS), RecordVerdict::Admitted);
        }
    }
}

/// Never: more live tokens than the limit, more revocations than needed, or a missing or extra event.
async fn events_and_the_limit_hold_under_concurrent_logins(kind: StoreKind) {
    let limits = StoreLimits { max_tokens_per_user: 5, events_per_user: 1_000, ..LIMITS };
    let on = TestStore::open_with(kind, limits).await;
    let logins: Vec<_> = (0..40)
        .map(|n| {
            let (store, token) = (on.store.clone(), on.sample("alice", NOW_MS + n));
            tokio::spawn(async move { keep(&store, &token, NOW_MS + n).await.len() })
        })
        .collect();
    let mut made_room = 0;
    for login in logins {
        made_room += login.await.unwrap();
    }
    let events = on.store.user_events("alice", NOW_MS + 40).await.unwrap();
    let count = |kind| events.iter().filter(|event| event.kind == kind).count();
    assert_eq!((made_room, count(EventKind::TokenIssued), count(EventKind::TokenRevoked)), (35, 40, 35));
}
