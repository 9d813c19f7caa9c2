//! Changes of a token: each changes the named fields only.

use doorward::internals::model::revoke_reason::RevokeReason;
use doorward::internals::store::Rejection;
use doorward::{Token, TokenChange};

use crate::common::store::{HOUR_MS, MINUTE_MS, NOW_MS, StoreKind, TestStore, detailed, edited, revoked_at};

each_store! {
    the_slug_is_set_and_cleared,
    the_flags_change_one_by_one,
    a_change_can_revoke_the_token,
    an_unknown_or_expired_token_is_not_found,
}

/// Changes a token and asserts that the answer, the listing and both reads agree.
async fn assert_change(on: &TestStore, change: &TokenChange, expected: &Token) {
    let id = expected.record.id;
    let changed = on.store.change(id, change, NOW_MS + 1).await.unwrap();
    assert_eq!(changed, Ok(expected.clone()), "{change:?}");
    assert_eq!(on.token(expected, NOW_MS + 1).await.as_ref(), Some(expected));
    assert_eq!(on.record(id).await.unwrap().as_ref(), Some(&expected.record));
    let listed = on.store.user_tokens(expected.record.user(), NOW_MS + 1).await.unwrap();
    assert_eq!(listed, std::slice::from_ref(expected));
}

async fn the_slug_is_set_and_cleared(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    let mut token = on.issue("alice", NOW_MS).await;
    // The scripts use `=` and `-` as markers; a slug may look like one.
    for slug in [Some("staff"), Some("-a"), Some("_"), None, None, Some("last")] {
        let slug = slug.map(str::to_owned);
        token = edited(token, |c| c.texts = c.texts.with_auth_slug(slug.as_deref()));
        let change = TokenChange { auth_slug: Some(slug), ..TokenChange::default() };
        assert_change(&on, &change, &token).await;
        assert_change(&on, &TokenChange::default(), &token).await;
    }
}

async fn the_flags_change_one_by_one(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    let mut token = detailed(on.sample("alice", NOW_MS), |d| d.expiration = false);
    on.store.issue(&token, NOW_MS).await.unwrap().unwrap();
    for (cookie, header) in [
        (Some(false), None),
        (None, Some(false)),
        (Some(true), None),
        (Some(false), Some(true)),
        (Some(true), Some(true)),
        (Some(true), Some(true)),
        (None, None),
    ] {
        token = edited(token, |c| {
            c.allowed_cookie = cookie.unwrap_or(c.allowed_cookie);
            c.allowed_header = header.unwrap_or(c.allowed_header);
        });
        let change = TokenChange { allowed_cookie: cookie, allowed_header: header, ..TokenChange::default() };
        assert_change(&on, &change, &token).await;
    }
}

async fn a_change_can_revoke_the_token(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    let token = on.issue("alice", NOW_MS).await;
    let change = TokenChange {
        auth_slug: Some(Some("gone".into())),
        allowed_cookie: Some(false),
        allowed_header: None,
        revoke: Some(RevokeReason::Ended),
        ..TokenChange::default()
    };
    let expected = edited(revoked_at(&token, NOW_MS + 1), |c| {
        c.texts = c.texts.with_auth_slug(Some("gone"));
        c.allowed_cookie = false;
    });
    assert_change(&on, &change, &expected).await;
}

async fn an_unknown_or_expired_token_is_not_found(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    let expired = on.issue("alice", NOW_MS).await;
    let live = on.issue_idle("alice", 2 * HOUR_MS, NOW_MS).await;
    let at_ms = NOW_MS + HOUR_MS;
    for token in [&expired, &on.sample("alice", NOW_MS)] {
        for change in [TokenChange::default(), TokenChange::revoking(RevokeReason::Ended)] {
            let changed = on.store.change(token.record.id, &change, at_ms).await.unwrap();
            assert_eq!(changed, Err(Rejection::NotFound));
        }
    }
    assert_eq!(on.listed("alice", at_ms + MINUTE_MS).await, [live.record.id], "the other one is untouched");
}
