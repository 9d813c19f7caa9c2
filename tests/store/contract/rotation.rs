//! Rotation, the grace of old secrets, reuse of rotated-out secrets, and the second factor.

use doorward::internals::model::token::rotation::{MAX_REMEMBERED_SECRETS, MAX_SIBLINGS, Rotation};
use doorward::internals::model::token::{Bars, RecordVerdict};
use doorward::internals::store::{Outcome, Rejection};
use doorward::internals::token_string::SecretHash;
use doorward::{Token, TokenChange};
use futures_util::future::join_all;

use crate::common::store::{DAY_MS, HOUR_MS, NOW_MS, StoreKind, TestStore, edited};

each_store! {
    an_old_secret_works_within_the_grace_only,
    secrets_of_one_grace_stay_valid_until_the_next_window,
    concurrent_rotations_log_no_user_out,
    only_a_remembered_secret_revokes_the_token,
    rotations_within_one_grace_are_limited,
    a_reused_secret_revokes_the_token_once,
    a_revoked_or_expired_token_is_not_rotated,
    a_pending_token_is_confirmed_once,
}

const GRACE_MS: u64 = 10_000;

fn secret(n: u8) -> SecretHash {
    SecretHash::from_slice(&[n; 16]).unwrap()
}

fn rotation(n: u8) -> TokenChange {
    TokenChange::rotating(Rotation { hash: secret(n), grace_ms: GRACE_MS })
}

async fn rotate(on: &TestStore, token: &Token, n: u8, now_ms: u64) -> Outcome<Token> {
    on.store.change(token.record.id, &rotation(n), now_ms).await.unwrap()
}

/// Returns validation's verdict on a secret.
async fn verdict(on: &TestStore, token: &Token, hash: &SecretHash, now_ms: u64) -> RecordVerdict {
    let record = on.record(token.record.id).await.unwrap().unwrap();
    record.judge(hash, None, now_ms)
}

async fn an_old_secret_works_within_the_grace_only(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    let token = on.issue("alice", NOW_MS).await;
    let first = token.record.secret_hash;
    let Ok(rotated) = rotate(&on, &token, 1, NOW_MS).await else { panic!("not rotated") };
    assert_eq!((rotated.record.id, rotated.record.secret_hash), (token.record.id, secret(1)));
    assert_eq!(on.token(&token, NOW_MS).await, Some(rotated));
    for (hash, at_ms, expected) in [
        (&first, NOW_MS + GRACE_MS - 1, RecordVerdict::Admitted),
        (&first, NOW_MS + GRACE_MS, RecordVerdict::RotatedOut),
        (&secret(1), NOW_MS, RecordVerdict::Admitted),
        (&secret(1), NOW_MS + GRACE_MS, RecordVerdict::Admitted),
        (&secret(9), NOW_MS, RecordVerdict::WrongSecret),
    ] {
        assert_eq!(verdict(&on, &token, hash, at_ms).await, expected, "{at_ms}");
    }
}

async fn secrets_of_one_grace_stay_valid_until_the_next_window(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    let token = on.issue("alice", NOW_MS).await;
    let first = token.record.secret_hash;
    rotate(&on, &token, 1, NOW_MS).await.unwrap();
    rotate(&on, &token, 2, NOW_MS + 4_000).await.unwrap();
    rotate(&on, &token, 3, NOW_MS + GRACE_MS - 1).await.unwrap();
    let long_after = NOW_MS + 100 * GRACE_MS;
    assert_eq!(verdict(&on, &token, &first, NOW_MS + GRACE_MS - 1).await, RecordVerdict::Admitted);
    assert_eq!(verdict(&on, &token, &first, NOW_MS + GRACE_MS).await, RecordVerdict::RotatedOut);
    for n in 1..=3 {
        assert_eq!(verdict(&on, &token, &secret(n), long_after).await, RecordVerdict::Admitted, "{n}");
    }
    // The next window retires all of them after its grace.
    rotate(&on, &token, 4, long_after).await.unwrap();
    for n in 1..=3 {
        let hash = secret(n);
        assert_eq!(
            verdict(&on, &token, &hash, long_after + GRACE_MS - 1).await,
            RecordVerdict::Admitted,
            "{n}"
        );
        assert_eq!(
            verdict(&on, &token, &hash, long_after + GRACE_MS).await,
            RecordVerdict::RotatedOut,
            "{n}"
        );
    }
    assert_eq!(verdict(&on, &token, &secret(4), long_after + GRACE_MS).await, RecordVerdict::Admitted);
    // Without a grace, all other secrets are invalid at once.
    let no_grace = TokenChange::rotating(Rotation { hash: secret(5), grace_ms: 0 });
    on.store.change(token.record.id, &no_grace, long_after + GRACE_MS).await.unwrap().unwrap();
    assert_eq!(verdict(&on, &token, &secret(4), long_after + GRACE_MS).await, RecordVerdict::RotatedOut);
    assert_eq!(verdict(&on, &token, &secret(5), long_after + GRACE_MS).await, RecordVerdict::Admitted);
}

