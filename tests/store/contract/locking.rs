//! Locking a user: every token is refused, none is lost, and none is issued.

use doorward::internals::model::event::EventKind;
use doorward::internals::model::import::ImportOutcome;
use doorward::internals::model::revoke_reason::RevokeReason;
use doorward::internals::model::takeover::NewTakeover;
use doorward::internals::model::token::{Bars, RecordVerdict, Rotation};
use doorward::internals::store::{Rejection, StoreLimits};
use doorward::internals::token_string;
use doorward::{Token, TokenChange};

use crate::common::devices::{login_of, sample_device};
use crate::common::imports::{import, sample_import};
use crate::common::store::{
    DAY_MS, HOUR_MS, LIMITS, NOW_MS, StoreKind, TestStore, edited, touch, users_of_one_shard,
};

each_store! {
    a_lock_refuses_every_token_and_loses_none,
    a_locked_user_gets_no_token,
    a_lock_needs_no_tokens_and_concerns_one_user,
    a_locked_token_gets_no_secret_and_no_takeover,
    a_rotated_out_secret_of_a_locked_token_revokes_nothing,
    an_access_on_its_way_does_not_unlock,
    an_expired_token_in_its_grace_is_locked,
    a_locked_token_is_changed_and_revoked,
    an_import_for_a_locked_user_is_rejected,
    an_erasure_keeps_the_lock,
    a_user_with_many_tokens_is_locked,
}

const LATER_MS: u64 = NOW_MS + 1;

async fn set(on: &TestStore, user: &str, is_locked: bool) -> bool {
    let is_changed = on.store.set_lock(user, is_locked, LATER_MS).await.unwrap();
    assert_eq!(on.store.is_locked(user).await.unwrap(), is_locked);
    is_changed
}

async fn verdict(on: &TestStore, token: &Token, now_ms: u64) -> RecordVerdict {
    let record = on.record(token.record.id).await.unwrap().unwrap();
    record.judge(&token.record.secret_hash, None, now_ms)
}

fn locked(token: &Token) -> Token {
    edited(token.clone(), |record| record.bars = Bars::LOCKED)
}

async fn a_lock_refuses_every_token_and_loses_none(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    let tokens = [on.issue("alice", NOW_MS).await, on.issue("alice", NOW_MS).await];
    assert!(!on.store.is_locked("alice").await.unwrap());
    for is_changed in [true, false] {
        assert_eq!(set(&on, "alice", true).await, is_changed);
        for token in &tokens {
            assert_eq!(verdict(&on, token, LATER_MS).await, RecordVerdict::Refused);
            assert_eq!(on.token(token, LATER_MS).await, Some(locked(token)));
        }
    }
    assert_eq!(on.listed("alice", LATER_MS).await.len(), 2);
    for is_changed in [true, false] {
        assert_eq!(set(&on, "alice", false).await, is_changed);
        for token in &tokens {
            assert_eq!(verdict(&on, token, LATER_MS).await, RecordVerdict::Admitted);
            assert_eq!(on.token(token, LATER_MS).await.as_ref(), Some(token));
        }
    }
    let events = on.store.user_events("alice", LATER_MS).await.unwrap();
    let kinds: Vec<_> = events.iter().map(|event| event.kind).take(3).collect();
    assert_eq!(kinds, [EventKind::UserUnlocked, EventKind::UserLocked, EventKind::TokenIssued]);
}

async fn a_locked_user_gets_no_token(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    let device = sample_device("alice", "phone", 0, NOW_MS);
    on.make_device(&device).await;
    set(&on, "alice", true).await;
    let token = on.sample("alice", LATER_MS);
    assert_eq!(on.store.issue(&token, LATER_MS).await.unwrap(), Err(Rejection::UserLocked));
    let (login, new) = (login_of(&device, LATER_MS), on.for_login(&device, LATER_MS));
    let refused = on.store.device_login(&login, &new, LATER_MS).await.unwrap();
    assert_eq!(refused, Err(Rejection::UserLocked));
    // Only the holder of the right login token learns of the lock.
    let mut wrong = login.clone();
    wrong.uuid = "tablet".into();
    let refused = on.store.device_login(&wrong, &new, LATER_MS).await.unwrap();
    assert_eq!(refused, Err(Rejection::LoginRefused));
    for id in [token.record.id, new.record.id] {
        assert_eq!(on.record(id).await.unwrap(), None);
    }
    set(&on, "alice", false).await;
    on.keep(&token, LATER_MS).await;
    assert!(on.store.device_login(&login, &new, LATER_MS).await.unwrap().is_ok());
}

