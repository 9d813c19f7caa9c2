//! When a token is live, and how long it is shown.

use doorward::TokenChange;
use doorward::internals::model::revoke_reason::RevokeReason;
use doorward::internals::store::Rejection;

use crate::common::store::{DAY_MS, HOUR_MS, NOW_MS, StoreKind, TestStore, revoked_at, touch};

each_store! {
    a_token_expires_at_its_millisecond,
    a_revoked_token_is_shown_until_its_retention,
    revoking_a_revoked_token_changes_nothing,
    a_token_not_found_by_a_change_never_reappears,
    a_token_missed_by_a_revocation_of_all_never_reappears,
}

const EXPIRED_MS: u64 = NOW_MS + HOUR_MS;

async fn a_token_expires_at_its_millisecond(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    let token = on.issue("alice", NOW_MS).await;
    assert_eq!(on.token(&token, EXPIRED_MS - 1).await.as_ref(), Some(&token));
    assert_eq!(on.listed("alice", EXPIRED_MS - 1).await, [token.record.id]);
    // Redis keeps the record for another hour, but the given clock decides.
    assert_eq!(on.token(&token, EXPIRED_MS).await, None);
    assert_eq!(on.listed("alice", EXPIRED_MS).await, []);
    assert_eq!(on.store.revoke_user_tokens("alice", None, EXPIRED_MS).await.unwrap(), []);
}

async fn a_revoked_token_is_shown_until_its_retention(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    let token = on.issue("alice", NOW_MS).await;
    let id = token.record.id;
    let end_ms = NOW_MS + 5;
    let after = revoked_at(&token, end_ms);
    let changed = on.store.change(id, &TokenChange::revoking(RevokeReason::Ended), end_ms).await.unwrap();
    assert_eq!(changed, Ok(after.clone()));
    assert_eq!(on.record(id).await.unwrap().as_ref(), Some(&after.record));

    // Longer than its lifetime.
    let last_ms = end_ms + DAY_MS - 1;
    assert_eq!(on.token(&token, last_ms).await, Some(after));
    assert_eq!(on.listed("alice", last_ms).await, [id]);
    assert_eq!(on.token(&token, last_ms + 1).await, None);
    assert_eq!(on.listed("alice", last_ms + 1).await, []);
    let changed =
        on.store.change(id, &TokenChange::revoking(RevokeReason::Ended), last_ms + 1).await.unwrap();
    assert_eq!(changed, Err(Rejection::NotFound));
}

async fn revoking_a_revoked_token_changes_nothing(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    let token = on.issue("alice", NOW_MS).await;
    let id = token.record.id;
    on.store.change(id, &TokenChange::revoking(RevokeReason::Ended), NOW_MS + 1).await.unwrap().unwrap();
    let after = revoked_at(&token, NOW_MS + 1);
    let edit = TokenChange {
        auth_slug: Some(Some("other".into())),
        allowed_cookie: Some(false),
        allowed_header: Some(false),
        revoke: Some(RevokeReason::Ended),
        ..TokenChange::default()
    };
    for (change, outcome) in [
        (TokenChange::revoking(RevokeReason::Ended), Ok(after.clone())),
        (edit, Err(Rejection::Revoked)),
        (TokenChange::default(), Ok(after.clone())),
    ] {
        assert_eq!(on.store.change(id, &change, NOW_MS + 2).await.unwrap(), outcome);
    }
    assert_eq!(on.token(&token, NOW_MS + 2).await, Some(after));
}

async fn a_token_not_found_by_a_change_never_reappears(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    let token = on.issue("alice", NOW_MS).await;
    let id = token.record.id;
    let changed = on.store.change(id, &TokenChange::revoking(RevokeReason::Ended), EXPIRED_MS).await.unwrap();
    assert_eq!(changed, Err(Rejection::NotFound));
    // An access in the token's last minute that another node writes only now.
    let late = touch(&token, EXPIRED_MS - 1, Some(EXPIRED_MS - 1 + HOUR_MS));
    on.store.touch(&[late], EXPIRED_MS + 1).await.unwrap();
    assert_eq!(on.token(&token, EXPIRED_MS + 1).await, None);
    assert_eq!(on.record(id).await.unwrap(), None);
    assert!(on.ttls().keys().all(|key| key.contains(":e:")), "only events are left");
}

async fn a_token_missed_by_a_revocation_of_all_never_reappears(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    let token = on.issue("alice", NOW_MS).await;
    assert_eq!(on.store.revoke_user_tokens("alice", None, EXPIRED_MS).await.unwrap(), []);
    let late = touch(&token, EXPIRED_MS - 1, Some(EXPIRED_MS - 1 + HOUR_MS));
    on.store.touch(&[late], EXPIRED_MS + 1).await.unwrap();
    assert_eq!(on.token(&token, EXPIRED_MS + 1).await, None);
    assert_eq!(on.record(token.record.id).await.unwrap(), None);
    assert!(on.ttls().keys().all(|key| key.contains(":e:")), "only events are left");
}
