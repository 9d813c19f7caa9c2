//! Cut-offs on several nodes, and the worker that revokes their tokens for good.

use serde_json::{Value, json};

use super::cluster::support::users;
use super::nodes::{start, status};
use crate::common::cluster::{RedisCluster, slot_of};
use crate::common::process::wait_for;
use crate::common::recovery::{await_heard, await_passes, await_ready, await_unready, ready};
use crate::common::redis::RedisServer;
use crate::common::server::{Server, assert_invalid_token, identity, token_path};
use crate::common::store::raw_connection;

const CUTOFFS: &str = "dw:m:{01c1}:cutoffs";
const LEASE: &str = "dw:m:{01c1}:walk";

/// Refuses every token that was created until now.
fn cut_all(server: &Server) {
    let newest = wait_for("the next millisecond", || {
        let probe = server.issue(json!({"user": "probe"}));
        let again = server.issue(json!({"user": "probe"}));
        (again["created_at"] != probe["created_at"]).then_some(again)
    });
    let response = server.call("PUT", "/v1/cutoffs/all", Some(&json!({"before": newest["created_at"]})));
    assert!([200, 201].contains(&response.status), "{}", response.text());
}

fn finished(server: &Server) -> Value {
    wait_for("the walk is finished", || {
        let cutoffs = server.call("GET", "/v1/cutoffs", None).json()["cutoffs"].clone();
        cutoffs[0]["finished_at"].is_string().then(|| cutoffs[0].clone())
    })
}

fn fault_kinds(server: &Server) -> Vec<Value> {
    status(server)["faults"].as_array().unwrap().iter().map(|fault| fault["kind"].clone()).collect()
}

/// A cut-off at the time `before_ms`, written without an event: the event was lost.
fn write_silently(redis: &RedisServer, before_ms: u64) {
    let number = |n: u64| [&[0xcf], &n.to_be_bytes()[..]].concat();
    let entry = [vec![0x95], number(before_ms), number(before_ms), number(0), number(0), number(0)].concat();
    redis::cmd("HSET").arg(CUTOFFS).arg("all").arg(entry).exec(&mut raw_connection(redis)).unwrap();
}

#[test]
fn every_node_refuses_the_tokens_of_a_cutoff() {
    let redis = RedisServer::start();
    let (one, other) = (start(&redis.url()), start(&redis.url()));
    let token = one.issue(json!({}));
    assert_eq!(identity(&other.auth(&token["token"]))[0], "alice", "it is cached there");
    cut_all(&one);
    assert_invalid_token(&one.auth(&token["token"]));
    await_heard(&other, &token);
    let new = one.issue(json!({}));
    assert_eq!(identity(&other.auth(&new["token"]))[0], "alice");
    assert_eq!(one.token(&token["id"])["is_active"], false);
    assert_eq!(finished(&other)["finished_at"], finished(&one)["finished_at"]);
}

#[test]
fn a_lost_event_is_made_good_by_the_next_look() {
    let redis = RedisServer::start();
    let server = start(&redis.url());
    let token = server.issue(json!({}));
    assert_eq!(server.auth(&token["token"]).status, 200);
    let time: (u64, u64) = redis::cmd("TIME").query(&mut raw_connection(&redis)).unwrap();
    write_silently(&redis, (time.0 + 1) * 1000);
    await_heard(&server, &token);
    assert_eq!(redis.cli(&["HDEL", CUTOFFS, "all"]), "1");
    // Unless the worker was faster.
    wait_for("good again or revoked", || {
        let is_revoked = server.token(&token["id"])["revoked_reason"] == "cutoff";
        (is_revoked || server.auth(&token["token"]).status == 200).then_some(())
    });
}

#[test]
fn a_starting_node_admits_no_token_of_a_cutoff() {
    let redis = RedisServer::start();
    let one = start(&redis.url());
    let token = one.issue(json!({}));
    // Without a worker that revokes it: only the rule refuses it.
    redis.cli(&["SET", LEASE, "a node that stands still", "PX", "600000"]);
    cut_all(&one);
    drop(one);
    let started = start(&redis.url());
    let first = started.auth(&token["token"]).status;
    assert!([401, 503].contains(&first), "{first}");
    await_ready(&started);
    assert_invalid_token(&started.auth(&token["token"]));
    let keys = redis.cli(&["KEYS", "dw:t:*"]);
    let revoked: Vec<_> = keys.lines().map(|key| redis.cli(&["HEXISTS", key, "e"])).collect();
    assert!(!revoked.is_empty() && revoked.iter().all(|revoked| revoked == "0"), "no worker came to it");
}

