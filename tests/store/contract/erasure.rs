//! Erasing a user.

use std::sync::Arc;

use doorward::Token;
use doorward::TokenChange;
use doorward::internals::model::event::EventKind;
use doorward::internals::model::revoke_reason::RevokeReason;
use doorward::internals::model::takeover::NewTakeover;
use doorward::internals::model::token::RelatedObject;
use doorward::internals::store::{Store, StoreLimits};
use doorward::internals::token_string;
use tokio::task::JoinHandle;

use crate::common::devices::{login_of, sample_device};
use crate::common::store::{
    DAY_MS, HOUR_MS, LIMITS, NOW_MS, StoreKind, TestStore, touch, users_of_one_shard, with_idle, with_objects,
};

each_store! {
    nothing_of_the_user_is_left,
    other_users_keep_what_is_theirs,
    takeovers_of_the_user_end_and_stay_with_their_actors,
    erasing_an_unknown_user_is_no_error,
    a_user_with_many_of_everything_is_erased,
    a_login_meanwhile_is_erased_or_lives,
}

const ERASED_MS: u64 = NOW_MS + HOUR_MS;

fn order(id: &str) -> RelatedObject {
    RelatedObject { content_type: "order".into(), object_id: id.into() }
}

fn takeover(on: &TestStore, token: &Token, user: &str) -> NewTakeover {
    let token = token.record.id;
    let id = token_string::new_id(token.hash_tag(), on.entropy()).unwrap();
    NewTakeover { id, token, user: user.into(), reason: None, ends_at_ms: NOW_MS + DAY_MS }
}

async fn take_over(on: &TestStore, token: &Token, user: &str) -> NewTakeover {
    let new = takeover(on, token, user);
    on.store.start_takeover(&new, NOW_MS).await.unwrap().unwrap();
    new
}

async fn erase(on: &TestStore, user: &str) {
    on.store.erase_user(user, ERASED_MS).await.unwrap();
}

/// Issues a token that lives longer than an hour.
async fn issue_long(on: &TestStore, user: &str) -> Token {
    on.issue_idle(user, 2 * HOUR_MS, NOW_MS).await
}

/// A trace of the erasure keeps a node that was cut off from bringing anything back.
fn assert_only_traces_are_left(on: &TestStore) {
    let keys = on.dump().into_iter().map(|key| key.name);
    let left: Vec<_> = keys.filter(|name| !name.starts_with(['q', 'y'])).collect();
    assert_eq!(left, [] as [String; 0]);
}

async fn nothing_of_the_user_is_left(kind: StoreKind) {
    let on = TestStore::open_with(kind, StoreLimits { stale_grace_ms: DAY_MS, ..LIMITS }).await;
    let live = with_objects(with_idle(on.sample("alice", NOW_MS), 2 * HOUR_MS), vec![order("7")]);
    on.keep(&live, NOW_MS).await;
    // Expires at the time of the erasure, within the grace.
    let expired = with_objects(on.sample("alice", NOW_MS), vec![order("8")]);
    on.keep(&expired, NOW_MS).await;
    let revoked = issue_long(&on, "alice").await;
    let device = sample_device("alice", "phone", 0, NOW_MS);
    on.make_device(&device).await;
    let logged_in = on.log_in(&login_of(&device, NOW_MS), &device, NOW_MS).await.unwrap();
    for token in [&live, &expired, &revoked] {
        take_over(&on, token, "bob").await;
    }
    on.revoke(&revoked, NOW_MS).await;

    erase(&on, "alice").await;
    assert_eq!(on.store.user_tokens("alice", ERASED_MS).await.unwrap(), []);
    for token in [&live, &expired, &revoked, &logged_in] {
        assert_eq!(on.record(token.record.id).await.unwrap(), None);
        assert_eq!(on.store.token_takeovers(token.record.id, ERASED_MS).await.unwrap(), []);
        on.touch(token, NOW_MS + 1, Some(ERASED_MS + DAY_MS)).await;
        assert_eq!(on.token(token, ERASED_MS).await, None, "a late access revives no token");
    }
    assert_eq!(on.store.user_devices("alice", ERASED_MS).await.unwrap(), []);
    assert_eq!(on.log_in(&login_of(&device, ERASED_MS), &device, ERASED_MS).await, None);
    assert_eq!(on.store.user_events("alice", ERASED_MS).await.unwrap(), []);
    assert_eq!(on.store.user_takeovers("bob", ERASED_MS).await.unwrap(), []);
    for object in [order("7"), order("8")] {
        assert_eq!(on.store.object_tokens(&object, ERASED_MS).await.unwrap(), []);
    }
    // On Redis, the entries in other slots are gone, too.
    assert_only_traces_are_left(&on);
}

