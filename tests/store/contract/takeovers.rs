//! Takeovers: a token that acts as another user.

use doorward::internals::model::revoke_reason::RevokeReason;
use doorward::internals::model::takeover::{
    ActiveTakeover, EndedTakeover, MAX_TAKEOVERS_PER_TOKEN, NewTakeover, Takeover,
};
use doorward::internals::model::token::{Bars, Rotation};
use doorward::internals::store::Rejection;
use doorward::internals::store::StoreLimits;
use doorward::internals::token_string;
use doorward::internals::token_string::TokenId;
use doorward::{Token, TokenChange};

use crate::common::store::{DAY_MS, HOUR_MS, LIMITS, MINUTE_MS, NOW_MS, StoreKind, TestStore, edited};

each_store! {
    a_taken_over_token_keeps_its_owner,
    a_new_takeover_replaces_the_current_one,
    a_refused_takeover_changes_nothing,
    a_takeover_ends_when_its_token_is_revoked,
    a_takeover_ends_at_its_limit_or_its_tokens_expiry,
    a_takeover_never_ends_before_it_began,
    an_ended_takeover_is_shown_until_its_retention,
    only_the_newest_takeovers_of_a_token_are_kept,
}

fn new(on: &TestStore, token: &Token, user: &str, ends_at_ms: u64) -> NewTakeover {
    let token = token.record.id;
    let id = token_string::new_id(token.hash_tag(), on.entropy()).unwrap();
    NewTakeover { id, token, user: user.into(), reason: Some("a ticket".into()), ends_at_ms }
}

/// Returns the takeover as it is shown while active.
fn running(new: &NewTakeover, actor: &str, created_at_ms: u64) -> Takeover {
    let NewTakeover { id, token, user, reason, ends_at_ms } = new.clone();
    Takeover { id, token, actor: actor.into(), user, reason, created_at_ms, ends_at_ms, ended_at_ms: None }
}

fn over(takeover: Takeover, ended_at_ms: u64) -> Takeover {
    Takeover { ended_at_ms: Some(ended_at_ms), ..takeover }
}

/// Starts a takeover, which must succeed.
async fn start(on: &TestStore, new: &NewTakeover, now_ms: u64) -> Takeover {
    on.store.start_takeover(new, now_ms).await.unwrap().unwrap()
}

async fn of_token(on: &TestStore, token: &Token, now_ms: u64) -> Vec<Takeover> {
    on.store.token_takeovers(token.record.id, now_ms).await.unwrap()
}

async fn of_user(on: &TestStore, user: &str, now_ms: u64) -> Vec<Takeover> {
    on.store.user_takeovers(user, now_ms).await.unwrap()
}

async fn active(on: &TestStore, token: &Token) -> Option<ActiveTakeover> {
    let record = on.record(token.record.id).await.unwrap().unwrap();
    record.takeover.as_deref().cloned()
}

async fn a_taken_over_token_keeps_its_owner(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    let token = on.issue("alice", NOW_MS).await;
    let new = new(&on, &token, "bob", NOW_MS + DAY_MS);
    let expected = running(&new, "alice", NOW_MS + 1);
    assert_eq!(start(&on, &new, NOW_MS + 1).await, expected);

    let NewTakeover { id, user, reason, ends_at_ms, .. } = new.clone();
    let acting = ActiveTakeover { id, user, reason, created_at_ms: NOW_MS + 1, ends_at_ms };
    assert_eq!(active(&on, &token).await, Some(acting.clone()));
    let shown = on.token(&token, NOW_MS + 1).await.unwrap();
    assert_eq!(shown, edited(token.clone(), |c| c.takeover = Some(Box::new(acting))));
    assert_eq!(of_token(&on, &token, NOW_MS + 1).await, std::slice::from_ref(&expected));
    assert_eq!(of_user(&on, "bob", NOW_MS + 1).await, std::slice::from_ref(&expected));
    assert_eq!(of_user(&on, "alice", NOW_MS + 1).await, []);

    let id = token.record.id;
    let ended = EndedTakeover { id: new.id, actor: "alice".into(), user: "bob".into() };
    assert_eq!(on.store.end_takeover(id, RevokeReason::Ended, NOW_MS + 2).await.unwrap(), Some(ended));
    assert_eq!(on.store.end_takeover(id, RevokeReason::Ended, NOW_MS + 3).await.unwrap(), None);
    assert_eq!(on.token(&token, NOW_MS + 3).await.as_ref(), Some(&token));
    let expected = over(expected, NOW_MS + 2);
    assert_eq!(of_token(&on, &token, NOW_MS + 3).await, std::slice::from_ref(&expected));
    assert_eq!(of_user(&on, "bob", NOW_MS + 3).await, [expected]);
}

