//! Unusable or misconfigured stores: the node reports the fault and changes nothing in the store.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread;

use serde_json::{Value, json};

use super::nodes::*;
use crate::common::ports::Port;
use crate::common::process::wait_for;
use crate::common::recovery::{await_ready, await_unready, ready};
use crate::common::redis::{RedisServer, USER};
use crate::common::server::{Server, bearer, text};

/// Starts a server on this URL; returns the error line and its fault.
fn start_fault(url: &str, message: &str) -> (String, Value) {
    let server = start(url);
    let line = wait_for(&format!("{url} is logged as {message:?}"), || {
        let log = server.log();
        log.lines().find(|line| line.contains("ERROR") && line.contains(message)).map(str::to_owned)
    });
    assert_eq!(ready(&server), 503);
    // Faults are logged at most once a minute.
    thread::sleep(std::time::Duration::from_millis(1_500));
    assert_eq!(lines(&server, message), 1, "{}", server.log());
    assert!(!server.log().contains("hunter2"), "{}", server.log());
    assert!(line.contains("cause=") && line.contains("fix="), "{line}");
    (line, faults_of(&server)[0].clone())
}

#[test]
fn a_failed_connection_is_logged_with_its_cause_at_once() {
    let redis = RedisServer::start();
    let (port, unused) = (redis.port(), Port::reserve());
    let nobody = unused.number();
    let user = format!("{}:{}", USER.0, USER.1);
    let cases = [
        (format!("redis://{}:hunter2@127.0.0.1:{port}", USER.0), "redis login refused", "login", "password"),
        (
            format!("redis://{user}@127.0.0.1:{port}/99"),
            "redis database not selectable",
            "database",
            "database",
        ),
        (format!("rediss://{user}@127.0.0.1:{port}"), "redis tls handshake failed", "tls", "redis://"),
        (
            "redis://user:hunter2@no-such-host.invalid:6379".into(),
            "redis unreachable",
            "unreachable",
            "redis-url",
        ),
        (format!("redis://127.0.0.1:{nobody}"), "redis unreachable", "unreachable", "redis-url"),
        (format!("redis+cluster://127.0.0.1:{nobody}"), "redis unreachable", "unreachable", "redis-url"),
        (format!("redis+sentinel://127.0.0.1:{nobody}/m"), "redis unreachable", "unreachable", "redis-url"),
    ];
    thread::scope(|scope| {
        for (url, message, kind, fix) in &cases {
            scope.spawn(move || {
                let (line, fault) = start_fault(url, message);
                assert_eq!(fault["kind"], *kind, "{line}");
                assert!(text(&fault["fix"]).contains(fix) || line.contains("no answer within"), "{line}");
                let host = if url.contains("invalid") { "no-such-host.invalid" } else { "127.0.0.1" };
                assert!(text(&fault["server"]).contains(host), "{line}");
            });
        }
    });
}

#[test]
fn an_outage_and_its_end_are_logged() {
    let mut redis = RedisServer::start_durable();
    let server = Server::on(&redis, &[]);
    await_ready(&server);
    redis.kill();
    wait_for("the outage is logged", || (lines(&server, "redis unreachable") > 0).then_some(()));
    redis.restart();
    await_ready(&server);
    wait_for("the end of the outage is logged", || (lines(&server, "redis recovered") > 0).then_some(()));
}

#[test]
fn a_replica_is_reported_as_a_fault() {
    let master = RedisServer::start();
    let port = master.port().to_string();
    let replica = RedisServer::with_args(&["--appendonly", "no", "--replicaof", "127.0.0.1", &port]);
    let (line, fault) = start_fault(&replica.url(), "redis is a replica");
    assert_eq!(fault["kind"], "replica");
    assert!(text(&fault["fix"]).contains("master"), "{line}");
}

/// Replaces the schema version in one step: a node writes its version if it is missing.
fn put_schema(redis: &RedisServer, command: &[&str]) {
    let script = "redis.call('DEL', KEYS[1]) return redis.call(ARGV[1], KEYS[1], unpack(ARGV, 2))";
    redis.cli(&[&["EVAL", script, "1", "dw:m:schema"], command].concat());
}

