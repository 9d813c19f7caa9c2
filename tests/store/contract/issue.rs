//! Issued tokens read back unchanged.

use doorward::internals::model::revoke_reason::RevokeReason;
use doorward::internals::model::token::RelatedObject;
use doorward::internals::model::token::Texts;
use doorward::internals::store::Rejection;
use doorward::{Token, TokenChange};

use crate::common::store::{HOUR_MS, NOW_MS, StoreKind, TestStore, detailed, edited, with_objects};

each_store! {
    an_issued_token_reads_back_whole,
    an_unknown_token_is_found_by_no_read,
    the_first_token_key_is_kept,
}

/// Returns tokens that differ from the sample in every field and reach every limit.
fn unusual_tokens(on: &TestStore) -> Vec<Token> {
    let users = [
        "ü".repeat(128),
        "a}b{c}:{}".into(),
        " spaces  in it ".into(),
        "@looks:like\"a'key*?[".into(),
        "1".into(),
    ];
    let mut tokens: Vec<_> = users.iter().map(|user| on.sample(user, NOW_MS)).collect();
    tokens.push(edited(on.sample("slug", NOW_MS), |c| {
        c.texts = c.texts.with_auth_slug(Some(&"_-".repeat(25)))
    }));
    tokens.push(edited(on.sample("backend", NOW_MS), |c| {
        c.texts = Texts::new("backend", None, Some(&"ë".repeat(127)), None)
    }));
    tokens.push(edited(on.sample("device", NOW_MS), |c| {
        c.texts = Texts::new("device", None, None, Some(&"0".repeat(32)))
    }));
    tokens.push(edited(on.sample("neither", NOW_MS), |c| {
        c.allowed_cookie = false;
        c.allowed_header = false;
    }));
    tokens.push(edited(on.sample("ten years", NOW_MS), |c| c.ends_at_ms = NOW_MS + 3660 * 24 * HOUR_MS));
    tokens.push(detailed(on.sample("long agent", NOW_MS), |d| d.user_agent = "é".repeat(256)));
    for (user, ip) in [("v6", "2001:db8:ffff:ffff:ffff:ffff:ffff:1"), ("mapped", "::ffff:192.0.2.1")] {
        tokens.push(detailed(on.sample(user, NOW_MS), |d| d.ip = ip.parse().unwrap()));
    }
    tokens.push(detailed(on.sample("preserved", NOW_MS), |d| d.expiration = false));
    let related_objects = (0..16)
        .map(|n| RelatedObject { content_type: format!("{n:0>100}"), object_id: format!("{n:0>255}") })
        .collect();
    tokens.push(with_objects(on.sample("related", NOW_MS), related_objects));
    tokens
}

async fn an_issued_token_reads_back_whole(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    let mut tokens = unusual_tokens(&on);
    tokens.push(on.sample("plain", NOW_MS));
    for token in &tokens {
        assert_eq!(on.keep(token, NOW_MS).await, []);
    }
    for token in &tokens {
        let user = token.record.user();
        assert_eq!(on.token(token, NOW_MS).await.as_ref(), Some(token));
        assert_eq!(on.record(token.record.id).await.unwrap().as_ref(), Some(&token.record));
        assert_eq!(on.store.user_tokens(user, NOW_MS).await.unwrap(), std::slice::from_ref(token));
    }
}

async fn an_unknown_token_is_found_by_no_read(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    let unknown = on.sample("alice", NOW_MS);
    let id = unknown.record.id;
    assert_eq!(on.token(&unknown, NOW_MS).await, None);
    assert_eq!(on.record(id).await.unwrap(), None);
    assert_eq!(
        on.store.change(id, &TokenChange::revoking(RevokeReason::Ended), NOW_MS).await.unwrap(),
        Err(Rejection::NotFound)
    );
    assert_eq!(on.store.user_tokens("alice", NOW_MS).await.unwrap(), []);
    assert_eq!(on.store.revoke_user_tokens("alice", Some(id), NOW_MS).await.unwrap(), []);
    assert!(on.ttls().is_empty(), "asking leaves nothing behind");
}

async fn the_first_token_key_is_kept(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    for proposed in ["first", "second", "first", "third"] {
        assert_eq!(on.store.shared_token_key(proposed).await.unwrap(), "first");
    }
}
