//! Requests with `Idempotency-Key`: done once, atomically with the change.

use doorward::TokenChange;
use doorward::internals::model::idempotency::{BodyDigest, IdempotentRequest, REMEMBERED_MS, RequestName};
use doorward::internals::model::token::rotation::Rotation;
use doorward::internals::store::{Call, Rejection};
use doorward::internals::token_string::SecretHash;
use futures_util::future::join_all;

use crate::common::devices::sample_device;
use crate::common::store::{NOW_MS, StoreKind, TestStore};

each_store! {
    a_request_is_bound_to_its_body,
    an_answer_is_kept_for_repeats,
    the_first_of_two_answers_is_kept,
    a_repeated_issue_issues_nothing,
    repeats_at_once_issue_one_token,
    a_refused_request_is_done_when_it_is_repeated,
    a_repeated_rotation_changes_nothing,
    a_repeated_device_key_is_not_made_again,
}

fn name(key: &str) -> RequestName {
    RequestName::of("back-office", "POST", "/v1/tokens", key.as_bytes())
}

fn request(key: &str, body: &[u8]) -> IdempotentRequest {
    IdempotentRequest { name: name(key), body: BodyDigest::of(body) }
}

fn once(key: &str) -> Call<'static> {
    let mut call = Call::from(NOW_MS);
    call.once = Some(name(key));
    call
}

async fn a_request_is_bound_to_its_body(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    let claim = async |key, body: &[u8]| on.store.claim_request(&request(key, body), NOW_MS).await.unwrap();
    for _ in 0..2 {
        assert_eq!(claim("a", b"one").await, Ok(None));
        assert_eq!(claim("a", b"other").await, Err(Rejection::OtherBody));
        assert_eq!(claim("b", b"other").await, Ok(None));
    }
}

async fn an_answer_is_kept_for_repeats(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    let (one, other) = (request("a", b"one"), request("a", b"other"));
    assert_eq!(on.store.claim_request(&one, NOW_MS).await.unwrap(), Ok(None));
    on.store.keep_answer(&one, b"answer", NOW_MS).await.unwrap();
    assert_eq!(on.store.claim_request(&one, NOW_MS).await.unwrap(), Ok(Some(b"answer".to_vec())));
    assert_eq!(on.store.claim_request(&other, NOW_MS).await.unwrap(), Err(Rejection::OtherBody));
    if kind == StoreKind::Memory {
        assert_eq!(on.store.claim_request(&other, NOW_MS + REMEMBERED_MS).await.unwrap(), Ok(None));
    }
}

/// Two repeats at once: both have claimed the request before either has an answer.
async fn the_first_of_two_answers_is_kept(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    let request = request("a", b"one");
    for _ in 0..2 {
        assert_eq!(on.store.claim_request(&request, NOW_MS).await.unwrap(), Ok(None));
    }
    for answer in [b"first", b"later"] {
        let given = on.store.keep_answer(&request, answer, NOW_MS).await.unwrap();
        assert_eq!(given, b"first");
    }
    assert_eq!(on.store.claim_request(&request, NOW_MS).await.unwrap(), Ok(Some(b"first".to_vec())));
}

async fn a_repeated_issue_issues_nothing(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    let (first, second, third) =
        (on.sample("alice", NOW_MS), on.sample("alice", NOW_MS), on.sample("alice", NOW_MS));
    on.store.issue(&first, once("a")).await.unwrap().unwrap();
    let repeated = on.store.issue(&second, once("a")).await.unwrap();
    assert_eq!(repeated, Err(Rejection::DoneBefore(Some(first.record.id))));
    on.store.issue(&third, once("b")).await.unwrap().unwrap();
    let tokens = on.store.user_tokens("alice", NOW_MS).await.unwrap();
    assert_eq!(tokens.len(), 2);
    let events = on.store.user_events("alice", NOW_MS).await.unwrap();
    assert_eq!(events.len(), 2);
}

async fn repeats_at_once_issue_one_token(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    let tokens: Vec<_> = (0..8).map(|_| on.sample("alice", NOW_MS)).collect();
    let outcomes = join_all(tokens.iter().map(|token| on.store.issue(token, once("a")))).await;
    let issued: Vec<_> =
        tokens.iter().zip(&outcomes).filter(|(_, outcome)| matches!(outcome, Ok(Ok(_)))).collect();
    let [(token, _)] = issued[..] else { panic!("{outcomes:?}") };
    for outcome in outcomes.iter().map(|outcome| outcome.as_ref().unwrap()).filter(|outcome| outcome.is_err())
    {
        assert_eq!(*outcome, Err(Rejection::DoneBefore(Some(token.record.id))));
    }
}

async fn a_refused_request_is_done_when_it_is_repeated(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    let token = on.sample("alice", NOW_MS);
    on.store.set_lock("alice", true, NOW_MS).await.unwrap();
    assert_eq!(on.store.issue(&token, once("a")).await.unwrap(), Err(Rejection::UserLocked));
    on.store.set_lock("alice", false, NOW_MS).await.unwrap();
    on.store.issue(&token, once("a")).await.unwrap().unwrap();
}

async fn a_repeated_rotation_changes_nothing(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    let token = on.sample("alice", NOW_MS);
    let id = token.record.id;
    on.store.issue(&token, NOW_MS).await.unwrap().unwrap();
    let rotation = |n: u8| {
        TokenChange::rotating(Rotation { hash: SecretHash::from_slice(&[n; 16]).unwrap(), grace_ms: 10_000 })
    };
    let rotated = on.store.change(id, &rotation(1), once("a")).await.unwrap().unwrap();
    let repeated = on.store.change(id, &rotation(2), once("a")).await.unwrap();
    assert_eq!(repeated.err(), Some(Rejection::DoneBefore(Some(id))));
    assert_eq!(on.store.token(id, NOW_MS).await.unwrap(), Some(rotated));
    on.store.change(id, &rotation(3), once("b")).await.unwrap().unwrap();
}

async fn a_repeated_device_key_is_not_made_again(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    let first = sample_device("alice", "phone", 1, NOW_MS);
    assert_eq!(on.store.make_device(&first, once("a")).await.unwrap(), Ok(None));
    let repeated = on.store.make_device(&first, once("a")).await.unwrap();
    assert_eq!(repeated, Err(Rejection::DoneBefore(None)));
    let existing = on.store.make_device(&first, once("b")).await.unwrap().unwrap();
    assert_eq!(existing.map(|device| device.uuid).as_deref(), Some("phone"));
}
