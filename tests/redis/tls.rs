//! The server on a Redis that accepts TLS only.

use serde_json::json;

use crate::common::ports::Port;
use crate::common::recovery::{await_heard, await_passes, await_ready, await_unready, issue_soon, ready};
use crate::common::redis::RedisServer;
use crate::common::redis_call::call;
use crate::common::server::{Server, assert_invalid_token, identity, run};
use crate::common::tls::Authority;

struct Redis {
    server: RedisServer,
    url: String,
}

fn start(authority: &Authority) -> Redis {
    let identity = authority.issue("redis");
    let reserved = Port::reserve();
    let port = reserved.number().to_string();
    let path = |path: std::path::PathBuf| path.display().to_string();
    let (cert, key, ca) = (path(identity.cert), path(identity.key), path(authority.cert()));
    let tls = ["--tls-port", &port, "--tls-cert-file", &cert, "--tls-key-file", &key];
    let more = ["--tls-ca-cert-file", &ca, "--tls-auth-clients", "no"];
    // The plaintext port is not used; `RedisServer::cli` uses the unix socket.
    let server =
        RedisServer::with_args(&[&["--appendonly", "no"], &tls[..], &more].concat()).holding(reserved);
    server.cli(&["CONFIG", "SET", "requirepass", "p@ss"]);
    Redis { server, url: format!("rediss://:p%40ss@localhost:{port}") }
}

#[test]
fn all_redis_connections_use_tls() {
    let authority = Authority::new();
    let redis = start(&authority);
    let ca = authority.cert().display().to_string();
    let settings = [("DOORWARD_REDIS_URL", redis.url.as_str()), ("DOORWARD_REDIS_CA_FILE", &ca)];
    let (first, second) = (Server::start(&settings), Server::start(&settings));
    [&first, &second].into_iter().for_each(await_ready);
    let token = first.issue(json!({}));
    for _ in 0..5 {
        identity(&first.auth(&token["token"]));
        identity(&second.auth(&token["token"]));
    }
    // More than fits into one TLS record.
    let many: Vec<_> = (0..500).map(|_| second.issue(json!({}))["token"].clone()).collect();
    let answer = first.call("POST", "/v1/validate", Some(&json!({"tokens": many})));
    let results = answer.json()["results"].as_array().unwrap().clone();
    assert!(results.iter().all(|result| result["is_active"] == true), "{results:?}");
    first.revoke(&token["id"]);
    assert_invalid_token(&first.auth(&token["token"]));
    await_heard(&second, &token);
}

/// Redis gets a certificate of another authority, and the node's CA file is replaced, both at run time.
#[test]
fn replaced_redis_authorities_are_reloaded() {
    let [first, second] = [Authority::new(), Authority::new()];
    let redis = start(&first);
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("ca.pem");
    std::fs::copy(first.cert(), &file).unwrap();
    let ca = file.display().to_string();
    let node = Server::start(&[("DOORWARD_REDIS_URL", redis.url.as_str()), ("DOORWARD_REDIS_CA_FILE", &ca)]);
    await_ready(&node);
    let token = node.issue(json!({}));
    let identity_of_redis = second.issue("redis");
    let [cert, key] = [identity_of_redis.cert, identity_of_redis.key].map(|path| path.display().to_string());
    let cli = |command: &[&str]| {
        let mut connection = redis.server.connect().unwrap();
        [&["AUTH", "p@ss"][..], command].map(|command| call(&mut connection, command).unwrap())
    };
    cli(&["CONFIG", "SET", "tls-cert-file", &cert, "tls-key-file", &key]);
    cli(&["CLIENT", "KILL", "TYPE", "normal"]);
    await_unready(&node);
    // A file without a certificate changes nothing, and the node keeps checking the file.
    std::fs::write(&file, "").unwrap();
    node.wait_for_log("redis authorities not replaced");
    std::fs::copy(second.cert(), &file).unwrap();
    await_ready(&node);
    await_passes(&node, &token);
    issue_soon(&node, &json!({}));
}

#[test]
fn a_redis_with_an_untrusted_certificate_is_rejected() {
    let (authority, other) = (Authority::new(), Authority::new());
    let redis = start(&authority);
    let ca = other.cert().display().to_string();
    for settings in [
        vec![("DOORWARD_REDIS_URL", redis.url.as_str())],
        vec![("DOORWARD_REDIS_URL", redis.url.as_str()), ("DOORWARD_REDIS_CA_FILE", ca.as_str())],
    ] {
        let server = Server::start(&settings);
        assert_eq!(ready(&server), 503);
        let body = json!({"user": "alice", "ip": "203.0.113.7"});
        assert_eq!(server.call("POST", "/v1/tokens", Some(&body)).status, 503);
        assert_eq!(ready(&server), 503);
    }
}

#[test]
fn unusable_redis_authorities_fail_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let empty = dir.path().join("empty.pem");
    std::fs::write(&empty, "").unwrap();
    let (empty, missing) = (empty.display().to_string(), dir.path().join("missing").display().to_string());
    for (url, ca, problem) in [
        ("rediss://localhost:1", &missing, "redis-ca-file: cannot read the file"),
        ("rediss://localhost:1", &empty, "redis-ca-file: holds no certificate"),
        (
            "redis://localhost:1",
            &empty,
            "(DOORWARD_REDIS_CA_FILE): is set, but redis-url does not start with rediss://",
        ),
    ] {
        let mut process = run(
            &[],
            &[
                ("DOORWARD_LISTEN", "127.0.0.1:0"),
                ("DOORWARD_ADMIN_LISTEN", "127.0.0.1:0"),
                ("DOORWARD_ADMIN_KEY", crate::common::server::ADMIN_KEY),
                ("DOORWARD_REDIS_URL", url),
                ("DOORWARD_REDIS_CA_FILE", ca),
            ],
        );
        assert_eq!(process.wait().code(), Some(78), "{}", process.log());
        assert!(process.stderr().contains(problem), "{}", process.log());
    }
}
