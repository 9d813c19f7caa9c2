//! No secret appears in the log, not even at its most verbose level.

use serde_json::{Value, json};

use crate::common::process::wait_for;
use crate::common::redis::RedisServer;
use crate::common::server::{ADMIN_KEY, Server, bearer, cookie, identity, key, text, token_path};

const OTHER_KEY: &str = "another-key-of-the-tests-0123456789abc";
const CHECK_KEY: &str = "a-check-key-of-the-tests-0123456789ab";
const REDIS_PASSWORD: &str = "a-redis-password-of-the-tests";

/// Every request to the validation plane is logged.
const ACCESS_LOG: [(&str, &str); 3] = [
    ("DOORWARD_ACCESS_LOG", "1/1"),
    ("DOORWARD_ACCESS_LOG_RATE", "100000"),
    ("DOORWARD_TRUSTED_PROXIES", "127.0.0.1"),
];

/// Uses the server in every way that involves a secret; returns the token strings, the live ones last.
fn mixed_run(server: &Server) -> Vec<String> {
    let mut secrets = Vec::new();
    let issued: Vec<_> = (0..4).map(|_| server.issue(json!({"auth_slug": "web"}))).collect();
    let mut client = server.validation();
    for token in &issued {
        let (by_header, by_cookie) = (bearer(&token["token"]), cookie(&token["token"]));
        identity(&client.get("/auth", &[("Authorization", &by_header)]));
        identity(&client.get(&format!("/auth?token={}", text(&token["token"])), &[("Cookie", &by_cookie)]));
        assert_eq!(client.get("/session", &[("Cookie", &by_cookie)]).status, 200);
        assert_eq!(
            client.get("/auth", &[("Authorization", &by_header), ("Authorization", &by_header)]).status,
            401
        );
        assert_eq!(client.get("/auth", &[("Authorization", &format!("{by_header}x"))]).status, 401);
        let path = format!("/auth/{}/x", text(&token["token"]));
        let original = [("X-Original-URI", &*path), ("X-Request-Id", text(&token["token"]))];
        assert_eq!(client.get(&path, &original).status, 401);
    }
    let by_header = bearer(&issued[0]["token"]);
    assert_eq!(client.request("POST", "/logout", &[("Authorization", &by_header)], None).status, 200);
    assert_eq!(client.get("/auth", &[("Authorization", &by_header)]).status, 401);
    server.revoke(&issued[1]["id"]);

    // The changes that involve a login token.
    let device = json!({"uuid": "phone", "name": "Phone"});
    let device = server.call("POST", "/v1/users/carol/devices", Some(&device)).json();
    if let Some(login_token) = device["login_token"].as_str() {
        let login = json!({"uuid": "phone", "login_token": login_token, "ip": "203.0.113.7"});
        assert_eq!(server.call("POST", "/v1/devices/login", Some(&login)).status, 201);
        secrets.push(login_token.to_owned());
    }
    let rotated = server.issue(json!({}));
    secrets.push(text(&rotated["token"]).to_owned());
    let rotated = server.call("POST", &format!("{}/rotate", token_path(&rotated["id"])), None).json();
    secrets.push(text(&rotated["token"]).to_owned());
    let takeover = json!({"user": "bob", "reason": "a test"});
    let path = format!("{}/takeover", token_path(&issued[2]["id"]));
    assert_eq!(server.call("POST", &path, Some(&takeover)).status, 201);

    misplace_secrets(server, &issued[2]);
    secrets.extend(issued.iter().map(|token| text(&token["token"]).to_owned()));
    secrets
}

/// Sends secrets where none belong: as field names and values, in paths, in malformed requests.
fn misplace_secrets(server: &Server, token: &Value) {
    let (path, token) = (token_path(&token["id"]), text(&token["token"]));
    let admin = |method: &str, path: &str, body| server.call(method, path, Some(&body)).status;
    assert_eq!(admin("POST", "/v1/tokens", json!({"user": 1, token: token, "ip": token})), 422);
    assert_eq!(admin("PATCH", &path, json!({"auth_slug": format!("{token} ")})), 422);
    assert_eq!(server.call("GET", &format!("/v1/tokens/{token}"), None).status, 404);
    assert_eq!(server.call("GET", &format!("/v1/users/alice/tokens?cursor={token}"), None).status, 422);
    let other = format!("Bearer {OTHER_KEY}");
    assert_eq!(server.admin().get("/metrics", &[("Authorization", &other)]).status, 401);
    assert_eq!(server.admin().get("/metrics", &[key(), key()]).status, 401);
    for broken in
        [format!("GET /auth HTTP/1.1\r\nAuthorization: Bearer {token}\0\r\n\r\n"), format!("{token}\r\n\r\n")]
    {
        for mut client in [server.validation(), server.admin()] {
            let _: Result<_, _> = client.try_send(&broken);
        }
    }
}