#[test]
fn a_node_that_cannot_read_the_cutoffs_says_so() {
    let redis = RedisServer::start();
    let server = start(&redis.url());
    let token = server.issue(json!({}));
    cut_all(&server);
    finished(&server);
    redis.cli(&["HSET", CUTOFFS, "slug:web", "garbled"]);
    wait_for("cutoffs_stale", || fault_kinds(&server).contains(&json!("cutoffs_stale")).then_some(()));
    assert_eq!(ready(&server), 200);
    server.wait_for_log("cutoffs not read");
    assert_invalid_token(&server.auth(&token["token"]));
    let new = server.issue(json!({}));
    assert_eq!(identity(&server.auth(&new["token"]))[0], "alice");

    let started = start(&redis.url());
    await_unready(&started);
    assert!(fault_kinds(&started).contains(&json!("cutoffs_unknown")), "{}", status(&started));
    assert_eq!(started.auth(&new["token"]).status, 503);
    redis.cli(&["HDEL", CUTOFFS, "slug:web"]);
    await_ready(&started);
    assert_eq!(identity(&started.auth(&new["token"]))[0], "alice");
    wait_for("no fault", || (!fault_kinds(&server).contains(&json!("cutoffs_stale"))).then_some(()));
}

#[test]
fn an_imported_token_is_judged_by_its_own_time() {
    let redis = RedisServer::start();
    let server = start(&redis.url());
    let body = json!({"before": "2020-01-01T00:00:00Z"});
    assert_eq!(server.call("PUT", "/v1/cutoffs/backend:ldap", Some(&body)).status, 201);
    finished(&server);
    let token = server.issue(json!({"backend": "ldap"}));
    let other = server.issue(json!({"backend": "sso"}));
    for key in redis.cli(&["KEYS", "dw:t:*"]).lines() {
        redis.cli(&["HSET", key, "c", "1500000000000"]);
    }
    assert_invalid_token(&server.auth(&token["token"]));
    assert_eq!(identity(&server.auth(&other["token"]))[0], "alice");
    assert_eq!(server.token(&token["id"])["revoked_reason"], "cutoff");
}

#[test]
fn another_node_takes_over_the_walk_of_a_killed_one() {
    /// Adds or removes keys; so few at once that Redis never counts as busy.
    const KEYS: &str =
        "for n = 1, 10000 do redis.call(ARGV[1], 'other:' .. ARGV[2] .. n, unpack(ARGV, 3)) end";
    /// The walk lasts until its node is killed: 20 s.
    const ROUNDS: usize = 20;
    let redis = RedisServer::start();
    let mut first = start(&redis.url());
    let tokens: Vec<_> = (0..20).map(|n| first.issue(json!({"user": format!("user-{n}")}))).collect();
    let keys = |command: &[&str]| {
        for round in 0..ROUNDS {
            let round = format!("{round}:");
            let arguments = [&[command[0], &round], &command[1..]].concat();
            redis.cli(&[&["EVAL", KEYS, "0"], &arguments[..]].concat());
        }
    };
    keys(&["SET", ""]);
    cut_all(&first);
    let holder = || redis.cli(&["GET", LEASE]);
    wait_for("the walk has begun", || (!holder().is_empty()).then_some(()));
    first.kill9();
    let (killed, left_ms) = (holder(), redis.cli(&["PTTL", LEASE]));
    assert!(left_ms.parse::<u64>().is_ok_and(|left_ms| left_ms <= 10_000), "{left_ms}");
    // A busy machine may need longer for what follows.
    assert_eq!(redis.cli(&["PEXPIRE", LEASE, "600000"]), "1");
    keys(&["DEL"]);
    let second = start(&redis.url());
    await_ready(&second);
    let cutoffs = second.call("GET", "/v1/cutoffs", None).json()["cutoffs"].clone();
    assert_eq!((&cutoffs[0]["finished_at"], holder()), (&Value::Null, killed.clone()));
    // Sooner than by its time.
    redis.cli(&["PEXPIRE", LEASE, "1"]);
    finished(&second);
    assert_ne!(holder(), killed);
    assert_eq!(second.call("DELETE", "/v1/cutoffs/all", None).status, 204);
    tokens.iter().for_each(|token| assert_invalid_token(&second.auth(&token["token"])));
    tokens.iter().for_each(|token| assert_eq!(second.token(&token["id"])["revoked_reason"], "cutoff"));
}

#[test]
fn a_removed_cutoff_stops_the_walk() {
    let redis = RedisServer::start();
    let server = start(&redis.url());
    let token = server.issue(json!({}));
    redis.cli(&["SET", LEASE, "a node that stands still", "PX", "600000"]);
    cut_all(&server);
    assert_invalid_token(&server.auth(&token["token"]));
    assert_eq!(server.call("DELETE", "/v1/cutoffs/all", None).status, 204);
    assert_eq!(identity(&server.auth(&token["token"]))[0], "alice", "the next request");
    redis.cli(&["DEL", LEASE]);
    assert_eq!(server.token(&token["id"])["is_active"], true);
}