async fn concurrent_rotations_log_no_user_out(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    for tabs in [2, 4] {
        let token = on.issue("alice", NOW_MS).await;
        let mut held = vec![token.record.secret_hash];
        for round in 0..3 {
            let now_ms = NOW_MS + round * GRACE_MS;
            let hashes: Vec<_> = (0..tabs).map(|_| on.mint("alice").hash).collect();
            let rotate = async |hash: &SecretHash| {
                let rotation = Rotation { hash: *hash, grace_ms: GRACE_MS };
                let change = TokenChange::rotating(rotation);
                on.store.change(token.record.id, &change, now_ms).await.unwrap()
            };
            let outcomes = join_all(hashes.iter().map(rotate)).await;
            assert!(outcomes.iter().all(|outcome| outcome.is_ok()), "{outcomes:?}");
            // Whichever answer the browser keeps, its secret is valid.
            for hash in &hashes {
                for at_ms in [now_ms, now_ms + GRACE_MS, now_ms + 100 * GRACE_MS] {
                    assert_eq!(verdict(&on, &token, hash, at_ms).await, RecordVerdict::Admitted, "{tabs}");
                    assert_eq!(on.store.revoke_reused(token.record.id, hash, at_ms).await.unwrap(), None);
                }
            }
            for former in std::mem::replace(&mut held, hashes) {
                assert_eq!(verdict(&on, &token, &former, now_ms + GRACE_MS).await, RecordVerdict::RotatedOut);
            }
        }
    }
}

async fn rotations_within_one_grace_are_limited(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    let token = on.issue("alice", NOW_MS).await;
    let most = u8::try_from(MAX_SIBLINGS).unwrap();
    for n in 1..=most {
        assert!(rotate(&on, &token, n, NOW_MS).await.is_ok(), "{n}");
    }
    assert_eq!(rotate(&on, &token, 99, NOW_MS + 1).await, Err(Rejection::RotatedTooOften));
    assert_eq!(
        verdict(&on, &token, &secret(most), NOW_MS + 1).await,
        RecordVerdict::Admitted,
        "nothing changed"
    );
    assert!(rotate(&on, &token, 99, NOW_MS + GRACE_MS).await.is_ok());
}

