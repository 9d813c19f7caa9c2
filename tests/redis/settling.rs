//! What a node answers after Redis has lost data: what it remembers is there again, and what another node may remember
//! is no refusal yet.

use doorward::system::Clock;
use serde_json::{Value, json};

use crate::common::http::Response;
use crate::common::process::wait_for;
use crate::common::recovery::{await_answer, await_passes, await_ready, await_refused};
use crate::common::redis::RedisServer;
use crate::common::server::{Server, key, token_path};

/// Longer than any test, so that nothing is forgotten while a busy machine waits.
const WINDOW: (&str, &str) = ("DOORWARD_REPLAY_WINDOW", "10m");
/// Remembers nothing, so that its changes are lost for good.
const FORGETFUL: (&str, &str) = ("DOORWARD_REPLAY_WINDOW", "0");
/// `REPLAY_SETTLE`.
const SETTLE_MS: u64 = 3_000;

/// Waits until each of two nodes has counted the subscribers of the events twice more.
fn await_counts(redis: &RedisServer) {
    let counts = || {
        let text = redis.cli(&["INFO", "commandstats"]);
        let line = text.lines().find(|line| line.starts_with("cmdstat_pubsub|numsub:"))?;
        line.split(['=', ',']).nth(1)?.parse::<u64>().ok()
    };
    let before = counts().unwrap_or(0);
    wait_for("the nodes count each other", || (counts()? >= before + 5).then_some(()));
}

/// Waits until the node has accepted the data of the restarted server, and returns the line about it.
fn await_accepted(node: &Server) -> String {
    wait_for("the other data is accepted", || {
        node.log().lines().find(|line| line.contains("redis data accepted")).map(str::to_owned)
    })
}

#[test]
fn a_restart_without_persistence_loses_nothing_that_a_node_remembers() {
    let mut redis = RedisServer::start();
    let nodes = [Server::on(&redis, &[WINDOW]), Server::on(&redis, &[WINDOW])];
    nodes.iter().for_each(await_ready);
    await_counts(&redis);
    let live = nodes[0].issue(json!({"user": "alice"}));
    let revoked = nodes[0].issue(json!({"user": "alice"}));
    nodes[0].revoke(&revoked["id"]);
    let rotated = nodes[1].call("POST", &format!("{}/rotate", token_path(&live["id"])), None).json();

    redis.restart();
    for node in &nodes {
        for token in [&live, &rotated] {
            await_passes(node, token);
        }
        await_refused(node, &revoked);
    }
}

#[test]
fn what_another_node_may_remember_is_not_refused_at_once() {
    let mut redis = RedisServer::start();
    let (node, other) = (Server::on(&redis, &[WINDOW]), Server::on(&redis, &[FORGETFUL]));
    [&node, &other].into_iter().for_each(await_ready);
    await_counts(&redis);
    let lost = other.issue(json!({"user": "alice"}));
    assert_eq!(node.auth(&lost["token"]).status, 200);

    let clock = Clock::system();
    // The other data is accepted later. A busy machine only makes refusals later, too.
    let may_refuse_at_ms = clock.boottime_ms() + SETTLE_MS;
    redis.restart();
    let line = await_accepted(&node);
    assert!(line.contains("settles=true"), "{line}");
    let path = token_path(&lost["id"]);
    let asks: [(&dyn Fn() -> Response, u16); 3] = [
        (&|| node.call("GET", &path, None), 404),
        (&|| node.auth(&lost["token"]), 401),
        (&|| node.call("DELETE", &path, None), 404),
    ];
    for (ask, refusal) in asks {
        assert_eq!(await_answer(&node, ask).status, refusal);
        assert!(clock.boottime_ms() >= may_refuse_at_ms);
    }
}

#[test]
fn a_request_is_done_once_although_redis_has_lost_it() {
    let mut redis = RedisServer::start();
    let node = Server::on(&redis, &[WINDOW]);
    await_ready(&node);
    let send = |path: &str, body: &Value| {
        node.admin().request("POST", path, &[key(), ("Idempotency-Key", "a")], Some(body))
    };
    let (login, device) = (json!({"user": "alice", "ip": "192.0.2.1"}), json!({"uuid": "phone"}));
    let string = "9944b09199c62bcf9418ad846dd0e4bbdfc6ee4b";
    let import = json!({"tokens": [{"scheme": "drf", "user": "dave", "token": string}]});
    let issued = send("/v1/tokens", &login).json();
    let rotation = format!("{}/rotate", token_path(&issued["id"]));
    let rotated = send(&rotation, &json!({})).json();
    let devices = "/v1/users/alice/devices";
    assert_eq!(send(devices, &device).status, 201);
    let imported = send("/v1/import", &import);

    redis.restart();
    await_accepted(&node);
    for (path, body) in [("/v1/tokens", &login), (&rotation, &json!({})), (devices, &device)] {
        let problem = await_answer(&node, || send(path, body)).json();
        assert_eq!(problem["type"], "urn:doorward:problem:idempotency-replay", "{path}: {problem}");
    }
    assert_eq!(send("/v1/tokens", &login).json()["token"], issued["id"]);
    assert_eq!(send("/v1/tokens", &json!({"user": "bob", "ip": "192.0.2.1"})).status, 422, "another body");
    assert_eq!(send("/v1/import", &import).json(), imported.json());
    await_passes(&node, &rotated);
}

/// Without the key, a node that starts now would take every token for forged.
#[test]
fn the_token_key_is_back_before_a_node_accepts_other_data() {
    let mut redis = RedisServer::start();
    let node = Server::on(&redis, &[WINDOW]);
    await_ready(&node);
    let token = node.issue(json!({"user": "alice"}));
    let before = redis.cli(&["GET", "dw:m:check-key"]);
    redis.restart();
    await_accepted(&node);
    assert_eq!(redis.cli(&["GET", "dw:m:check-key"]), before);
    let other = Server::on(&redis, &[WINDOW]);
    await_passes(&other, &token);
}

#[test]
fn a_node_that_is_alone_refuses_at_once() {
    let mut redis = RedisServer::start();
    let node = Server::on(&redis, &[WINDOW]);
    await_ready(&node);
    redis.restart();
    let line = await_accepted(&node);
    assert!(line.contains("settles=false"), "{line}");
}
