//! Scripts refuse a caller whose clock differs too much from the server's, before they change anything.

use doorward::internals::model::device_key::{DeviceChange, DeviceKey};
use doorward::internals::model::revoke_reason::RevokeReason;
use doorward::internals::model::takeover::NewTakeover;
use doorward::internals::model::token::RelatedObject;
use doorward::internals::model::token::Rotation;
use doorward::internals::store::Store;
use doorward::internals::token_string;
use doorward::internals::token_string::SecretHash;
use doorward::system::Clock;
use doorward::{StoreError, Token, TokenChange};

use crate::common::devices::{login_of, sample_device};
use crate::common::redis::RedisServer;
use crate::common::store::{HOUR_MS, TestStore, dump, touch, with_objects};

/// Refused: the tolerance is five seconds.
const REFUSED_MS: i64 = 6_000;
/// Accepted: far enough below the tolerance for a busy machine.
const TAKEN_MS: i64 = 2_000;

/// The content of the store before each operation.
struct Prepared {
    token: Token,
    device: DeviceKey,
    object: RelatedObject,
}

async fn prepare(on: &TestStore, now_ms: u64) -> Prepared {
    let object = RelatedObject { content_type: "order".into(), object_id: "7".into() };
    let mut token = on.sample("alice", now_ms);
    token = with_objects(token, vec![object.clone()]);
    on.keep(&token, now_ms).await;
    let started = on.store.start_takeover(&takeover(on, &token, now_ms), now_ms).await.unwrap();
    assert!(started.is_ok(), "{started:?}");
    let device = sample_device("alice", "phone", 0, now_ms);
    on.make_device(&device).await;
    Prepared { token, device, object }
}

fn takeover(on: &TestStore, token: &Token, now_ms: u64) -> NewTakeover {
    let token = token.record.id;
    let id = token_string::new_id(token.hash_tag(), on.entropy()).unwrap();
    NewTakeover { id, token, user: "bob".into(), reason: None, ends_at_ms: now_ms + HOUR_MS }
}

/// Calls every operation that runs a script with this time; returns each result.
async fn call_all(
    on: &TestStore,
    prepared: &Prepared,
    now_ms: u64,
) -> Vec<(&'static str, Result<(), StoreError>)> {
    let Prepared { token, device, object } = prepared;
    let (store, id): (&Store, _) = (&on.store, token.record.id);
    let other = RelatedObject { object_id: "8".into(), ..object.clone() };
    let rotation = Rotation { hash: token.record.secret_hash, grace_ms: 10_000 };
    let inactive = DeviceChange { is_active: Some(false), ..DeviceChange::default() };
    let mut with_object = on.sample("alice", now_ms);
    with_object = with_objects(with_object, vec![other.clone()]);
    let touches = [touch(token, now_ms, Some(now_ms + 2 * HOUR_MS))];
    let login = login_of(device, now_ms);
    vec![
        ("read", store.token(id, now_ms).await.map(drop)),
        ("issue", store.issue(&on.sample("alice", now_ms), now_ms).await.map(drop)),
        ("issue with an object", store.issue(&with_object, now_ms).await.map(drop)),
        ("rotate", store.change(id, &TokenChange::rotating(rotation), now_ms).await.map(drop)),
        ("touch", store.touch(&touches, now_ms).await.map_err(|unwritten| unwritten.error)),
        ("relate", store.relate(id, &other, now_ms).await.map(drop)),
        ("unrelate", store.unrelate(id, &other, now_ms).await.map(drop)),
        ("end takeover", store.end_takeover(id, RevokeReason::Ended, now_ms).await.map(drop)),
        ("start takeover", store.start_takeover(&takeover(on, token, now_ms), now_ms).await.map(drop)),
        ("make device", store.make_device(&sample_device("alice", "pad", 1, now_ms), now_ms).await.map(drop)),
        ("device login", store.device_login(&login, &on.for_login(device, now_ms), now_ms).await.map(drop)),
        ("change device", store.change_device("alice", "phone", &inactive, now_ms).await.map(drop)),
        ("remove device", store.remove_device("alice", "phone", now_ms).await.map(drop)),
        ("end tokens of object", store.revoke_object_tokens(object, now_ms).await.map(drop)),
        (
            "end reused",
            store.revoke_reused(id, &SecretHash::from_slice(&[7; 16]).unwrap(), now_ms).await.map(drop),
        ),
        ("end", store.change(id, &TokenChange::revoking(RevokeReason::Ended), now_ms).await.map(drop)),
        ("end user", store.revoke_user_tokens("alice", None, now_ms).await.map(drop)),
    ]
}

/// Returns the content of each key without the TTLs, which decrease by themselves.
fn contents(server: &RedisServer) -> Vec<String> {
    let dumped = dump(server, "dw:").into_iter().map(|mut key| {
        key.entries.sort();
        let is_list = key.name.starts_with("e:");
        let events = if is_list { server.cli(&["LLEN", &format!("dw:{}", key.name)]) } else { String::new() };
        format!("{} {:?} {events}", key.name, key.entries)
    });
    let mut contents: Vec<_> = dumped.collect();
    contents.sort();
    contents
}

#[tokio::test]
async fn every_script_refuses_a_caller_whose_clock_is_wrong() {
    let server = RedisServer::start();
    let on = TestStore::in_real_time(&server).await;
    let clock = Clock::system();
    let prepared = prepare(&on, clock.now_ms()).await;
    let before = contents(&server);
    for error_ms in [REFUSED_MS, -REFUSED_MS, 3 * 24 * HOUR_MS as i64, -3 * 24 * (HOUR_MS as i64)] {
        let now_ms = clock.now_ms().checked_add_signed(error_ms).unwrap();
        for (operation, outcome) in call_all(&on, &prepared, now_ms).await {
            let Err(StoreError::Unavailable(reason)) = outcome else { panic!("{operation}: {outcome:?}") };
            assert!(reason.contains("clock"), "{operation}: {reason}");
        }
        assert_eq!(contents(&server), before, "{error_ms}");
    }
    for error_ms in [TAKEN_MS, -TAKEN_MS] {
        server.cli(&["FLUSHALL"]);
        let now_ms = clock.now_ms().checked_add_signed(error_ms).unwrap();
        let prepared = prepare(&on, now_ms).await;
        for (operation, outcome) in call_all(&on, &prepared, now_ms).await {
            assert!(outcome.is_ok(), "{operation}: {outcome:?}");
        }
    }
}

/// An operation of many steps may take longer than the clock tolerance of its scripts.
#[tokio::test]
async fn an_operation_of_many_steps_can_outlast_the_clock_tolerance() {
    let server = RedisServer::start();
    let on = TestStore::in_real_time(&server).await;
    let clock = Clock::system();
    let object = RelatedObject { content_type: "order".into(), object_id: "7".into() };
    for _ in 0..3 {
        let mut token = on.sample("alice", clock.now_ms());
        token = with_objects(token, vec![object.clone()]);
        on.keep(&token, clock.now_ms()).await;
    }
    // The first command waits, so the steps come later.
    server.cli(&["CLIENT", "PAUSE", &REFUSED_MS.to_string(), "ALL"]);
    let revoked = on.store.revoke_object_tokens(&object, clock.now_ms()).await.unwrap();
    assert_eq!((revoked.len(), server.keys().iter().any(|key| key.starts_with("dw:r:"))), (3, false));
}