async fn a_lock_needs_no_tokens_and_concerns_one_user(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    let (alice, bob) = users_of_one_shard();
    let his = on.issue(&bob, NOW_MS).await;
    set(&on, &alice, true).await;
    assert!(!on.store.is_locked(&bob).await.unwrap());
    assert_eq!(on.token(&his, LATER_MS).await.as_ref(), Some(&his));
    on.issue(&bob, LATER_MS).await;
}

async fn a_locked_token_gets_no_secret_and_no_takeover(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    let token = on.issue("alice", NOW_MS).await;
    set(&on, "alice", true).await;
    let rotation = Rotation { hash: on.mint("alice").hash, grace_ms: 10 };
    for change in [TokenChange::rotating(rotation), TokenChange::confirming()] {
        let changed = on.store.change(token.record.id, &change, LATER_MS).await.unwrap();
        assert_eq!(changed, Err(Rejection::UserLocked));
    }
    let takeover = |token: &Token, user: &str| NewTakeover {
        id: token_string::new_id(token.record.id.hash_tag(), on.entropy()).unwrap(),
        token: token.record.id,
        user: user.into(),
        reason: None,
        ends_at_ms: NOW_MS + HOUR_MS,
    };
    let started = on.store.start_takeover(&takeover(&token, "bob"), LATER_MS).await.unwrap();
    assert_eq!(started, Err(Rejection::UserLocked));
    assert_eq!(on.store.user_takeovers("bob", LATER_MS).await.unwrap(), []);
    assert_eq!(on.token(&token, LATER_MS).await, Some(locked(&token)));
    // A locked user may be taken over.
    let his = on.issue("bob", NOW_MS).await;
    on.store.start_takeover(&takeover(&his, "alice"), LATER_MS).await.unwrap().unwrap();
    assert_eq!(verdict(&on, &his, LATER_MS).await, RecordVerdict::Admitted);
}

async fn a_rotated_out_secret_of_a_locked_token_revokes_nothing(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    let token = on.issue("alice", NOW_MS).await;
    let rotation = Rotation { hash: on.mint("alice").hash, grace_ms: 0 };
    on.store.change(token.record.id, &TokenChange::rotating(rotation), NOW_MS).await.unwrap().unwrap();
    set(&on, "alice", true).await;
    let (id, old) = (token.record.id, token.record.secret_hash);
    assert_eq!(verdict(&on, &token, LATER_MS).await, RecordVerdict::Refused);
    assert_eq!(on.store.revoke_reused(id, &old, LATER_MS).await.unwrap(), None);
    set(&on, "alice", false).await;
    assert_eq!(verdict(&on, &token, LATER_MS).await, RecordVerdict::RotatedOut);
    assert_eq!(on.store.revoke_reused(id, &old, LATER_MS).await.unwrap().as_deref(), Some("alice"));
}

async fn an_access_on_its_way_does_not_unlock(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    let token = on.issue("alice", NOW_MS).await;
    set(&on, "alice", true).await;
    let renewed_ms = LATER_MS + HOUR_MS;
    let late = touch(&token, LATER_MS, Some(renewed_ms));
    on.store.touch(&[late], LATER_MS + 1).await.unwrap();
    let record = on.record(token.record.id).await.unwrap().unwrap();
    assert_eq!((record.is_locked(), record.expires_at_ms), (true, renewed_ms));
    set(&on, "alice", false).await;
    assert_eq!(verdict(&on, &token, renewed_ms - 1).await, RecordVerdict::Admitted);
}

