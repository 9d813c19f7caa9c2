//! Redis is killed or frozen, and comes back.

use serde_json::json;

use super::support::*;
use crate::common::http::Client;
use crate::common::process::wait_for;
use crate::common::recovery::{await_passes, await_ready, issue_soon};
use crate::common::redis::RedisServer;
use crate::common::server::{Server, assert_invalid_token, assert_unavailable, identity, key};
use crate::redis::nodes::metric;

#[test]
fn a_node_recovers_when_redis_restarts() {
    let mut redis = RedisServer::start_durable();
    let server = Server::on(&redis, &[]);
    let issued = server.issue(json!({}));
    identity(&server.auth(&issued["token"]));
    for _ in 0..2 {
        redis.kill();
        assert_outage(&server, &issued);
        redis.restart();
        assert_back(&server, &issued);
    }
}

/// An outage without requests: later requests must not fail because of connections that broke meanwhile.
#[test]
fn an_outage_between_requests_fails_no_later_request() {
    let mut redis = RedisServer::start_durable();
    let server = Server::on(&redis, &[]);
    let tokens: Vec<_> = (0..8).map(|_| server.issue(json!({}))["token"].clone()).collect();
    let tracking = format!("doorward_tracking_live{{master=\"127.0.0.1:{}\"}}", redis.port());
    let await_tracking = |live: &str| {
        wait_for("the node notices", || (metric(&server, &tracking) == live).then_some(()));
    };
    await_tracking("1");
    redis.kill();
    await_tracking("0");
    redis.restart();
    // From now on, look-ups wait for their connections.
    await_tracking("1");
    // Each on its own connection, so that every thread is used.
    for token in &tokens {
        identity(&server.auth(token));
    }
}

#[test]
fn a_node_recovers_when_redis_thaws() {
    let redis = RedisServer::start();
    let server = Server::on(&redis, &[("DOORWARD_REDIS_TIMEOUT", "1s")]);
    let issued = issue_soon(&server, &json!({}));
    await_passes(&server, &issued);
    redis.freeze();
    assert_outage(&server, &issued);
    // The unacknowledged revocation is in Redis's socket and may run after the thaw, because a 503 on a write means
    // "unknown". So another token is checked.
    redis.thaw();
    await_ready(&server);
    let issued = issue_soon(&server, &json!({}));
    assert_back(&server, &issued);
}

#[test]
fn a_server_started_without_redis_connects_later() {
    let mut redis = RedisServer::start();
    redis.kill();
    let server = Server::on(&redis, &[]);
    assert_eq!([status(&server, "/livez"), status(&server, "/readyz")], [200, 503]);
    assert_unavailable(&server.validation().get("/auth", &[("Authorization", "Bearer dw_x")]));
    let body = json!({"user": "alice", "ip": "10.0.0.1"});
    assert_eq!(server.call("POST", "/v1/tokens", Some(&body)).status, 503);
    redis.restart();
    await_ready(&server);
    let issued = issue_soon(&server, &json!({}));
    assert_back(&server, &issued);
}

#[test]
fn acknowledged_changes_survive_a_crash_of_the_server() {
    let redis = RedisServer::start();
    let mut server = Server::on(&redis, &[]);
    let (kept, revoked) = (server.issue(json!({})), server.issue(json!({})));
    identity(&server.auth(&revoked["token"]));
    server.revoke(&revoked["id"]);
    server.restart();
    identity(&server.auth(&kept["token"]));
    assert_invalid_token(&server.auth(&revoked["token"]));
    assert_eq!(server.token(&revoked["id"])["is_active"], false);
}

/// An outage is logged once a second, however many calls are refused.
#[test]
fn unavailable_calls_are_logged_once_a_second() {
    let mut redis = RedisServer::start();
    let server = Server::on(&redis, &[]);
    redis.kill();
    let mut client = server.admin();
    let refused = |client: &mut Client| {
        assert_eq!(client.get("/v1/users/alice/tokens", &[key()]).status, 503);
    };
    (0..100).for_each(|_| refused(&mut client));
    // The next line reports the number of suppressed lines.
    let line = wait_for("a count", || {
        refused(&mut client);
        let log = server.log();
        log.lines()
            .find(|line| line.contains("not served") && line.contains("suppressed="))
            .map(str::to_owned)
    });
    assert!(line.contains("store unavailable") && line.contains("reason="), "{line}");
    assert!(server.log().matches("not served").count() < 100);
}