#[test]
fn another_schema_version_stops_all_operations() {
    let redis = RedisServer::start();
    let servers = [Server::on(&redis, &[]), Server::on(&redis, &[])];
    let tokens = servers.each_ref().map(|server| {
        await_ready(server);
        issue(server).1["token"].clone()
    });
    servers.iter().for_each(|server| assert_eq!(server.auth(&tokens[0]).status, 200));
    let ours = redis.cli(&["GET", "dw:m:schema"]);
    let others: [&[&str]; 5] = [
        &["SET", "4"],
        &["SET", "garbage"],
        &["SET", ""],
        // Values that are not strings.
        &["HSET", "version", &ours],
        &["RPUSH", &ours],
    ];
    for other in others {
        put_schema(&redis, other);
        let kept = redis.keys();
        for server in &servers {
            await_unready(server);
            assert_eq!(issue(server).0, 503, "{other:?}");
            assert_eq!(server.call("DELETE", "/v1/users/alice/tokens", None).status, 503);
            assert_eq!(server.call("GET", "/v1/users/alice/tokens", None).status, 503);
            // Cached or not.
            for token in &tokens {
                wait_for("look-ups are refused", || (server.auth(token).status == 503).then_some(()));
            }
            assert_eq!(faults_of(server)[0]["kind"], "schema");
        }
        assert_eq!(redis.keys(), kept);
        put_schema(&redis, &["SET", &ours]);
        for server in &servers {
            wait_for("judged again", || (server.auth(&tokens[0]).status == 200).then_some(()));
            await_ready(server);
        }
    }
}

/// Returns how often the store was inspected.
fn looks(redis: &RedisServer) -> u64 {
    let stats = redis.cli(&["INFO", "commandstats"]);
    let calls = |line: &str| line.strip_prefix("cmdstat_del:calls=")?.split(',').next()?.parse().ok();
    stats.lines().find_map(calls).unwrap_or(0)
}

#[test]
fn a_closed_connection_is_not_reported_as_an_outage() {
    let redis = RedisServer::start();
    let server = Server::on(&redis, &[]);
    await_ready(&server);
    for _ in 0..3 {
        redis.cli(&["CLIENT", "KILL", "TYPE", "normal"]);
        let seen = looks(&redis);
        wait_for("the server is looked at", || (looks(&redis) > seen + 1).then_some(()));
    }
    assert_eq!(lines(&server, "redis unreachable"), 0, "{}", server.log());
}

#[test]
fn a_server_outside_a_cluster_is_reported() {
    let redis = RedisServer::start();
    let (line, _) = start_fault(&redis.url().replace("redis://", "redis+cluster://"), "redis unreachable");
    assert!(line.contains("belongs to no Cluster") && line.contains("redis://"), "{line}");
}

#[test]
fn an_evicting_store_is_refused_unless_accepted() {
    let redis = RedisServer::start();
    let name = format!("doorward_redis_evicting{{master=\"127.0.0.1:{}\"}}", redis.port());
    let server = Server::on(&redis, &[]);
    let accepting = Server::on(&redis, &[("DOORWARD_ACCEPT_EVICTION", "true")]);
    await_ready(&server);
    for policy in ["allkeys-lru", "volatile-lru", "volatile-ttl", "allkeys-random"] {
        redis.cli(&["CONFIG", "SET", "maxmemory-policy", policy]);
        await_unready(&server);
        let fault = faults_of(&server)[0].clone();
        assert!(fault["kind"] == "eviction" && text(&fault["cause"]).contains(policy), "{fault}");
        assert_eq!(metric(&server, &name), "1");
        wait_for("the accepting node sees it", || (metric(&accepting, &name) == "1").then_some(()));
        assert_eq!(ready(&accepting), 200);
        redis.cli(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]);
        await_ready(&server);
    }
    assert_eq!(metric(&server, &name), "0");
    assert!(lines(&server, "redis evicts keys") > 0);
    assert_eq!(lines(&accepting, "redis evicts keys"), 0);
}

