//! While Redis is unreachable, every operation fails with `Unavailable` within its timeout; then the store recovers.

use std::fmt::Debug;
use std::time::Duration;

use doorward::internals::model::revoke_reason::RevokeReason;
use doorward::{StoreError, Token, TokenChange};

use crate::common::process::DEADLINE_MS;
use crate::common::redis::RedisServer;
use crate::common::store::{HOUR_MS, LIMITS, NOW_MS, TestStore, eventually, touch};

/// Without it, an operation on a frozen Redis waits for ever.
const TIMEOUT: Duration = Duration::from_secs(3);

async fn open(server: &RedisServer) -> TestStore {
    TestStore::on_server(server, LIMITS, TIMEOUT).await
}

async fn assert_unavailable<T: Debug>(what: &str, operation: impl Future<Output = Result<T, StoreError>>) {
    let within = Duration::from_millis(DEADLINE_MS);
    let result = tokio::time::timeout(within, operation).await.expect(what);
    assert!(matches!(result, Err(StoreError::Unavailable(_))), "{what}: {result:?}");
}

async fn assert_all_unavailable(on: &TestStore, token: &Token) {
    let id = token.record.id;
    let touches = [touch(token, NOW_MS, Some(NOW_MS + 9 * HOUR_MS))];
    let (sample, revoking) = (on.sample("alice", NOW_MS), TokenChange::revoking(RevokeReason::Ended));
    let nothing = TokenChange::default();
    // At the same time, because each of them waits for its timeout.
    tokio::join!(
        assert_unavailable("record", on.record(id)),
        assert_unavailable("token", on.store.token(id, NOW_MS)),
        assert_unavailable("issue", on.store.issue(&sample, NOW_MS)),
        assert_unavailable("change", on.store.change(id, &nothing, NOW_MS)),
        assert_unavailable("end", on.store.change(id, &revoking, NOW_MS)),
        assert_unavailable("listing", on.store.user_tokens("alice", NOW_MS)),
        assert_unavailable("end of all", on.store.revoke_user_tokens("alice", None, NOW_MS)),
        assert_unavailable("touch", async { on.store.touch(&touches, NOW_MS).await.map_err(|e| e.error) }),
        assert_unavailable("check key", on.store.shared_token_key("a key")),
        assert_unavailable("probe", on.store.probe()),
    );
}

/// Waits until the look-up connection has recovered by itself.
async fn validations_are_back(on: &TestStore, token: &Token) {
    let id = token.record.id;
    eventually("validations are back", async || on.record(id).await.ok()).await;
}

#[tokio::test]
async fn a_killed_redis_is_unavailable_and_returns_with_its_data() {
    let mut server = RedisServer::start_durable();
    let on = open(&server).await;
    let live = on.issue("alice", NOW_MS).await;
    let revoked = on.issue("alice", NOW_MS).await;
    on.revoke(&revoked, NOW_MS).await;

    server.kill();
    assert_all_unavailable(&on, &live).await;
    // Also on a node that starts now.
    assert_all_unavailable(&open(&server).await, &live).await;

    server.restart();
    eventually("the store is back", async || on.store.probe().await.ok()).await;
    validations_are_back(&on, &live).await;
    assert_eq!(on.token(&live, NOW_MS).await.as_ref(), Some(&live));
    let kept = on.token(&revoked, NOW_MS).await.unwrap();
    assert_eq!((kept.record.is_active, kept.revoked.map(|r| r.at_ms)), (false, Some(NOW_MS)));
    assert_eq!(on.record(revoked.record.id).await.unwrap(), Some(kept.record));
    on.issue("alice", NOW_MS).await;
    on.revoke(&live, NOW_MS).await;
}

#[tokio::test]
async fn a_frozen_redis_times_out_and_works_again_once_thawed() {
    let server = RedisServer::start();
    let on = open(&server).await;
    let token = on.issue("alice", NOW_MS).await;
    server.freeze();
    assert_all_unavailable(&on, &token).await;
    server.thaw();
    eventually("the store is back", async || on.store.probe().await.ok()).await;
    validations_are_back(&on, &token).await;
    // Whether operations during the freeze took effect is unknown; a repeated one does.
    on.store.revoke_user_tokens("alice", None, NOW_MS).await.unwrap();
    assert!(!on.token(&token, NOW_MS).await.unwrap().record.is_active);
    on.issue("alice", NOW_MS).await;
}

#[tokio::test]
async fn a_write_to_a_replica_fails_with_its_cause() {
    let master = RedisServer::start();
    let port = master.port().to_string();
    let replica = RedisServer::with_args(&["--appendonly", "no", "--replicaof", "127.0.0.1", &port]);
    let on = TestStore::alone_on(&master).await;
    let token = on.issue("alice", NOW_MS).await;

    let on_replica = TestStore::alone_on(&replica).await;
    eventually("the token is replicated", async || {
        let read = on_replica.store.token(token.record.id, NOW_MS).await;
        read.ok().flatten().filter(|read| *read == token)
    })
    .await;
    let id = token.record.id;
    assert_unavailable("probe", on_replica.store.probe()).await;
    assert_unavailable("issue", on_replica.store.issue(&on.sample("bob", NOW_MS), NOW_MS)).await;
    assert_unavailable(
        "end",
        on_replica.store.change(id, &TokenChange::revoking(RevokeReason::Ended), NOW_MS),
    )
    .await;
    assert_unavailable("end of all", on_replica.store.revoke_user_tokens("alice", None, NOW_MS)).await;
    let touches = [touch(&token, NOW_MS + 1, None)];
    let touch = async { on_replica.store.touch(&touches, NOW_MS + 1).await.map_err(|e| e.error) };
    assert_unavailable("touch", touch).await;
    assert_eq!(on.token(&token, NOW_MS).await, Some(token));
}