async fn other_users_keep_what_is_theirs(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    let (alice, bob) = users_of_one_shard();
    let hers = with_objects(with_idle(on.sample(&alice, NOW_MS), 2 * HOUR_MS), vec![order("7")]);
    let his = with_objects(with_idle(on.sample(&bob, NOW_MS), 2 * HOUR_MS), vec![order("7")]);
    on.keep(&hers, NOW_MS).await;
    on.keep(&his, NOW_MS).await;
    on.make_device(&sample_device(&alice, "phone", 0, NOW_MS)).await;
    on.make_device(&sample_device(&bob, "phone", 1, NOW_MS)).await;
    take_over(&on, &his, "carol").await;
    take_over(&on, &hers, "carol").await;
    erase(&on, &alice).await;
    assert_eq!(on.listed(&bob, ERASED_MS).await, [his.record.id]);
    assert_eq!(on.store.user_devices(&bob, ERASED_MS).await.unwrap().len(), 1);
    assert_eq!(on.store.user_events(&bob, ERASED_MS).await.unwrap().len(), 3);
    let tokens = |tokens: Vec<Token>| tokens.into_iter().map(|token| token.record.id).collect::<Vec<_>>();
    assert_eq!(tokens(on.store.object_tokens(&order("7"), ERASED_MS).await.unwrap()), [his.record.id]);
    let takeovers = on.store.user_takeovers("carol", ERASED_MS).await.unwrap();
    assert_eq!(
        takeovers.iter().map(|t| (t.actor.as_str(), t.ended_at_ms)).collect::<Vec<_>>(),
        [(&*bob, None)]
    );
}

async fn takeovers_of_the_user_end_and_stay_with_their_actors(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    let [first, second, third] =
        [issue_long(&on, "bob").await, issue_long(&on, "carol").await, issue_long(&on, "dave").await];
    let under_way = take_over(&on, &first, "alice").await;
    // Ends with its token, so it is not counted.
    let hers = issue_long(&on, "alice").await;
    take_over(&on, &hers, "bob").await;
    take_over(&on, &second, "alice").await;
    on.store.end_takeover(second.record.id, RevokeReason::Ended, NOW_MS + 1).await.unwrap();
    // This one has gone on to another user.
    take_over(&on, &third, "alice").await;
    let of_other = take_over(&on, &third, "erin").await;
    erase(&on, "alice").await;
    let reasons = [RevokeReason::Ended, RevokeReason::Erased];
    let counts: Vec<_> =
        on.store.changes().takeovers_ended.counts(&reasons).map(|(_, count)| count).collect();
    assert_eq!(counts, [1, 1], "ended by a call, and by the erasure");
    assert_eq!(on.store.user_takeovers("alice", ERASED_MS).await.unwrap(), []);
    let record = on.record(first.record.id).await.unwrap().unwrap();
    assert_eq!((record.takeover.as_ref(), record.is_active), (None, true));
    let history = on.store.token_takeovers(first.record.id, ERASED_MS).await.unwrap();
    assert_eq!((history[0].id, history[0].user.as_str()), (under_way.id, "alice"));
    assert_eq!(history[0].ended_at_ms, Some(ERASED_MS));
    let newest = &on.store.user_events("bob", ERASED_MS).await.unwrap()[0];
    assert_eq!((newest.kind, newest.reason), (EventKind::TakeoverEnded, Some(RevokeReason::Erased)));
    let ended = on.store.token_takeovers(second.record.id, ERASED_MS).await.unwrap();
    assert_eq!(ended[0].ended_at_ms, Some(NOW_MS + 1));
    let record = on.record(third.record.id).await.unwrap().unwrap();
    assert_eq!(record.takeover.as_ref().map(|takeover| takeover.id), Some(of_other.id));
}

