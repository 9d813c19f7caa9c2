//! All nodes use the store's clock. A system clock that is wrong or jumps refuses no token and deletes nothing.

use std::ffi::OsString;
use std::net::Ipv4Addr;
use std::thread;
use std::time::Duration;

use chrono::DateTime;
use doorward::internals::config;
use doorward::internals::model::event::Actor;
use doorward::system::{Clock, Entropy};
use doorward::{Access, Config, NewToken, Node, Transport};
use serde_json::{Value, json};

use crate::common::cluster::RedisCluster;
use crate::common::fake_time::FakeTime;
use crate::common::http::Response;
use crate::common::process::wait_for;
use crate::common::recovery::await_ready;
use crate::common::redis::RedisServer;
use crate::common::server::{Server, assert_invalid_token, bearer, identity, text, token_path};
use crate::common::store::eventually;

const DAY_MS: i64 = 24 * 3600 * 1000;
/// A busy machine must not count as an outage.
const PATIENT: (&str, &str) = ("DOORWARD_REDIS_TIMEOUT", "4s");
/// Each access renews the token and is written soon.
const EAGER: [(&str, &str); 4] = [
    PATIENT,
    ("DOORWARD_RENEWAL_STEP", "0%"),
    ("DOORWARD_FLUSH_INTERVAL", "100ms"),
    ("DOORWARD_RENEWAL_EXEMPT_HEADER", "x-exempt"),
];
const EXEMPT: (&str, &str) = ("X-Exempt", "1");

fn server_with_clock(settings: &[(&str, &str)], clock: &FakeTime) -> Server {
    let env = clock.env();
    let env: Vec<_> = env.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    Server::start(&[&EAGER[..], settings, &env].concat())
}

fn ready(server: &Server) -> Response {
    server.validation().get("/readyz", &[])
}

fn date_ms(response: &Response) -> i64 {
    DateTime::parse_from_rfc2822(response.header("date").unwrap()).unwrap().timestamp_millis()
}

fn ms(timestamp: &Value) -> i64 {
    DateTime::parse_from_rfc3339(text(timestamp)).unwrap().timestamp_millis()
}

/// A login, checks, a renewal and a listing on two nodes behave as on one node.
fn assert_undisturbed(right: &Server, wrong: &Server) {
    let live_before = right.list("?limit=1000").0.len();
    let ours = [right, wrong].map(|server| server.issue(json!({"idle_seconds": 3600})));
    for token in &ours {
        for server in [wrong, right, wrong] {
            let response = server.auth(&token["token"]);
            assert_eq!(identity(&response)[0], "alice", "{}", server.log());
            assert_eq!(ready(server).status, 200, "{}", server.log());
        }
        // A renewal on the node with the wrong clock, as the other node sees it.
        wait_for("the renewal is written", || {
            wrong.auth(&token["token"]);
            (ms(&right.token(&token["id"])["expires_at"]) > ms(&token["expires_at"])).then_some(())
        });
        let lives_ms = ms(&right.token(&token["id"])["expires_at"]) - ms(&token["created_at"]);
        assert!(lives_ms < 2 * 3_600_000, "{lives_ms}");
    }
    assert_eq!(right.list("?limit=1000").0.len(), live_before + 2);
    // Answered by hyper and by the fast path.
    for answer in [ready(wrong), wrong.auth(&ours[0]["token"])] {
        let apart_ms = date_ms(&answer) - date_ms(&ready(right));
        assert!(apart_ms.abs() < 60_000, "{apart_ms}");
    }
}

#[test]
fn a_system_clock_jump_refuses_and_deletes_nothing() {
    let redis = RedisServer::start();
    let clock = FakeTime::new("+3d");
    let right = Server::on(&redis, &EAGER);
    let wrong = server_with_clock(&[("DOORWARD_REDIS_URL", &redis.url())], &clock);
    for error in ["+3d", "+0", "-3d", "+3d", "+0"] {
        clock.set(error);
        assert_undisturbed(&right, &wrong);
    }
    wrong.wait_for_log("system clock is wrong");
}

#[test]
fn the_embedded_store_ignores_system_clock_jumps() {
    let clock = FakeTime::new("+0");
    let server = server_with_clock(&[], &clock);
    let boottime = Clock::system();
    for error in ["-4s", "+4s"] {
        let issuing_ms = boottime.boottime_ms();
        let token = server.issue(json!({"idle_seconds": 3}));
        let issued_ms = boottime.boottime_ms();
        clock.set(error);
        let authorization = bearer(&token["token"]);
        let ask = || server.validation().get("/auth", &[("Authorization", &authorization), EXEMPT]);
        let early = ask();
        if boottime.boottime_ms() < issuing_ms + 3_000 {
            assert_eq!(identity(&early)[0], "alice", "{error}");
        }
        thread::sleep(Duration::from_millis((issued_ms + 3_000).saturating_sub(boottime.boottime_ms())));
        assert_invalid_token(&ask());
        clock.set("+0");
    }
}

