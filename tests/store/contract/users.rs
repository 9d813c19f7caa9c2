//! All tokens of a user: listing, revocation and the limit.

use std::cmp::Reverse;

use doorward::Token;
use doorward::internals::model::revoke_reason::RevokeReason;
use doorward::internals::model::token::Revocation;
use doorward::internals::store::{Rejection, StoreLimits};
use doorward::internals::token_string::TokenId;
use doorward::internals::values::OverLimit;

use crate::common::store::{
    DAY_MS, HOUR_MS, LIMITS, NOW_MS, StoreKind, TestStore, keep, revoked_at, users_of_one_shard, with_idle,
};

each_store! {
    tokens_are_listed_newest_first_then_by_id,
    a_listing_shows_revoked_but_not_expired_tokens,
    all_tokens_of_a_user_are_revoked_at_once,
    the_kept_token_is_not_revoked,
    keeping_a_token_of_another_user_keeps_nothing,
    users_of_one_shard_are_separate,
    the_oldest_token_makes_room,
    the_revoked_tokens_of_a_user_are_limited,
    concurrent_logins_respect_the_limit,
    a_token_above_the_limit_can_be_refused,
}

fn sorted(mut ids: Vec<TokenId>) -> Vec<TokenId> {
    ids.sort_unstable();
    ids
}

async fn tokens_are_listed_newest_first_then_by_id(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    let mut issued = Vec::new();
    for n in 0..24 {
        // Four tokens at each time, out of order; their lifetimes do not matter.
        let created_ms = NOW_MS + (n * 7) % 6;
        let token = on.issue_idle("alice", HOUR_MS + (n * 5) % 11, created_ms).await;
        issued.push((Reverse(created_ms), token.record.id.to_string()));
    }
    issued.sort_unstable();
    let listed: Vec<_> = on.listed("alice", NOW_MS + 10).await.iter().map(TokenId::to_string).collect();
    assert_eq!(listed, issued.into_iter().map(|(_, id)| id).collect::<Vec<_>>());
}

async fn a_listing_shows_revoked_but_not_expired_tokens(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    let expired = on.issue("alice", NOW_MS).await;
    let live = on.issue_idle("alice", 3 * HOUR_MS, NOW_MS + 1).await;
    let dead = on.issue("alice", NOW_MS + 2).await;
    on.revoke(&dead, NOW_MS + 3).await;
    let all = [revoked_at(&dead, NOW_MS + 3), live, expired];
    assert_eq!(on.store.user_tokens("alice", NOW_MS + 3).await.unwrap(), all);
    assert_eq!(on.store.user_tokens("alice", NOW_MS + HOUR_MS).await.unwrap(), all[..2]);
}

async fn all_tokens_of_a_user_are_revoked_at_once(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    let mut live = Vec::new();
    for n in 0..5 {
        live.push(on.issue("alice", NOW_MS + n).await.record.id);
    }
    let other = on.issue("bob", NOW_MS).await;
    let dead = on.issue("alice", NOW_MS).await;
    on.revoke(&dead, NOW_MS + 6).await;

    let ended_ids = on.store.revoke_user_tokens("alice", None, NOW_MS + 7).await.unwrap();
    assert_eq!(sorted(ended_ids), sorted(live.clone()));
    assert_eq!(on.store.revoke_user_tokens("alice", None, NOW_MS + 8).await.unwrap(), []);
    for token in on.store.user_tokens("alice", NOW_MS + 8).await.unwrap() {
        let revoked_at_ms = if token.record.id == dead.record.id { NOW_MS + 6 } else { NOW_MS + 7 };
        assert_eq!((token.record.is_active, token.revoked.map(|r| r.at_ms)), (false, Some(revoked_at_ms)));
        let record = on.record(token.record.id).await.unwrap();
        assert_eq!(record, Some(token.record));
    }
    assert_eq!(on.listed("alice", NOW_MS + 7 + DAY_MS).await, []);
    assert_eq!(on.token(&other, NOW_MS + 8).await.as_ref(), Some(&other));
}

async fn the_kept_token_is_not_revoked(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    let spared = on.issue("alice", NOW_MS).await;
    let gone = on.issue("alice", NOW_MS).await;
    let except = Some(spared.record.id);
    assert_eq!(on.store.revoke_user_tokens("alice", except, NOW_MS).await.unwrap(), [gone.record.id]);
    assert_eq!(on.store.revoke_user_tokens("alice", except, NOW_MS).await.unwrap(), []);
    assert_eq!(on.token(&spared, NOW_MS).await.as_ref(), Some(&spared));
    assert_eq!(on.store.revoke_user_tokens("alice", None, NOW_MS).await.unwrap(), [spared.record.id]);
}

async fn keeping_a_token_of_another_user_keeps_nothing(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    let (alice, bob) = users_of_one_shard();
    for other in ["somebody else", bob.as_str()] {
        let hers = on.issue(&alice, NOW_MS).await;
        let his = on.issue(other, NOW_MS).await;
        let ended_ids = on.store.revoke_user_tokens(&alice, Some(his.record.id), NOW_MS).await.unwrap();
        assert_eq!(ended_ids, [hers.record.id]);
        assert_eq!(on.token(&his, NOW_MS).await.as_ref(), Some(&his));
    }
}