async fn an_expired_token_in_its_grace_is_locked(kind: StoreKind) {
    let on = TestStore::open_with(kind, StoreLimits { stale_grace_ms: HOUR_MS, ..LIMITS }).await;
    let token = on.issue("alice", NOW_MS).await;
    let expired_ms = NOW_MS + HOUR_MS;
    on.store.set_lock("alice", true, expired_ms).await.unwrap();
    let late = touch(&token, expired_ms - 1, Some(expired_ms - 1 + HOUR_MS));
    on.store.touch(&[late], expired_ms + 1).await.unwrap();
    assert_eq!(verdict(&on, &token, expired_ms + 1).await, RecordVerdict::Refused);
    on.store.set_lock("alice", false, expired_ms + 1).await.unwrap();
    assert_eq!(verdict(&on, &token, expired_ms + 1).await, RecordVerdict::Admitted);
}

async fn a_locked_token_is_changed_and_revoked(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    let [changed, revoked] = [on.issue("alice", NOW_MS).await, on.issue("alice", NOW_MS).await];
    set(&on, "alice", true).await;
    let slug = TokenChange { auth_slug: Some(Some("web".into())), ..TokenChange::default() };
    let shown = on.store.change(changed.record.id, &slug, LATER_MS).await.unwrap().unwrap();
    assert_eq!((shown.record.is_locked(), shown.record.auth_slug()), (true, Some("web")));
    let revoking = TokenChange::revoking(RevokeReason::Ended);
    let shown = on.store.change(revoked.record.id, &revoking, LATER_MS).await.unwrap().unwrap();
    assert_eq!((shown.record.is_active, shown.record.is_locked()), (false, false));
    set(&on, "alice", false).await;
    assert_eq!(verdict(&on, &changed, LATER_MS).await, RecordVerdict::Admitted);
    assert_eq!(verdict(&on, &revoked, LATER_MS).await, RecordVerdict::Refused);
}

async fn an_import_for_a_locked_user_is_rejected(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    let [before, later] = ["1", "2"].map(|string| sample_import(&on, "alice", string, LATER_MS));
    assert_eq!(import(&on.store, &before, LATER_MS).await, ImportOutcome::Imported);
    set(&on, "alice", true).await;
    assert_eq!(verdict(&on, &before.token, LATER_MS).await, RecordVerdict::Refused);
    assert_eq!(import(&on.store, &before, LATER_MS).await, ImportOutcome::Exists);
    for is_dry in [true, false] {
        let outcomes = on.store.import(std::slice::from_ref(&later), is_dry, LATER_MS).await.unwrap();
        assert_eq!(outcomes, [ImportOutcome::UserLocked]);
    }
    assert_eq!(on.alias(&later.digest, LATER_MS).await, None);
    set(&on, "alice", false).await;
    assert_eq!(verdict(&on, &before.token, LATER_MS).await, RecordVerdict::Admitted);
    assert_eq!(import(&on.store, &later, LATER_MS).await, ImportOutcome::Imported);
}

async fn an_erasure_keeps_the_lock(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    on.issue("alice", NOW_MS).await;
    set(&on, "alice", true).await;
    on.store.erase_user("alice", LATER_MS).await.unwrap();
    assert!(on.store.is_locked("alice").await.unwrap());
    let new = on.sample("alice", LATER_MS + DAY_MS);
    assert_eq!(on.store.issue(&new, LATER_MS + DAY_MS).await.unwrap(), Err(Rejection::UserLocked));
    // On Redis, only the lock and the trace of the erasure are left.
    let left: Vec<_> = on.dump().into_iter().filter(|key| !key.name.starts_with('y')).collect();
    assert!(left.iter().all(|key| key.name.starts_with('l') && key.ttl_ms == -1), "{left:?}");
    set(&on, "alice", false).await;
}

async fn a_user_with_many_tokens_is_locked(kind: StoreKind) {
    const MANY: u64 = 2_000;
    let on = TestStore::open_with(kind, StoreLimits { max_tokens_per_user: 10_000, ..LIMITS }).await;
    let mut last = on.issue("alice", NOW_MS).await;
    for n in 1..MANY {
        last = on.issue("alice", NOW_MS + n).await;
    }
    set(&on, "alice", true).await;
    let tokens = on.store.user_tokens("alice", NOW_MS + MANY).await.unwrap();
    assert_eq!(tokens.iter().filter(|token| token.record.is_locked()).count() as u64, MANY);
    set(&on, "alice", false).await;
    assert_eq!(verdict(&on, &last, NOW_MS + MANY).await, RecordVerdict::Admitted);
}
