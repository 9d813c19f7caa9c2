//! Accesses: the last one is kept, a renewal extends the token, and no dead token is revived.

use doorward::internals::model::revoke_reason::RevokeReason;
use doorward::internals::model::token::{RelatedObject, Renewal, Touch};
use doorward::internals::store::{Rejection, StoreLimits};
use doorward::{Token, TokenChange};

use crate::common::store::{
    DAY_MS, HOUR_MS, LIMITS, MINUTE_MS, NOW_MS, StoreKind, TestStore, edited, revoked_at, touch, with_objects,
};

each_store! {
    each_renewal_extends_the_last,
    a_renewal_never_shortens,
    the_latest_access_wins_in_any_order,
    a_revoked_token_is_not_touched,
    an_access_after_the_expiry_does_nothing,
    a_late_write_of_a_timely_access_renews,
    a_renewal_that_has_passed_is_ignored,
    an_unknown_token_is_not_touched,
    a_large_batch_is_written_whole,
    a_chain_of_accesses_renews_after_the_expiry,
    a_chain_of_accesses_never_revives_a_revoked_token,
    revoking_other_tokens_spares_one_awaiting_renewal,
    an_expired_token_is_purged_after_the_grace,
    an_expired_token_does_not_count_as_live,
}

const EXPIRED_MS: u64 = NOW_MS + HOUR_MS;

fn renewed(token: &Token, access_ms: u64, expires_at_ms: u64) -> Token {
    Token { last_access_ms: access_ms, ..edited(token.clone(), |c| c.expires_at_ms = expires_at_ms) }
}

async fn each_renewal_extends_the_last(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    let token = on.issue("alice", NOW_MS).await;
    for step in 1..=100 {
        let access_ms = NOW_MS + step * 59 * MINUTE_MS;
        on.touch(&token, access_ms, Some(access_ms + HOUR_MS)).await;
        let expected = renewed(&token, access_ms, access_ms + HOUR_MS);
        assert_eq!(on.token(&token, access_ms).await.as_ref(), Some(&expected));
        let record = on.record(token.record.id).await.unwrap().unwrap();
        assert_eq!(record, expected.record);
        assert_eq!(on.listed("alice", access_ms + HOUR_MS - 1).await, [token.record.id]);
        assert_eq!(on.listed("alice", access_ms + HOUR_MS).await, []);
    }
}

async fn a_renewal_never_shortens(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    let token = on.issue("alice", NOW_MS).await;
    for earlier_ms in [EXPIRED_MS, EXPIRED_MS - 1, NOW_MS + 2, NOW_MS, 0] {
        on.touch(&token, NOW_MS + 1, Some(earlier_ms)).await;
        assert_eq!(on.token(&token, NOW_MS + 1).await, Some(renewed(&token, NOW_MS + 1, EXPIRED_MS)));
    }
    assert_eq!(on.listed("alice", EXPIRED_MS - 1).await, [token.record.id]);
}

