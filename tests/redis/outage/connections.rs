//! Connections to Redis that are closed, die silently or are slow to answer while Redis itself works.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::json;

use super::support::status;
use crate::common::process::wait_for;
use crate::common::redis::RedisServer;
use crate::common::relay::Relay;
use crate::common::server::{Server, identity};
use crate::common::stop_on_drop::StopOnDrop;

/// A firewall that forgets its flows drops their packets silently.
#[test]
fn a_large_pool_of_dead_connections_is_replaced_at_once() {
    const CONNECTIONS: usize = 64;
    let redis = RedisServer::start();
    let relay = Relay::start(&format!("127.0.0.1:{}", redis.port()));
    let url = format!("redis://{}", relay.addr());
    let pool = [("DOORWARD_REDIS_CONNECTIONS", "64"), ("DOORWARD_REDIS_TIMEOUT", "4s")];
    let server = Server::start(&[&pool[..], &[("DOORWARD_REDIS_URL", &url)]].concat());
    server.issue(json!({}));
    wait_for("the pool is large", || {
        thread::scope(|scope| {
            // A listing has a connection of its own.
            let list = || server.call("GET", "/v1/users/alice/tokens", None);
            (0..CONNECTIONS).for_each(|_| drop(scope.spawn(list)));
        });
        (relay.connections() >= CONNECTIONS / 4).then_some(())
    });
    relay.forget_flows();
    let body = json!({"user": "alice", "ip": "203.0.113.7"});
    // Timeouts in sequence would take longer than this deadline: at least 16 times 4 s.
    wait_for("logins are back", || {
        (server.call("POST", "/v1/tokens", Some(&body)).status == 201).then_some(())
    });
    // All connections were replaced, not just one.
    (0..2 * CONNECTIONS).for_each(|_| drop(server.issue(json!({}))));
}

/// Redis's `timeout` and proxies close idle connections. That is no outage, even if the next connection is closed at
/// once.
#[test]
fn closed_connections_fail_no_request() {
    let redis = RedisServer::start();
    let server = Server::on(&redis, &[("DOORWARD_CACHE_ENTRIES", "0")]);
    let token = server.issue(json!({}));
    for _ in 0..20 {
        for _ in 0..2 {
            redis.cli(&["CLIENT", "KILL", "TYPE", "normal"]);
            // Each on its own connection, so that all threads are used.
            (0..4).for_each(|_| assert_eq!(server.auth(&token["token"]).status, 200));
        }
        redis.cli(&["CLIENT", "KILL", "TYPE", "normal"]);
        server.issue(json!({}));
    }
}

/// A script is sent at most once, so a closed connection must be noticed before, even if it answered a moment ago.
#[test]
fn a_connection_closed_just_after_an_answer_fails_no_request() {
    let redis = RedisServer::start();
    let server = Server::on(&redis, &[]);
    let mut connection = redis::Client::open(redis.admin_url()).unwrap().get_connection().unwrap();
    for _ in 0..50 {
        server.issue(json!({}));
        redis::cmd("CLIENT").arg("KILL").arg("TYPE").arg("normal").exec(&mut connection).unwrap();
        server.issue(json!({}));
    }
}

#[test]
fn closed_connections_leave_the_node_ready() {
    let redis = RedisServer::start();
    let server = Server::on(&redis, &[]);
    let looks = || redis.info("commandstats", "cmdstat_time").split(',').next().unwrap().to_owned();
    for _ in 0..3 {
        redis.cli(&["CLIENT", "KILL", "TYPE", "normal"]);
        for _ in 0..2 {
            let before = looks();
            wait_for("the next look", || {
                assert_eq!(status(&server, "/readyz"), 200, "{}", server.log());
                (looks() != before).then_some(())
            });
        }
    }
    assert!(!server.log().contains("ERROR"), "{}", server.log());
}

/// On a busy machine, the first answers of Redis may be late. A node that reported "ready" must still serve requests.
#[test]
fn a_slow_first_answer_does_not_make_a_starting_node_unavailable() {
    let redis = RedisServer::start();
    redis.freeze();
    thread::scope(|scope| {
        scope.spawn(|| {
            // Longer than the first inspection, shorter than all of them.
            thread::sleep(Duration::from_millis(4_000));
            redis.thaw();
        });
        let server = Server::on(&redis, &[("DOORWARD_REDIS_TIMEOUT", "3s")]);
        let token = server.issue(json!({}));
        identity(&server.auth(&token["token"]));
        assert_eq!(status(&server, "/readyz"), 200, "{}", server.log());
    });
}

#[test]
fn flushed_scripts_fail_no_request() {
    let redis = RedisServer::start();
    let server = Server::on(&redis, &[]);
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let _over = StopOnDrop(&is_over);
        scope.spawn(|| {
            let mut connection = redis::Client::open(redis.url()).unwrap().get_connection().unwrap();
            while !is_over.load(Ordering::SeqCst) {
                redis::cmd("SCRIPT").arg("FLUSH").exec(&mut connection).unwrap();
            }
        });
        let statuses: Vec<_> = (0..300)
            .map(|n| {
                let body = json!({"user": format!("user-{n}"), "ip": "203.0.113.7"});
                server.call("POST", "/v1/tokens", Some(&body)).status
            })
            .collect();
        assert!(statuses.iter().all(|status| *status == 201), "{statuses:?}");
    });
}