/// Asserts that the log has no key or password, and no part of a token after its id.
fn assert_keeps_secrets(log: &str, tokens: &[String]) {
    for secret in [ADMIN_KEY, OTHER_KEY, CHECK_KEY, REDIS_PASSWORD] {
        assert!(!log.contains(secret), "{secret} in:\n{log}");
    }
    for token in tokens {
        let secret_part = &token["dw_".len() + 16..];
        assert!(!log.contains(secret_part), "{token} in:\n{log}");
    }
}

#[test]
fn the_log_contains_no_secret() {
    let settings = [("DOORWARD_LOG_LEVEL", "trace"), ("DOORWARD_TOKEN_KEYS", CHECK_KEY)];
    let mut server = Server::start(&[&settings[..], &ACCESS_LOG].concat());
    let tokens = mixed_run(&server);
    server.terminate();
    assert_keeps_secrets(&server.log(), &tokens);
}

#[test]
fn the_log_contains_no_secret_during_an_outage() {
    let mut redis = RedisServer::start_durable();
    // The two-word AUTH accepts any password for a user without one.
    let url = format!("redis://default:{REDIS_PASSWORD}@127.0.0.1:{}", redis.port());
    let settings = [("DOORWARD_LOG_LEVEL", "trace"), ("DOORWARD_REDIS_URL", &*url)];
    let mut server = Server::start(&[&settings[..], &ACCESS_LOG].concat());
    let mut tokens = mixed_run(&server);
    // The log lines of an outage.
    redis.kill();
    let good =
        server.validation().get("/auth", &[("Authorization", &format!("Bearer {}", tokens.last().unwrap()))]);
    assert_ne!(good.status, 401);
    assert_eq!(server.call("POST", "/v1/tokens", Some(&json!({"user": "a", "ip": "::1"}))).status, 503);
    redis.restart();
    // Uses at least as many connections as there are threads: each thread restores its own connection to Redis.
    let live = json!(tokens.last().unwrap());
    wait_for("back", || (0..8).all(|_| server.auth(&live).status == 200).then_some(()));
    tokens.extend(mixed_run(&server));
    server.terminate();
    assert_keeps_secrets(&server.log(), &tokens);
    assert!(server.log().contains("DEBUG") || server.log().contains("TRACE"), "it was talkative");
}

/// A browser or a script that sends its foreign string, or its API key, also in a field that is logged.
#[test]
fn the_log_does_not_repeat_a_credential_that_stands_in_another_field_too() {
    const FOREIGN: &str = "k2hw8v0c9q4m1x7z5b3n6l0p2s4d8f1g";
    let foreign = [
        ("DOORWARD_FOREIGN", "old:scheme=sha256+header-scheme=Token+cookie=old"),
        ("DOORWARD_LOG_LEVEL", "trace"),
    ];
    let mut server = Server::start(&[&foreign[..], &ACCESS_LOG].concat());
    let import = json!({"tokens": [{"scheme": "sha256", "token": FOREIGN, "user": "alice"}]});
    assert_eq!(server.call("POST", "/v1/import", Some(&import)).json()["results"][0]["status"], "imported");
    let mut client = server.validation();
    for credentials in [("Authorization", format!("Token {FOREIGN}")), ("Cookie", format!("old={FOREIGN}"))] {
        let path = format!("/auth/{FOREIGN}");
        let headers = [
            (credentials.0, &*credentials.1),
            ("X-Request-Id", FOREIGN),
            ("X-Original-URI", &*path),
            ("X-Original-Method", FOREIGN),
        ];
        assert_eq!(client.get(&path, &headers).status, 200);
        assert_eq!(client.request(FOREIGN, &path, &headers, None).status, 200);
        assert_eq!(client.get("/session", &headers).status, 200);
    }
    let upgrade =
        [("Authorization", &*format!("Token {FOREIGN}")), ("X-Request-Id", &format!("id={FOREIGN}"))];
    assert_eq!(client.request("POST", "/session/upgrade", &upgrade, None).status, 200);
    let by_key = [key(), ("X-Request-Id", ADMIN_KEY), ("Content-Type", "application/json")];
    let refused = server.admin().request("POST", "/v1/tokens", &by_key, Some(&json!({})));
    assert_ne!(refused.header("x-request-id"), Some(ADMIN_KEY));
    let basic = [("Authorization", "Basic YXBwOmtleS10aGF0LWRvb3J3YXJkLWRvZXMtbm90LWtub3c=")];
    let id = ("X-Request-Id", "key-that-doorward-does-not-know");
    assert_eq!(server.admin().get("/metrics", &[basic[0], id]).status, 401);
    server.terminate();
    let log = server.log();
    assert!(log.contains("path=\"***\"") && log.contains("token.rotate"), "{log}");
    for secret in [FOREIGN, ADMIN_KEY, id.1] {
        assert!(!log.contains(secret), "{secret} in:\n{log}");
    }
}
