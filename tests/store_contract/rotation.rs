//! A new secret, the old one's grace, what a secret that was rotated out does, and the second factor.

use doorward::event::EndReason;
use doorward::secret::SecretHash;
use doorward::store::Changed;
use doorward::token::{MAX_PREVIOUS_SECRETS, Rotation, Token, TokenChange, Verdict};

use crate::common::store::{DAY_MS, HOUR_MS, NOW_MS, StoreKind, TestStore, edited, ended};

const GRACE_MS: u64 = 10_000;

fn secret(n: u8) -> SecretHash {
    SecretHash::from_slice(&[n; 16]).unwrap()
}

fn rotation(n: u8) -> TokenChange {
    TokenChange::rotating(Rotation { hash: secret(n), grace_ms: GRACE_MS })
}

async fn rotate(on: &TestStore, token: &Token, n: u8, now_ms: u64) -> Changed {
    on.store.change(token.credential.id, &rotation(n), now_ms).await.unwrap()
}

/// What validation makes of a secret.
async fn verdict(on: &TestStore, token: &Token, hash: &SecretHash, now_ms: u64) -> Verdict {
    let credential = on.credential(token.credential.id).await.unwrap().unwrap();
    credential.judge(hash, None, now_ms)
}

pub async fn an_old_secret_works_for_the_grace_only(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    let token = on.issue("alice", NOW_MS).await;
    let first = token.credential.secret_hash;
    let Changed::Done(rotated) = rotate(&on, &token, 1, NOW_MS).await else { panic!("not rotated") };
    assert_eq!((rotated.credential.id, rotated.credential.secret_hash), (token.credential.id, secret(1)));
    assert_eq!(on.token(&token, NOW_MS).await, Some(rotated));
    for (hash, at_ms, expected) in [
        (&first, NOW_MS + GRACE_MS - 1, Verdict::Admitted),
        (&first, NOW_MS + GRACE_MS, Verdict::WrongSecret),
        (&secret(1), NOW_MS, Verdict::Admitted),
        (&secret(1), NOW_MS + GRACE_MS, Verdict::Admitted),
        (&secret(9), NOW_MS, Verdict::WrongSecret),
    ] {
        assert_eq!(verdict(&on, &token, hash, at_ms).await, expected, "{at_ms}");
    }
}

pub async fn every_old_secret_has_its_own_grace(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    let token = on.issue("alice", NOW_MS).await;
    let first = token.credential.secret_hash;
    rotate(&on, &token, 1, NOW_MS).await;
    rotate(&on, &token, 2, NOW_MS + 4_000).await;
    assert_eq!(verdict(&on, &token, &first, NOW_MS + 9_999).await, Verdict::Admitted);
    assert_eq!(verdict(&on, &token, &first, NOW_MS + 10_000).await, Verdict::WrongSecret);
    assert_eq!(verdict(&on, &token, &secret(1), NOW_MS + 13_999).await, Verdict::Admitted);
    assert_eq!(verdict(&on, &token, &secret(1), NOW_MS + 14_000).await, Verdict::WrongSecret);
    // Without a grace the old one is worthless at once, and what is past its deadline is not kept.
    let no_grace = TokenChange::rotating(Rotation { hash: secret(3), grace_ms: 0 });
    on.store.change(token.credential.id, &no_grace, NOW_MS + 20_000).await.unwrap();
    assert_eq!(verdict(&on, &token, &secret(2), NOW_MS + 20_000).await, Verdict::WrongSecret);
    let credential = on.credential(token.credential.id).await.unwrap().unwrap();
    assert_eq!(*credential.previous, []);
}

pub async fn a_token_is_rotated_only_so_often_within_the_grace(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    let token = on.issue("alice", NOW_MS).await;
    let most = u8::try_from(MAX_PREVIOUS_SECRETS).unwrap();
    for n in 1..=most {
        assert!(matches!(rotate(&on, &token, n, NOW_MS).await, Changed::Done(_)), "{n}");
    }
    assert_eq!(rotate(&on, &token, 99, NOW_MS + 1).await, Changed::RotatedTooOften);
    assert_eq!(verdict(&on, &token, &secret(most), NOW_MS + 1).await, Verdict::Admitted, "nothing changed");
    assert!(matches!(rotate(&on, &token, 99, NOW_MS + GRACE_MS).await, Changed::Done(_)));
}

pub async fn a_reused_secret_ends_the_token_once(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    let token = on.issue("alice", NOW_MS).await;
    let (id, first) = (token.credential.id, token.credential.secret_hash);
    rotate(&on, &token, 1, NOW_MS).await;
    // Good ones are no reuse, whatever record the node that asks had seen.
    for hash in [&first, &secret(1)] {
        assert!(!on.store.end_reused(id, hash, NOW_MS + GRACE_MS - 1).await.unwrap());
    }
    let at_ms = NOW_MS + GRACE_MS;
    assert!(on.store.end_reused(id, &first, at_ms).await.unwrap());
    assert!(!on.store.end_reused(id, &first, at_ms).await.unwrap(), "it has ended");
    let shown = on.token(&token, at_ms).await.unwrap();
    assert_eq!((shown.credential.is_active, shown.ended_at_ms), (false, Some(at_ms)));
    assert_eq!(verdict(&on, &token, &secret(1), at_ms).await, Verdict::Refused);
    let unknown = on.sample("alice", NOW_MS);
    assert!(!on.store.end_reused(unknown.credential.id, &first, at_ms).await.unwrap());
}

pub async fn what_has_ended_or_expired_is_not_rotated(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    let gone = on.issue("alice", NOW_MS).await;
    on.store.change(gone.credential.id, &TokenChange::ending(EndReason::Ended), NOW_MS).await.unwrap();
    assert_eq!(rotate(&on, &gone, 1, NOW_MS).await, Changed::AlreadyEnded(ended(&gone, NOW_MS)));
    let expired = on.issue("bob", NOW_MS).await;
    assert_eq!(rotate(&on, &expired, 1, NOW_MS + HOUR_MS).await, Changed::NotFound);
    assert_eq!(rotate(&on, &gone, 1, NOW_MS + DAY_MS).await, Changed::NotFound);
}

pub async fn a_token_without_its_second_factor_is_confirmed_once(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    let token = edited(on.sample("alice", NOW_MS), |c| c.is_authenticated = false);
    on.keep(&token, NOW_MS).await;
    assert_eq!(on.token(&token, NOW_MS).await.as_ref(), Some(&token));
    assert_eq!(verdict(&on, &token, &token.credential.secret_hash, NOW_MS).await, Verdict::Pending);
    assert_eq!(rotate(&on, &token, 1, NOW_MS).await, Changed::Pending);
    assert_eq!(verdict(&on, &token, &token.credential.secret_hash, NOW_MS).await, Verdict::Pending);

    let confirmed = edited(token.clone(), |c| c.is_authenticated = true);
    for _ in 0..2 {
        let changed = on.store.change(token.credential.id, &TokenChange::confirming(), NOW_MS + 1).await;
        assert_eq!(changed.unwrap(), Changed::Done(confirmed.clone()));
    }
    assert_eq!(verdict(&on, &token, &token.credential.secret_hash, NOW_MS + 1).await, Verdict::Admitted);
}