async fn the_latest_access_wins_in_any_order(kind: StoreKind) {
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

async fn a_revoked_token_is_not_touched(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    let token = on.issue("alice", NOW_MS).await;
    on.revoke(&token, NOW_MS + 10).await;
    // Not even by an access before the revocation: a revoked token does not change.
    for access_ms in [NOW_MS + 5, NOW_MS + 20] {
        on.touch(&token, access_ms, Some(access_ms + DAY_MS * 7)).await;
        assert_eq!(on.token(&token, NOW_MS + 20).await, Some(revoked_at(&token, NOW_MS + 10)));
    }
    assert_eq!(on.listed("alice", NOW_MS + 10 + DAY_MS).await, []);
}

async fn an_access_after_the_expiry_does_nothing(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    let token = on.issue("alice", NOW_MS).await;
    on.touch(&token, EXPIRED_MS, Some(EXPIRED_MS + HOUR_MS)).await;
    assert_eq!(on.token(&token, EXPIRED_MS - 1).await.as_ref(), Some(&token));
    assert_eq!(on.token(&token, EXPIRED_MS).await, None);
}

async fn a_late_write_of_a_timely_access_renews(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    let token = on.issue("alice", NOW_MS).await;
    let access_ms = EXPIRED_MS - 1;
    let flush_ms = EXPIRED_MS + MINUTE_MS;
    on.store.touch(&[touch(&token, access_ms, Some(access_ms + HOUR_MS))], flush_ms).await.unwrap();
    let expected = renewed(&token, access_ms, access_ms + HOUR_MS);
    assert_eq!(on.token(&token, flush_ms).await, Some(expected));
    assert_eq!(on.listed("alice", flush_ms).await, [token.record.id]);
}

async fn a_renewal_that_has_passed_is_ignored(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    let token = on.issue("alice", NOW_MS).await;
    let access_ms = EXPIRED_MS - 1;
    let renew_to_ms = access_ms + HOUR_MS;
    for flush_ms in [renew_to_ms, renew_to_ms + 1] {
        on.store.touch(&[touch(&token, access_ms, Some(renew_to_ms))], flush_ms).await.unwrap();
        assert_eq!(on.token(&token, flush_ms).await, None);
    }
    let record = on.record(token.record.id).await.unwrap();
    assert_eq!(record.map(|c| c.expires_at_ms), Some(EXPIRED_MS));
}

async fn an_unknown_token_is_not_touched(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    let unknown = on.sample("alice", NOW_MS);
    on.touch(&unknown, NOW_MS, Some(NOW_MS + DAY_MS)).await;
    on.touch(&unknown, NOW_MS, None).await;
    on.store.touch(&[], NOW_MS).await.unwrap();
    assert_eq!(on.token(&unknown, NOW_MS).await, None);
    assert_eq!(on.record(unknown.record.id).await.unwrap(), None);
    assert!(on.ttls().is_empty());
}

async fn a_large_batch_is_written_whole(kind: StoreKind) {
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

/// The longest outage to survive.
const GRACE_MS: u64 = 30 * MINUTE_MS;
const WITH_GRACE: StoreLimits = StoreLimits { stale_grace_ms: GRACE_MS, ..LIMITS };

/// Returns the accesses of an outage: the first at `from_ms`, the last at `access_ms`.
fn chain(token: &Token, from_ms: u64, access_ms: u64) -> Touch {
    let renewal = Renewal { from_ms, to_ms: access_ms + HOUR_MS };
    Touch { renewal: Some(renewal), ..touch(token, access_ms, None) }
}

async fn a_chain_of_accesses_renews_after_the_expiry(kind: StoreKind) {
    let on = TestStore::open_with(kind, WITH_GRACE).await;
    let token = on.issue("alice", NOW_MS).await;
    let (access_ms, back_ms) = (EXPIRED_MS + 9 * MINUTE_MS, EXPIRED_MS + 10 * MINUTE_MS);
    // Meanwhile, no read finds the token.
    assert_eq!(on.token(&token, back_ms).await, None);
    assert_eq!(on.listed("alice", back_ms).await, []);
    let edit = TokenChange { auth_slug: Some(Some("a".into())), ..TokenChange::default() };
    assert_eq!(on.store.change(token.record.id, &edit, back_ms).await.unwrap(), Err(Rejection::NotFound));

    // The first access came too late.
    on.store.touch(&[chain(&token, EXPIRED_MS, access_ms)], back_ms).await.unwrap();
    assert_eq!(on.token(&token, back_ms).await, None);
    // All its renewals have passed.
    on.store.touch(&[chain(&token, EXPIRED_MS - 1, back_ms - HOUR_MS)], back_ms).await.unwrap();
    assert_eq!(on.token(&token, back_ms).await, None);

    on.store.touch(&[chain(&token, EXPIRED_MS - 1, access_ms)], back_ms).await.unwrap();
    let expected = renewed(&token, access_ms, access_ms + HOUR_MS);
    assert_eq!(on.token(&token, back_ms).await, Some(expected));
    assert_eq!(on.listed("alice", back_ms).await, [token.record.id]);
}

async fn a_chain_of_accesses_never_revives_a_revoked_token(kind: StoreKind) {
    let object = RelatedObject { content_type: "order".into(), object_id: "7".into() };
    for ending in ["before the expiry", "one", "all", "by object"] {
        let on = TestStore::open_with(kind, WITH_GRACE).await;
        let token = with_objects(on.sample("alice", NOW_MS), vec![object.clone()]);
        on.keep(&token, NOW_MS).await;
        let (end, id) = (TokenChange::revoking(RevokeReason::Ended), token.record.id);
        let late_ms = EXPIRED_MS + MINUTE_MS;
        match ending {
            "before the expiry" => drop(on.store.change(id, &end, EXPIRED_MS - 1).await.unwrap()),
            "one" => assert_eq!(on.store.change(id, &end, late_ms).await.unwrap(), Err(Rejection::NotFound)),
            "all" => assert_eq!(on.store.revoke_user_tokens("alice", None, late_ms).await.unwrap(), []),
            _ => assert_eq!(on.store.revoke_object_tokens(&object, late_ms).await.unwrap(), []),
        }
        let back_ms = late_ms + MINUTE_MS;
        on.store.touch(&[chain(&token, EXPIRED_MS - 2, late_ms)], back_ms).await.unwrap();
        let active = on.record(id).await.unwrap().filter(|record| record.is_active);
        assert_eq!(active, None, "{ending}");
    }
}

async fn revoking_other_tokens_spares_one_awaiting_renewal(kind: StoreKind) {
    let on = TestStore::open_with(kind, WITH_GRACE).await;
    let token = on.issue("alice", NOW_MS).await;
    let id = token.record.id;
    on.store.revoke_user_tokens("alice", Some(id), EXPIRED_MS).await.unwrap();
    let object = RelatedObject { content_type: "order".into(), object_id: "7".into() };
    on.store.revoke_object_tokens(&object, EXPIRED_MS).await.unwrap();
    on.store.touch(&[chain(&token, NOW_MS, EXPIRED_MS)], EXPIRED_MS + 1).await.unwrap();
    assert_eq!(on.listed("alice", EXPIRED_MS + 1).await, [id]);
}

async fn an_expired_token_is_purged_after_the_grace(kind: StoreKind) {
    let on = TestStore::open_with(kind, WITH_GRACE).await;
    let token = on.issue("alice", NOW_MS).await;
    for (late_ms, is_kept) in [(GRACE_MS - 1, true), (GRACE_MS, false)] {
        let now_ms = EXPIRED_MS + late_ms;
        let changed = on.store.change(token.record.id, &TokenChange::default(), now_ms).await.unwrap();
        assert_eq!(changed, Err(Rejection::NotFound));
        assert_eq!(on.record(token.record.id).await.unwrap().is_some(), is_kept);
    }
}

async fn an_expired_token_does_not_count_as_live(kind: StoreKind) {
    let limits = StoreLimits { max_tokens_per_user: 2, ..WITH_GRACE };
    let on = TestStore::open_with(kind, limits).await;
    on.issue("alice", NOW_MS).await;
    let live = [on.issue_idle("alice", 3 * HOUR_MS, NOW_MS + 1).await, on.sample("alice", EXPIRED_MS)];
    assert_eq!(on.keep(&live[1], EXPIRED_MS).await, []);
    assert_eq!(on.listed("alice", EXPIRED_MS).await, [live[1].record.id, live[0].record.id]);
}