#[test]
fn each_database_has_its_own_event_channel() {
    let redis = RedisServer::start();
    let url = redis.url() + "/1";
    let servers = [Server::on(&redis, &[]), Server::start(&[("DOORWARD_REDIS_URL", &url)])];
    servers.iter().for_each(await_ready);
    wait_for("both listen", || {
        let channels = redis.cli(&["PUBSUB", "CHANNELS"]);
        let mut channels: Vec<_> = channels.lines().collect();
        channels.sort_unstable();
        (channels == ["dw:events:0:endings", "dw:events:1:endings"]).then_some(())
    });
    let numbers = redis.cli(&["PUBSUB", "NUMSUB", "dw:events:0:endings", "dw:events:1:endings"]);
    assert_eq!(numbers, "dw:events:0:endings\n1\ndw:events:1:endings\n1");
}

#[test]
fn lost_tracking_is_logged_and_counted() {
    let redis = RedisServer::start();
    let server = Server::on(&redis, &[]);
    let name = format!("doorward_tracking_live{{master=\"127.0.0.1:{}\"}}", redis.port());
    wait_for("tracked", || (metric(&server, &name) == "1").then_some(()));
    redis.set_user(&["-client|tracking"]);
    redis.cli(&["CLIENT", "KILL", "TYPE", "normal"]);
    wait_for("the change is logged", || (lines(&server, "redis tracking lost") == 1).then_some(()));
    wait_for("the change shows", || {
        let shown = (metric(&server, &name), status(&server)["masters"][0]["tracking"].clone());
        (shown == ("0".into(), json!(false))).then_some(())
    });
    // Sessions are still judged.
    assert_eq!(issue(&server).0, 201);
    redis.set_user(&["+client|tracking"]);
    wait_for("tracked again", || (metric(&server, &name) == "1").then_some(()));
    wait_for("the change is logged", || (lines(&server, "redis tracking restored") == 1).then_some(()));
}

/// Starts a server that answers as a Redis of this version and supports no other command.
fn answer_as(version: &str, mut stream: TcpStream) {
    let info = format!("# Server\r\nredis_version:{version}\r\nrun_id:0123456789\r\n");
    let mut input = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(read @ 1..) = stream.read(&mut buffer) {
        input.extend_from_slice(&buffer[..read]);
        // Every command begins with an array header.
        let text = String::from_utf8_lossy(&input).into_owned();
        for command in text.split('*').skip(1) {
            let name = command.split("\r\n").nth(2).unwrap_or_default().to_ascii_uppercase();
            let answer = match name.as_str() {
                "INFO" => format!("${}\r\n{info}\r\n", info.len()),
                "AUTH" | "SELECT" | "CLIENT" => "+OK\r\n".into(),
                _ => "-ERR unknown command\r\n".into(),
            };
            let _ = stream.write_all(answer.as_bytes());
        }
        input.clear();
    }
}

/// Starts such a server of Redis 6.2.14; returns its URL.
pub fn start_old_server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            thread::spawn(move || answer_as("6.2.14", stream.unwrap()));
        }
    });
    format!("redis://{address}")
}

/// A writable replica takes writes, and loses them at the next synchronisation.
#[test]
fn a_writable_replica_is_reported_as_a_fault() {
    let master = RedisServer::start();
    let port = master.port().to_string();
    let follow = ["--appendonly", "no", "--replicaof", "127.0.0.1", &port, "--replica-read-only", "no"];
    let replica = RedisServer::with_args(&follow);
    let (line, _) = start_fault(&replica.url(), "redis is a replica");
    assert!(line.contains(&format!("a replica of 127.0.0.1:{port}")), "{line}");
}

#[test]
fn a_server_that_is_too_old_is_refused() {
    let url = start_old_server();
    let (line, fault) = start_fault(&url, "redis version not supported");
    assert!(line.contains("redis 6.2.14") && line.contains("Redis 7.0"), "{line}");
    assert_eq!(fault["kind"], "version");
    let server = Server::start(&[("DOORWARD_REDIS_URL", &url)]);
    let token = json!("dw_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
    assert_eq!((issue(&server).0, ready(&server)), (503, 503));
    assert_eq!(server.validation().get("/auth", &[("Authorization", &bearer(&token))]).status, 503);
}