/// Redis itself deletes keys that expire in a jump: none does here.
#[test]
fn a_clock_jump_of_redis_is_followed() {
    let clock = FakeTime::new("+0");
    let redis = RedisServer::with_clock(&["--appendonly", "no"], &clock);
    let server = Server::on(&redis, &[PATIENT, ("DOORWARD_CACHE_ENTRIES", "0")]);
    let token = server.issue(json!({"idle_seconds": 7 * 86_400}));
    for error in ["+2d", "+0", "-2d"] {
        clock.set(error);
        let body = json!({"user": "bob", "ip": "203.0.113.7"});
        let issued = wait_for("logins work by the new clock", || {
            assert_eq!(identity(&server.auth(&token["token"]))[0], "alice", "{}", server.log());
            let response = server.call("POST", "/v1/tokens", Some(&body));
            assert!([201, 503].contains(&response.status), "{}", response.text());
            let issued = (response.status == 201).then(|| response.json())?;
            let redis_ms: i64 = redis.cli(&["TIME"]).lines().next().unwrap().parse::<i64>().unwrap() * 1000;
            ((ms(&issued["created_at"]) - redis_ms).abs() < 60_000).then_some(issued)
        });
        await_ready(&server);
        assert_eq!(identity(&server.auth(&issued["token"]))[0], "bob");
        assert_eq!(server.call("DELETE", &token_path(&issued["id"]), None).status, 204);
    }
    server.wait_for_log("store clock has jumped");
}

#[test]
fn a_master_with_a_wrong_clock_is_named_and_the_others_work() {
    let clocks = ["+0", "+0", "+1h"].map(FakeTime::new);
    let cluster = RedisCluster::with_clocks(&clocks, &["--cluster-node-timeout", "60000"]);
    let server =
        Server::start(&[PATIENT, ("DOORWARD_REDIS_URL", &cluster.url()), ("DOORWARD_LOG_LEVEL", "debug")]);
    let wrong_port = format!(":{} is", cluster.masters[2].port());
    assert_eq!(ready(&server).status, 503);
    server.wait_for_log(&wrong_port);
    let body = |user: &str| json!({"user": user, "ip": "203.0.113.7"});
    // A third of the users are on the master with the wrong clock.
    let statuses: Vec<_> = (0..30)
        .map(|n| server.call("POST", "/v1/tokens", Some(&body(&format!("user {n}")))).status)
        .collect();
    assert!(statuses.contains(&201) && statuses.contains(&503), "{statuses:?}");
    assert!(statuses.iter().all(|status| [201, 503].contains(status)), "{statuses:?}");
    clocks[2].set("+0");
    await_ready(&server);
    for n in 0..30 {
        let response = server.call("POST", "/v1/tokens", Some(&body(&format!("user {n}"))));
        assert_eq!(response.status, 201, "{}", response.text());
    }
}

fn settings(given: &[(&str, &str)]) -> Config {
    let owned = |(name, value): &(&str, &str)| (OsString::from(name), OsString::from(value));
    config::load_node(given.iter().map(owned)).unwrap()
}

async fn node(settings: &Config, error_ms: i64) -> Node {
    Node::start_with(settings, Clock::with_wrong_wall(error_ms), Entropy::system()).await.unwrap()
}

#[tokio::test]
async fn the_rotation_grace_is_the_same_on_all_nodes() {
    let redis = RedisServer::start();
    // Less than the difference of the system clocks.
    let settings =
        settings(&[("DOORWARD_REDIS_URL", &redis.url()), ("DOORWARD_ROTATION_GRACE", "7s"), PATIENT]);
    let (behind, ahead) = (node(&settings, -4_000).await, node(&settings, 4_000).await);
    let boottime = Clock::system();
    for [here, there] in [[&behind, &ahead], [&ahead, &behind]] {
        assert!(here.readiness().is_ready() && there.readiness().is_ready());
        let first = here.service().issue(NewToken::new("alice", Ipv4Addr::LOCALHOST.into()), Actor::Doorward);
        let first = first.await.unwrap();
        let rotating_ms = boottime.boottime_ms();
        let second = here.service().rotate(first.token.record.id, Actor::Doorward).await.unwrap();
        let validator = there.validator().await;
        for token_string in [&first.token_string, &second.token_string] {
            let valid =
                validator.validate(token_string.as_bytes(), Transport::Header, Access::Exempt).await.unwrap();
            if boottime.boottime_ms() < rotating_ms + 7_000 {
                assert!(valid.is_some());
            }
        }
    }
    // The nodes' clocks agree to within the latency of Redis.
    eventually("the clocks agree", async || {
        let [from_ms, ahead_ms, to_ms] =
            [&behind, &ahead, &behind].map(|node| node.service().clock().now_ms());
        (from_ms <= ahead_ms + 20 && ahead_ms <= to_ms + 20).then_some(())
    })
    .await;
    behind.stop().await;
    ahead.stop().await;
}

#[tokio::test]
async fn a_node_started_without_its_store_does_not_trust_its_system_clock() {
    let mut redis = RedisServer::start_durable();
    let keys = "a-token-key-of-the-tests-0123456789abcdef";
    let settings = settings(&[("DOORWARD_REDIS_URL", &redis.url()), ("DOORWARD_TOKEN_KEYS", keys), PATIENT]);
    let first = node(&settings, 0).await;
    let login = NewToken::new("alice", Ipv4Addr::LOCALHOST.into());
    let token_string = first.service().issue(login, Actor::Doorward).await.unwrap().token_string;
    first.stop().await;
    redis.kill();
    let late = node(&settings, 365 * DAY_MS).await;
    let validator = late.validator().await;
    assert!(!late.readiness().is_ready());
    redis.restart();
    eventually("valid", async || {
        match validator.validate(token_string.as_bytes(), Transport::Header, Access::Exempt).await {
            Ok(None) => panic!("refused by the system's clock"),
            Ok(Some(_)) => Some(()),
            Err(_) => None,
        }
    })
    .await;
    late.stop().await;
}