#[test]
fn a_cluster_keeps_the_cutoffs_while_their_master_is_away() {
    let mut cluster = RedisCluster::start();
    let (one, other) = (start(&cluster.url()), start(&cluster.url()));
    await_ready(&one);
    let owner = cluster.owner(slot_of(&cluster.masters[0], CUTOFFS)).unwrap();
    // Users on another master than the cut-offs'.
    let users: Vec<_> = users(&cluster).into_iter().map(|(user, _)| user).collect();
    let user = &users[(owner + 1) % users.len()];
    let old: Vec<_> = users.iter().map(|user| one.issue(json!({"user": user}))).collect();
    cut_all(&one);
    for token in &old {
        assert_invalid_token(&one.auth(&token["token"]));
        await_heard(&other, token);
    }
    finished(&one);
    let new = one.issue(json!({"user": user}));
    assert_eq!(identity(&other.auth(&new["token"]))[0], *user);
    cluster.masters[owner].kill();
    wait_for("the fault is known", || fault_kinds(&other).contains(&json!("unreachable")).then_some(()));
    await_passes(&other, &new);
    let response = one.call("PUT", "/v1/cutoffs/slug:x", Some(&json!({"before": "2026-01-01T00:00:00Z"})));
    assert_eq!(response.status, 503, "{}", response.text());
    let refused = &old[(owner + 1) % users.len()];
    assert_invalid_token(&other.auth(&refused["token"]));
    let started = start(&cluster.url());
    for _ in 0..5 {
        assert_eq!(ready(&started), 503);
        assert_eq!(started.auth(&new["token"]).status, 503);
        assert_eq!(started.auth(&refused["token"]).status, 503);
    }
    cluster.masters[owner].restart();
    await_ready(&started);
}

#[test]
fn a_walk_covers_all_masters_and_moved_slots() {
    let cluster = RedisCluster::start();
    let server = start(&cluster.url());
    await_ready(&server);
    let users: Vec<_> = (0..60).map(|n| format!("user-{n}")).collect();
    let tokens: Vec<_> = users.iter().map(|user| server.issue(json!({"user": user}))).collect();
    cut_all(&server);
    let from = cluster.owner(0).unwrap();
    cluster.move_slot(0, from, (from + 1) % 3, || {});
    let cutoff = finished(&server);
    assert!(cutoff["revoked"].as_u64().unwrap() >= 60, "{cutoff}");
    assert_eq!(server.call("DELETE", "/v1/cutoffs/all", None).status, 204);
    for token in &tokens {
        assert_eq!(server.token(&token["id"])["revoked_reason"], "cutoff");
        assert_invalid_token(&server.auth(&token["token"]));
    }
}

#[test]
fn turned_off_takeovers_end_on_all_nodes() {
    let redis = RedisServer::start();
    let with = start(&redis.url());
    let token = with.issue(json!({}));
    let path = token_path(&token["id"]) + "/takeover";
    // Until the test has looked, no worker ends it.
    redis.cli(&["SET", LEASE, "a node that stands still", "PX", "600000"]);
    assert_eq!(with.call("POST", &path, Some(&json!({"user": "bob"}))).status, 201);
    let without = Server::on(&redis, &[("DOORWARD_TAKEOVERS", "false")]);
    await_ready(&without);
    assert_eq!(identity(&without.auth(&token["token"]))[..2], ["alice", "alice"]);
    assert_eq!(without.token(&token["id"])["takeover"], Value::Null);
    assert_eq!(identity(&with.auth(&token["token"]))[..2], ["bob", "alice"]);
    assert_eq!(without.call("POST", &path, Some(&json!({"user": "bob"}))).status, 409);

    redis.cli(&["DEL", LEASE]);
    let users = wait_for("the takeover is ended", || {
        let answer = with.auth(&token["token"]);
        (identity(&answer)[0] == "alice").then(|| identity(&answer)[..2].join(" "))
    });
    assert_eq!(users, "alice alice");
    let history = without.call("GET", &(token_path(&token["id"]) + "/takeovers"), None).json();
    assert_eq!(history["takeovers"][0]["is_active"], false);
    let events = without.call("GET", "/v1/users/alice/events", None).json()["events"].clone();
    assert_eq!(
        (&events[0]["type"], &events[0]["reason"]),
        (&json!("takeover.ended"), &json!("takeovers_off"))
    );
}