async fn users_of_one_shard_are_separate(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    let (alice, bob) = users_of_one_shard();
    let hers = on.issue(&alice, NOW_MS).await;
    let his = on.issue(&bob, NOW_MS).await;
    assert_eq!(hers.record.id.hash_tag(), his.record.id.hash_tag());
    assert_eq!(on.listed(&alice, NOW_MS).await, [hers.record.id]);
    assert_eq!(on.store.revoke_user_tokens(&alice, None, NOW_MS).await.unwrap(), [hers.record.id]);
    assert_eq!(on.store.user_tokens(&bob, NOW_MS).await.unwrap(), [his]);
}

async fn the_oldest_token_makes_room(kind: StoreKind) {
    let on = TestStore::open_with(kind, StoreLimits { max_tokens_per_user: 3, ..LIMITS }).await;
    // The oldest token lives longest: age counts, not expiry.
    let oldest = on.issue_idle("alice", 5 * HOUR_MS, NOW_MS).await;
    let second = on.issue_idle("alice", 4 * HOUR_MS, NOW_MS + 1).await;
    on.issue("alice", NOW_MS + 2).await;
    let others = on.issue("bob", NOW_MS).await;
    for (at_ms, made_room) in [(NOW_MS + 3, &oldest), (NOW_MS + 4, &second)] {
        let token = on.sample("alice", at_ms);
        assert_eq!(on.keep(&token, at_ms).await, [made_room.record.id]);
        let revoked = Some(Revocation { at_ms, reason: Some(RevokeReason::Limit) });
        assert_eq!(on.token(made_room, at_ms).await, Some(Token { revoked, ..revoked_at(made_room, at_ms) }));
    }
    assert_eq!(on.token(&others, NOW_MS + 4).await.as_ref(), Some(&others));

    // Expired and revoked tokens do not count.
    let later_ms = NOW_MS + 3 * HOUR_MS;
    for _ in 0..3 {
        on.issue("alice", later_ms).await;
    }
    on.store.revoke_user_tokens("alice", None, later_ms).await.unwrap();
    on.issue("alice", later_ms).await;
}

async fn the_revoked_tokens_of_a_user_are_limited(kind: StoreKind) {
    let on = TestStore::open_with(kind, StoreLimits { max_tokens_per_user: 3, ..LIMITS }).await;
    let mut issued = Vec::new();
    for n in 0..10 {
        let token = with_idle(on.sample("alice", NOW_MS + n), HOUR_MS - n);
        on.store.issue(&token, NOW_MS + n).await.unwrap().unwrap();
        issued.push(token);
    }
    // The last three are live, the three revoked last are shown, the others are pruned.
    let shown: Vec<_> = issued.iter().rev().take(6).map(|token| token.record.id).collect();
    assert_eq!(on.listed("alice", NOW_MS + 10).await, shown);
    for (n, token) in issued.iter().enumerate() {
        assert_eq!(on.record(token.record.id).await.unwrap().is_some(), n >= 4, "{n}");
    }
}

async fn concurrent_logins_respect_the_limit(kind: StoreKind) {
    let on = TestStore::open_with(kind, StoreLimits { max_tokens_per_user: 5, ..LIMITS }).await;
    let logins: Vec<_> = (0..40)
        .map(|n| {
            let (store, token) = (on.store.clone(), on.sample("alice", NOW_MS + n));
            tokio::spawn(async move { keep(&store, &token, NOW_MS + 100).await.len() })
        })
        .collect();
    let mut made_room = 0;
    for login in logins {
        made_room += login.await.unwrap();
    }
    assert_eq!(made_room, 35);
    let tokens = on.store.user_tokens("alice", NOW_MS + 100).await.unwrap();
    let live = tokens.iter().filter(|token| token.record.is_active).count();
    assert_eq!((live, tokens.len()), (5, 10));
}

async fn a_token_above_the_limit_can_be_refused(kind: StoreKind) {
    let limits = StoreLimits { max_tokens_per_user: 2, over_limit: OverLimit::RefuseNew, ..LIMITS };
    let on = TestStore::open_with(kind, limits).await;
    let first = on.issue("alice", NOW_MS).await;
    on.issue("alice", NOW_MS + 1).await;
    let surplus = on.sample("alice", NOW_MS + 2);
    assert_eq!(on.store.issue(&surplus, NOW_MS + 2).await.unwrap(), Err(Rejection::TooManyTokens));
    assert_eq!(on.record(surplus.record.id).await.unwrap(), None);
    assert_eq!(on.listed("alice", NOW_MS + 2).await.len(), 2);
    // Revoked tokens do not count.
    on.revoke(&first, NOW_MS + 3).await;
    on.issue("alice", NOW_MS + 3).await;
}
