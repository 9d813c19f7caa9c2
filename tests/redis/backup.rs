//! The backup of docs/operations.md: taken from a running Redis, restored into an empty one.

use std::process::Command;

use serde_json::json;

use crate::common::process::wait_for;
use crate::common::redis::RedisServer;
use crate::common::server::Server;

#[test]
fn a_restored_backup_has_the_sessions_of_its_time() {
    let redis = RedisServer::start_durable();
    let server = Server::on(&redis, &[]);
    let [kept, revoked] = ["alice", "bob"].map(|user| server.issue(json!({ "user": user })));

    let backup = tempfile::tempdir().unwrap();
    let (socket, dump) = (redis.socket(), backup.path().join("dump.rdb"));
    let saved = Command::new("redis-cli").arg("-s").arg(socket).arg("--rdb").arg(&dump).output().unwrap();
    assert!(saved.status.success() && dump.exists(), "{saved:?}");

    server.revoke(&revoked["id"]);
    let later = server.issue(json!({"user": "carol"}));
    drop((server, redis));

    let dir = backup.path().to_str().unwrap();
    // Without the append-only file at first: with it, Redis would not read the snapshot.
    let restored = RedisServer::with_args(&["--appendonly", "no", "--dir", dir]);
    restored.cli(&["CONFIG", "SET", "appendonly", "yes"]);
    wait_for("append-only file", || {
        (restored.info("persistence", "aof_rewrite_in_progress") == "0").then_some(())
    });
    let server = Server::on(&restored, &[]);
    let status = |token: &serde_json::Value| server.auth(&token["token"]).status;
    // A token that was revoked after the backup lives again, until it is revoked again.
    assert_eq!([status(&kept), status(&revoked), status(&later)], [200, 200, 401]);
    server.revoke(&revoked["id"]);
    assert_eq!([status(&kept), status(&revoked)], [200, 401]);
}