async fn a_reused_secret_revokes_the_token_once(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    let token = on.issue("alice", NOW_MS).await;
    let (id, first) = (token.record.id, token.record.secret_hash);
    rotate(&on, &token, 1, NOW_MS).await.unwrap();
    // Valid secrets do not count as reuse, whatever record the asking node has cached.
    for hash in [&first, &secret(1)] {
        assert_eq!(on.store.revoke_reused(id, hash, NOW_MS + GRACE_MS - 1).await.unwrap(), None);
    }
    let at_ms = NOW_MS + GRACE_MS;
    assert_eq!(on.store.revoke_reused(id, &first, at_ms).await.unwrap().as_deref(), Some("alice"));
    let again = on.store.revoke_reused(id, &first, at_ms).await.unwrap();
    assert_eq!(again, None, "the token is already revoked");
    let shown = on.token(&token, at_ms).await.unwrap();
    assert_eq!((shown.record.is_active, shown.revoked.map(|r| r.at_ms)), (false, Some(at_ms)));
    assert_eq!(verdict(&on, &token, &secret(1), at_ms).await, RecordVerdict::Refused);
    // Only the last rotated-out secrets are remembered.
    let token = on.issue("bob", NOW_MS).await;
    let remembered = u8::try_from(MAX_REMEMBERED_SECRETS).unwrap();
    for n in 1..=remembered + 2 {
        rotate(&on, &token, n, NOW_MS + u64::from(n) * GRACE_MS).await.unwrap();
    }
    let at_ms = NOW_MS + 100 * GRACE_MS;
    for (hash, is_remembered) in [(token.record.secret_hash, false), (secret(1), true)] {
        let user = on.store.revoke_reused(token.record.id, &hash, at_ms).await.unwrap();
        assert_eq!(user.is_some(), is_remembered);
    }
    let unknown = on.sample("alice", NOW_MS);
    assert_eq!(on.store.revoke_reused(unknown.record.id, &first, at_ms).await.unwrap(), None);
}

async fn only_a_remembered_secret_revokes_the_token(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    let token = on.issue("alice", NOW_MS).await;
    let id = token.record.id;
    let forged = secret(99);
    let revoke_reused =
        async |hash: &SecretHash, at_ms| on.store.revoke_reused(id, hash, at_ms).await.unwrap().is_some();
    assert!(!revoke_reused(&forged, NOW_MS).await, "never rotated");
    for (n, at_ms) in [(1, NOW_MS), (2, NOW_MS), (3, NOW_MS + GRACE_MS), (4, NOW_MS + GRACE_MS)] {
        rotate(&on, &token, n, at_ms).await.unwrap();
        assert!(!revoke_reused(&forged, at_ms).await);
    }
    assert_eq!(verdict(&on, &token, &forged, NOW_MS + GRACE_MS).await, RecordVerdict::WrongSecret);
    for n in 1..=4 {
        assert!(!revoke_reused(&secret(n), NOW_MS + 2 * GRACE_MS - 1).await, "{n} is good");
    }
    assert!(on.token(&token, NOW_MS + GRACE_MS).await.unwrap().record.is_active);
    assert!(revoke_reused(&secret(1), NOW_MS + 2 * GRACE_MS).await);
}

async fn a_revoked_or_expired_token_is_not_rotated(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    let gone = on.issue("alice", NOW_MS).await;
    on.revoke(&gone, NOW_MS).await;
    assert_eq!(rotate(&on, &gone, 1, NOW_MS).await, Err(Rejection::Revoked));
    let expired = on.issue("bob", NOW_MS).await;
    assert_eq!(rotate(&on, &expired, 1, NOW_MS + HOUR_MS).await, Err(Rejection::NotFound));
    assert_eq!(rotate(&on, &gone, 1, NOW_MS + DAY_MS).await, Err(Rejection::NotFound));
}

async fn a_pending_token_is_confirmed_once(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    let token = edited(on.sample("alice", NOW_MS), |c| c.bars = Bars::PENDING);
    on.keep(&token, NOW_MS).await;
    assert_eq!(on.token(&token, NOW_MS).await.as_ref(), Some(&token));
    assert_eq!(verdict(&on, &token, &token.record.secret_hash, NOW_MS).await, RecordVerdict::Pending);
    assert_eq!(rotate(&on, &token, 1, NOW_MS).await, Err(Rejection::Pending));
    assert_eq!(verdict(&on, &token, &token.record.secret_hash, NOW_MS).await, RecordVerdict::Pending);

    let confirmed = edited(token.clone(), |c| c.bars = Bars::NONE);
    for _ in 0..2 {
        let changed = on.store.change(token.record.id, &TokenChange::confirming(), NOW_MS + 1).await;
        assert_eq!(changed.unwrap(), Ok(confirmed.clone()));
    }
    assert_eq!(verdict(&on, &token, &token.record.secret_hash, NOW_MS + 1).await, RecordVerdict::Admitted);
}