async fn a_new_takeover_replaces_the_current_one(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    let token = on.issue("alice", NOW_MS).await;
    let first = new(&on, &token, "bob", NOW_MS + DAY_MS);
    let second = new(&on, &token, "carol", NOW_MS + DAY_MS);
    let first = over(start(&on, &first, NOW_MS).await, NOW_MS + 1);
    let second = start(&on, &second, NOW_MS + 1).await;
    assert_eq!(second.actor, "alice", "the actor stays the owner");
    assert_eq!(of_token(&on, &token, NOW_MS + 1).await, [second.clone(), first.clone()]);
    assert_eq!(of_user(&on, "bob", NOW_MS + 1).await, [first]);
    assert_eq!(of_user(&on, "carol", NOW_MS + 1).await, [second]);
}

async fn a_refused_takeover_changes_nothing(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    let token = on.issue("alice", NOW_MS).await;
    let pending = edited(on.sample("alice", NOW_MS), |c| c.bars = Bars::PENDING);
    on.keep(&pending, NOW_MS).await;
    let gone = on.issue("alice", NOW_MS).await;
    on.revoke(&gone, NOW_MS).await;
    let unknown = on.sample("alice", NOW_MS);
    for (on_token, user, at_ms, expected) in [
        (&token, "alice", NOW_MS, Err(Rejection::OwnUser)),
        (&pending, "bob", NOW_MS, Err(Rejection::Pending)),
        (&gone, "bob", NOW_MS, Err(Rejection::Revoked)),
        (&unknown, "bob", NOW_MS, Err(Rejection::NotFound)),
        (&token, "bob", NOW_MS + HOUR_MS, Err(Rejection::NotFound)),
    ] {
        let new = new(&on, on_token, user, at_ms + DAY_MS);
        assert_eq!(on.store.start_takeover(&new, at_ms).await.unwrap(), expected);
        assert_eq!(of_token(&on, on_token, at_ms).await, []);
        assert_eq!(of_user(&on, user, at_ms).await, []);
    }
    assert!(!on.ttls().keys().any(|key| key.contains("v:{")), "no index entry names a refused takeover");
}

async fn a_takeover_ends_when_its_token_is_revoked(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    for (n, end) in ["change", "all", "reuse"].into_iter().enumerate() {
        let user = format!("user {n}");
        let token = on.issue(&user, NOW_MS).await;
        let id = token.record.id;
        let takeover = start(&on, &new(&on, &token, &format!("bob {n}"), NOW_MS + DAY_MS), NOW_MS).await;
        match end {
            "change" => {
                on.store
                    .change(id, &TokenChange::revoking(RevokeReason::Ended), NOW_MS + 5)
                    .await
                    .unwrap()
                    .unwrap();
            }
            "all" => drop(on.store.revoke_user_tokens(&user, None, NOW_MS + 5).await.unwrap()),
            _ => {
                let rotation = Rotation { hash: on.mint(&user).hash, grace_ms: 0 };
                on.store.change(id, &TokenChange::rotating(rotation), NOW_MS + 4).await.unwrap().unwrap();
                let old = token.record.secret_hash;
                assert!(on.store.revoke_reused(id, &old, NOW_MS + 5).await.unwrap().is_some());
            }
        }
        assert_eq!(active(&on, &token).await, None, "{end}");
        assert_eq!(on.token(&token, NOW_MS + 6).await.unwrap().record.takeover, None);
        assert_eq!(of_token(&on, &token, NOW_MS + 6).await, [over(takeover, NOW_MS + 5)], "{end}");
        assert_eq!(on.store.end_takeover(id, RevokeReason::Ended, NOW_MS + 6).await.unwrap(), None);
    }
}

