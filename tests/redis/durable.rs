//! Changes that wait for replicas or for the disk (`durable-writes`).

use serde_json::json;

use super::nodes::*;
use crate::common::http::Response;
use crate::common::process::wait_for;
use crate::common::recovery::{await_ready, issue_soon, ready, revoke_soon};
use crate::common::redis::RedisServer;
use crate::common::server::{Server, bearer, text};

fn with_replica(master: &RedisServer) -> RedisServer {
    let replica = RedisServer::with_args(&["--appendonly", "no", "--repl-diskless-sync-delay", "0"]);
    replica.cli(&["REPLICAOF", "127.0.0.1", &master.port().to_string()]);
    wait_for("the replica follows", || {
        (replica.info("replication", "master_link_status") == "up").then_some(())
    });
    replica
}

fn assert_not_durable(response: &Response) {
    assert_eq!(response.status, 503, "{}", response.text());
    assert_eq!(response.json()["type"], "urn:doorward:problem:not-durable");
    assert_eq!(response.header("retry-after"), Some("1"));
}

fn await_fault(server: &Server, cause: &str) {
    wait_for("the fault is reported", || {
        let faults = all_faults(server);
        let fault = faults.iter().find(|fault| fault["kind"] == "not_durable")?;
        assert_eq!(fault["severity"], "fault");
        text(&fault["cause"]).contains(cause).then_some(())
    });
    assert_eq!(ready(server), 200, "tokens are still validated");
}

#[test]
fn a_change_waits_for_its_replica() {
    let master = RedisServer::with_args(&["--appendonly", "no", "--repl-diskless-sync-delay", "0"]);
    let replica = with_replica(&master);
    let server = Server::on(&master, &[("DOORWARD_DURABLE_WRITES", "replicas:1")]);
    await_ready(&server);
    let token = issue_soon(&server, &json!({}));
    assert!(replica.keys().iter().any(|key| key.contains(":t:")), "{:?}", replica.keys());

    let tokens = || server.list("").0.len();
    let before = tokens();
    replica.freeze();
    let body = json!({"user": "alice", "ip": "192.0.2.1"});
    assert_not_durable(&server.call("POST", "/v1/tokens", Some(&body)));
    assert_eq!(tokens(), before + 1, "the change is done");
    // A logout by the holder, and a revocation that is repeated.
    assert_eq!(server.auth(&token["token"]).status, 200);
    let authorization = bearer(&token["token"]);
    let log_out =
        || server.validation().request("POST", "/logout", &[("Authorization", &authorization)], None);
    assert_eq!(log_out().status, 503);
    assert_eq!(server.auth(&token["token"]).status, 401, "the change is done");
    replica.thaw();
    revoke_soon(&server, &token["id"]);
    issue_soon(&server, &json!({}));
    server.wait_for_log("change not durable in time");
}

#[test]
fn too_few_replicas_are_a_fault() {
    let master = RedisServer::start();
    let server = Server::on(&master, &[("DOORWARD_DURABLE_WRITES", "replicas:1")]);
    await_fault(&server, "durable-writes is replicas:1, and 0 replicas are connected");
    assert_not_durable(&server.call(
        "POST",
        "/v1/tokens",
        Some(&json!({"user": "alice", "ip": "192.0.2.1"})),
    ));
    let _replica = with_replica(&master);
    wait_for("the fault is over", || {
        all_faults(&server).iter().all(|fault| fault["kind"] != "not_durable").then_some(())
    });
    issue_soon(&server, &json!({}));
}

#[test]
fn a_change_waits_for_the_disk() {
    let valkey = RedisServer::valkey_with_args(&["--appendonly", "yes", "--appendfsync", "everysec"]);
    let server = Server::on(&valkey, &[("DOORWARD_DURABLE_WRITES", "disk")]);
    await_ready(&server);
    // A busy disk may need longer than a change waits.
    let token = issue_soon(&server, &json!({}));
    revoke_soon(&server, &token["id"]);
    assert!(all_faults(&server).iter().all(|fault| fault["kind"] != "not_durable"));
    // Accesses and reads do not wait.
    assert!(server.list("?include=revoked").0.iter().any(|listed| listed["id"] == token["id"]));
}

#[test]
fn a_server_without_a_disk_to_wait_for_is_a_fault() {
    let valkey = RedisServer::start_valkey();
    let server = Server::on(&valkey, &[("DOORWARD_DURABLE_WRITES", "disk")]);
    await_fault(&server, "durable-writes is disk, and appendonly is no");
    assert_not_durable(&server.call(
        "POST",
        "/v1/tokens",
        Some(&json!({"user": "alice", "ip": "192.0.2.1"})),
    ));
    valkey.cli(&["CONFIG", "SET", "appendonly", "yes"]);
    wait_for("the fault is over", || {
        all_faults(&server).iter().all(|fault| fault["kind"] != "not_durable").then_some(())
    });

    let redis = RedisServer::start_durable();
    if redis.info("server", "redis_version").starts_with("7.0.") {
        let server = Server::on(&redis, &[("DOORWARD_DURABLE_WRITES", "disk")]);
        await_fault(&server, "without WAITAOF");
    }
}

#[test]
fn a_redis_user_that_may_not_wait_is_named() {
    let redis = RedisServer::start();
    redis.set_user(&["-wait"]);
    let server = Server::on(&redis, &[("DOORWARD_DURABLE_WRITES", "replicas:1")]);
    wait_for("the missing permission is named", || {
        all_faults(&server).into_iter().find(|fault| {
            fault["kind"] == "permission"
                && text(&fault["cause"]) == "the redis user doorward may not run WAIT"
                && text(&fault["fix"]) == "ACL SETUSER doorward +wait"
        })
    });
    // Without the setting, the permission is not needed.
    let server = Server::on(&redis, &[]);
    await_ready(&server);
    assert_eq!(all_faults(&server).iter().filter(|fault| fault["kind"] == "permission").count(), 0);
}
