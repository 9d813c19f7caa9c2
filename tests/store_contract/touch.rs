//! Accesses: the last one is kept, a renewal extends, and nothing dead comes back to life.

use doorward::event::EndReason;
use doorward::token::{Token, TokenChange};

use crate::common::store::{DAY_MS, HOUR_MS, MINUTE_MS, NOW_MS, StoreKind, TestStore, edited, ended, touch};

const EXPIRED_MS: u64 = NOW_MS + HOUR_MS;

fn renewed(token: &Token, access_ms: u64, expires_at_ms: u64) -> Token {
    Token { last_access_ms: access_ms, ..edited(token.clone(), |c| c.expires_at_ms = expires_at_ms) }
}

pub async fn renewals_extend_one_after_the_other(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    let token = on.issue("alice", NOW_MS).await;
    for step in 1..=100 {
        let access_ms = NOW_MS + step * 59 * MINUTE_MS;
        on.touch(&token, access_ms, Some(access_ms + HOUR_MS)).await;
        let expected = renewed(&token, access_ms, access_ms + HOUR_MS);
        assert_eq!(on.token(&token, access_ms).await.as_ref(), Some(&expected));
        let credential = on.credential(token.credential.id).await.unwrap().unwrap();
        assert_eq!(credential, expected.credential);
        assert_eq!(on.listed("alice", access_ms + HOUR_MS - 1).await, [token.credential.id]);
        assert_eq!(on.listed("alice", access_ms + HOUR_MS).await, []);
    }
}

pub async fn a_renewal_never_shortens(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    let token = on.issue("alice", NOW_MS).await;
    for earlier_ms in [EXPIRED_MS, EXPIRED_MS - 1, NOW_MS + 2, NOW_MS, 0] {
        on.touch(&token, NOW_MS + 1, Some(earlier_ms)).await;
        assert_eq!(on.token(&token, NOW_MS + 1).await, Some(renewed(&token, NOW_MS + 1, EXPIRED_MS)));
    }
    assert_eq!(on.listed("alice", EXPIRED_MS - 1).await, [token.credential.id]);
}

pub async fn the_last_access_is_the_latest_in_any_order(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    let token = on.issue("alice", NOW_MS).await;
    let mut latest_ms = NOW_MS;
    for offset_ms in [5_000, 3_000, 5_000, 9_000, 8_999, 9_001] {
        on.touch(&token, NOW_MS + offset_ms, None).await;
        latest_ms = latest_ms.max(NOW_MS + offset_ms);
        assert_eq!(on.token(&token, NOW_MS + 9_001).await, Some(renewed(&token, latest_ms, EXPIRED_MS)));
    }
    on.touch(&token, NOW_MS - 1, None).await;
    let batch = [20_000, 10_000, 15_000].map(|offset_ms| touch(&token, NOW_MS + offset_ms, None));
    for _ in 0..2 {
        on.store.touch(&batch, NOW_MS + 20_000).await.unwrap();
        let expected = renewed(&token, NOW_MS + 20_000, EXPIRED_MS);
        assert_eq!(on.store.user_tokens("alice", NOW_MS + 20_000).await.unwrap(), [expected]);
    }
}

pub async fn an_ended_token_is_not_touched(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    let token = on.issue("alice", NOW_MS).await;
    on.store.change(token.credential.id, &TokenChange::ending(EndReason::Ended), NOW_MS + 10).await.unwrap();
    // Also not by an access that came before the end: what is dead stays as it was.
    for access_ms in [NOW_MS + 5, NOW_MS + 20] {
        on.touch(&token, access_ms, Some(access_ms + DAY_MS * 7)).await;
        assert_eq!(on.token(&token, NOW_MS + 20).await, Some(ended(&token, NOW_MS + 10)));
    }
    assert_eq!(on.listed("alice", NOW_MS + 10 + DAY_MS).await, []);
}

pub async fn an_access_after_the_expiry_does_nothing(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    let token = on.issue("alice", NOW_MS).await;
    on.touch(&token, EXPIRED_MS, Some(EXPIRED_MS + HOUR_MS)).await;
    assert_eq!(on.token(&token, EXPIRED_MS - 1).await.as_ref(), Some(&token));
    assert_eq!(on.token(&token, EXPIRED_MS).await, None);
}

pub async fn a_late_touch_renews_when_the_access_was_in_time(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    let token = on.issue("alice", NOW_MS).await;
    let access_ms = EXPIRED_MS - 1;
    let flush_ms = EXPIRED_MS + MINUTE_MS;
    on.store.touch(&[touch(&token, access_ms, Some(access_ms + HOUR_MS))], flush_ms).await.unwrap();
    let expected = renewed(&token, access_ms, access_ms + HOUR_MS);
    assert_eq!(on.token(&token, flush_ms).await, Some(expected));
    assert_eq!(on.listed("alice", flush_ms).await, [token.credential.id]);
}

pub async fn a_renewal_that_is_past_is_none(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    let token = on.issue("alice", NOW_MS).await;
    let access_ms = EXPIRED_MS - 1;
    let renew_to_ms = access_ms + HOUR_MS;
    for flush_ms in [renew_to_ms, renew_to_ms + 1] {
        on.store.touch(&[touch(&token, access_ms, Some(renew_to_ms))], flush_ms).await.unwrap();
        assert_eq!(on.token(&token, flush_ms).await, None);
    }
    let credential = on.credential(token.credential.id).await.unwrap();
    assert_eq!(credential.map(|c| c.expires_at_ms), Some(EXPIRED_MS));
}

pub async fn an_unknown_token_is_not_touched(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    let unknown = on.sample("alice", NOW_MS);
    on.touch(&unknown, NOW_MS, Some(NOW_MS + DAY_MS)).await;
    on.touch(&unknown, NOW_MS, None).await;
    on.store.touch(&[], NOW_MS).await.unwrap();
    assert_eq!(on.token(&unknown, NOW_MS).await, None);
    assert_eq!(on.credential(unknown.credential.id).await.unwrap(), None);
    assert!(on.ttls().is_empty());
}

pub async fn a_large_batch_is_written_whole(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    let mut tokens = Vec::new();
    for n in 0..300 {
        tokens.push(on.issue(&format!("user {}", n % 7), NOW_MS).await);
    }
    let access_ms = NOW_MS + MINUTE_MS;
    let touches: Vec<_> = tokens.iter().map(|t| touch(t, access_ms, Some(access_ms + HOUR_MS))).collect();
    on.store.touch(&touches, access_ms).await.unwrap();
    for token in &tokens {
        let expected = renewed(token, access_ms, access_ms + HOUR_MS);
        assert_eq!(on.token(token, access_ms).await, Some(expected));
    }
}