async fn erasing_an_unknown_user_is_no_error(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    erase(&on, "alice").await;
    issue_long(&on, "alice").await;
    erase(&on, "alice").await;
    erase(&on, "alice").await;
    // The user may come back.
    let again = on.sample("alice", ERASED_MS);
    on.keep(&again, ERASED_MS).await;
    assert_eq!(on.listed("alice", ERASED_MS).await, [again.record.id]);
}

async fn a_user_with_many_of_everything_is_erased(kind: StoreKind) {
    const MANY: u64 = 250;
    let limits = StoreLimits { max_devices_per_user: MANY as usize, ..LIMITS };
    let on = TestStore::open_with(kind, limits).await;
    let mut tokens = Vec::new();
    for n in 0..MANY {
        let token = with_objects(with_idle(on.sample("alice", NOW_MS), 2 * HOUR_MS), vec![order("7")]);
        on.keep(&token, NOW_MS).await;
        take_over(&on, &token, ["bob", "carol"][n as usize % 2]).await;
        on.make_device(&sample_device("alice", &format!("device {n}"), n, NOW_MS)).await;
        tokens.push(token);
    }
    for token in &tokens[..100] {
        on.revoke(token, NOW_MS + 1).await;
    }
    erase(&on, "alice").await;
    for token in tokens {
        assert_eq!(on.record(token.record.id).await.unwrap(), None);
    }
    for user in ["bob", "carol"] {
        assert_eq!(on.store.user_takeovers(user, ERASED_MS).await.unwrap(), []);
    }
    assert_eq!(on.store.user_devices("alice", ERASED_MS).await.unwrap(), []);
    assert_only_traces_are_left(&on);
}

/// A login of a device at a time, until its key is erased.
fn log_in_until_erased(on: &TestStore, number: u64) -> JoinHandle<Vec<Token>> {
    let device = sample_device("alice", &format!("device {number}"), number, NOW_MS);
    let (store, samples): (Store, Vec<Token>) =
        (on.store.clone(), (0..400).map(|_| on.for_login(&device, NOW_MS)).collect());
    tokio::spawn(async move {
        let mut issued = Vec::new();
        for token in samples {
            let login = login_of(&device, NOW_MS);
            match store.device_login(&login, &token, NOW_MS).await.unwrap() {
                Ok((token, _)) => issued.push(token),
                Err(_) => break,
            }
        }
        issued
    })
}

async fn a_login_meanwhile_is_erased_or_lives(kind: StoreKind) {
    let on = Arc::new(TestStore::open_with(kind, StoreLimits { max_tokens_per_user: 2_000, ..LIMITS }).await);
    for number in 0..3 {
        on.make_device(&sample_device("alice", &format!("device {number}"), number, NOW_MS)).await;
    }
    for _ in 0..150 {
        on.issue("alice", NOW_MS).await;
    }
    let logins: Vec<_> = (0..3).map(|number| log_in_until_erased(&on, number)).collect();
    on.store.erase_user("alice", NOW_MS).await.unwrap();
    // By password: after the erasure.
    let later = on.issue("alice", NOW_MS).await;
    for login in logins {
        for token in login.await.unwrap() {
            assert_eq!(on.record(token.record.id).await.unwrap(), None, "issued before the erasure");
        }
    }
    assert_eq!(on.listed("alice", NOW_MS).await, [later.record.id]);
    let touch = touch(&later, NOW_MS + 1, None);
    on.store.touch(&[touch], NOW_MS + 1).await.unwrap();
    on.store.change(later.record.id, &TokenChange::confirming(), NOW_MS + 1).await.unwrap().unwrap();
}
