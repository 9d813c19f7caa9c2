//! Revocations and renewals work when Redis is out of memory or cannot write snapshots; new tokens are refused when
//! memory is full.

use doorward::{StoreError, TokenChange};

use crate::common::process::wait_for;
use crate::common::redis::RedisServer;
use crate::common::store::{HOUR_MS, NOW_MS, TestStore};

/// Runs every operation except new tokens.
async fn assert_all_but_issue_works(on: &TestStore, tokens: &[doorward::Token; 3]) {
    let [first, second, third] = tokens;
    assert_eq!(on.store.shared_token_key("another").await.unwrap(), "a key");
    on.store.probe().await.unwrap();
    on.touch(first, NOW_MS + 1, Some(NOW_MS + 2 * HOUR_MS)).await;
    let renewed = on.record(first.record.id).await.unwrap().unwrap();
    assert_eq!(renewed.expires_at_ms, NOW_MS + 2 * HOUR_MS);

    let edit = TokenChange { auth_slug: Some(Some("slug".into())), ..TokenChange::default() };
    let changed = on.store.change(first.record.id, &edit, NOW_MS + 2).await.unwrap();
    assert!(changed.is_ok());
    on.revoke(first, NOW_MS + 3).await;
    assert!(!on.token(first, NOW_MS + 3).await.unwrap().record.is_active);
    let spared = Some(third.record.id);
    let revoked = on.store.revoke_user_tokens("alice", spared, NOW_MS + 4).await.unwrap();
    assert_eq!(revoked, [second.record.id]);
    assert_eq!(on.listed("alice", NOW_MS + 4).await.len(), 3);
}

async fn issue_three(on: &TestStore) -> [doorward::Token; 3] {
    assert_eq!(on.store.shared_token_key("a key").await.unwrap(), "a key");
    on.store.probe().await.unwrap();
    [
        on.issue_renewable("alice", NOW_MS).await,
        on.issue("alice", NOW_MS).await,
        on.issue("alice", NOW_MS).await,
    ]
}

#[tokio::test]
async fn revocations_and_renewals_work_when_memory_is_full() {
    let server = RedisServer::start();
    let on = TestStore::alone_on(&server).await;
    let tokens = issue_three(&on).await;
    server.cli(&["CONFIG", "SET", "maxmemory", "1"]);
    // A new node connects to the full server and loads its scripts there.
    server.cli(&["SCRIPT", "FLUSH"]);
    let node = TestStore::alone_on(&server).await;
    let refused = node.sample("bob", NOW_MS);
    let error = node.store.issue(&refused, NOW_MS).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
    assert_all_but_issue_works(&node, &tokens).await;

    assert_eq!(node.token(&refused, NOW_MS).await, None);
    server.cli(&["CONFIG", "SET", "maxmemory", "0"]);
    node.store.issue(&refused, NOW_MS).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_failed_snapshot_stops_no_write() {
    let server = RedisServer::start();
    let on = TestStore::alone_on(&server).await;
    let tokens = issue_three(&on).await;
    // A snapshot file cannot replace a folder.
    std::fs::create_dir(server.socket().with_file_name("dump.rdb")).unwrap();
    server.cli(&["CONFIG", "SET", "save", "3600 1"]);
    server.cli(&["BGSAVE"]);
    wait_for("the snapshot fails", || {
        (server.info("persistence", "rdb_last_bgsave_status") == "err").then_some(())
    });

    // Only the shipped setting makes the difference.
    server.cli(&["CONFIG", "SET", "stop-writes-on-bgsave-error", "yes"]);
    let refused = on.store.revoke_user_tokens("alice", None, NOW_MS).await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    server.cli(&["CONFIG", "SET", "stop-writes-on-bgsave-error", "no"]);
    assert_all_but_issue_works(&on, &tokens).await;
    on.issue("bob", NOW_MS).await;
}

#[test]
fn the_shipped_settings_let_writes_pass_a_failed_snapshot() {
    let server = RedisServer::start();
    let setting = server.cli(&["CONFIG", "GET", "stop-writes-on-bgsave-error"]);
    assert_eq!(setting, "stop-writes-on-bgsave-error\nno");
    assert_eq!(server.cli(&["CONFIG", "GET", "maxmemory-policy"]), "maxmemory-policy\nnoeviction");
}