async fn a_takeover_ends_at_its_limit_or_its_tokens_expiry(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    let token = on.issue("alice", NOW_MS).await;
    let short = start(&on, &new(&on, &token, "bob", NOW_MS + MINUTE_MS), NOW_MS).await;
    let at_ms = NOW_MS + MINUTE_MS;
    assert_eq!(of_token(&on, &token, at_ms - 1).await, std::slice::from_ref(&short));
    assert_eq!(of_token(&on, &token, at_ms).await, [over(short.clone(), at_ms)]);
    assert_eq!(on.store.end_takeover(token.record.id, RevokeReason::Ended, at_ms).await.unwrap(), None);
    assert_eq!(of_token(&on, &token, at_ms + 1).await, [over(short, at_ms)], "an end that came too late");

    // An access renews the token.
    let token = on.issue_renewable("dave", NOW_MS).await;
    let long = start(&on, &new(&on, &token, "erin", NOW_MS + DAY_MS), NOW_MS).await;
    on.touch(&token, NOW_MS + 1, Some(NOW_MS + 2 * HOUR_MS)).await;
    let expired_ms = NOW_MS + 2 * HOUR_MS;
    assert_eq!(of_user(&on, "erin", expired_ms - 1).await, std::slice::from_ref(&long));
    assert_eq!(of_user(&on, "erin", expired_ms).await, [over(long, expired_ms)]);
}

/// Two calls at once: the one that read its clock first is done last.
async fn a_takeover_never_ends_before_it_began(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    let token = on.issue("alice", NOW_MS).await;
    let first = start(&on, &new(&on, &token, "bob", NOW_MS + DAY_MS), NOW_MS + 20).await;
    start(&on, &new(&on, &token, "carol", NOW_MS + DAY_MS), NOW_MS + 10).await;
    assert_eq!(of_user(&on, "bob", NOW_MS + 30).await, [over(first, NOW_MS + 20)]);
}

async fn an_ended_takeover_is_shown_until_its_retention(kind: StoreKind) {
    let limits = StoreLimits { takeover_retention_ms: HOUR_MS, ..LIMITS };
    let on = TestStore::open_with(kind, limits).await;
    let token = on.issue_idle("alice", DAY_MS, NOW_MS).await;
    start(&on, &new(&on, &token, "bob", NOW_MS + MINUTE_MS), NOW_MS).await;
    let last_ms = NOW_MS + MINUTE_MS + HOUR_MS;
    assert_eq!(of_token(&on, &token, last_ms - 1).await.len(), 1);
    assert_eq!(of_user(&on, "bob", last_ms - 1).await.len(), 1);
    assert_eq!(of_token(&on, &token, last_ms).await, []);
    assert_eq!(of_user(&on, "bob", last_ms).await, []);
}

async fn only_the_newest_takeovers_of_a_token_are_kept(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    let token = on.issue("alice", NOW_MS).await;
    let mut started: Vec<TokenId> = Vec::new();
    for n in 0..MAX_TAKEOVERS_PER_TOKEN as u64 + 5 {
        let new = new(&on, &token, "bob", NOW_MS + DAY_MS);
        started.push(start(&on, &new, NOW_MS + n).await.id);
    }
    let shown: Vec<_> = of_token(&on, &token, NOW_MS + 1000).await.iter().map(|t| t.id).collect();
    let newest: Vec<_> = started.into_iter().rev().take(MAX_TAKEOVERS_PER_TOKEN).collect();
    assert_eq!(shown, newest);
}
