//! Rejected admin requests: the answer names the cause, and nothing is written.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::{Value, json};

use super::device_calls::{DEVICES, login_body, make};
use crate::common::http::Client;
use crate::common::process::wait_for;
use crate::common::server::{Server, assert_empty, identity, key, pointers, text, token_path};

const MAX_BODY_BYTES: usize = 64 * 1024;

#[test]
fn bad_query_parameters_are_named() {
    let server = Server::start(&[]);
    let issued = server.issue(json!({}));
    let id = text(&issued["id"]);
    for (method, path, expected) in [
        ("GET", "/v1/users/alice/tokens?limit=0".to_owned(), vec!["#/limit"]),
        ("GET", "/v1/users/alice/tokens?limit=1001".to_owned(), vec!["#/limit"]),
        (
            "GET",
            "/v1/users/alice/tokens?limit=-1&cursor=x&include=all".to_owned(),
            vec!["#/include", "#/limit", "#/cursor"],
        ),
        ("GET", "/v1/users/alice/tokens?limit=".to_owned(), vec!["#/limit"]),
        ("GET", "/v1/users/alice/tokens?limit=5&limit=6".to_owned(), vec!["#/limit"]),
        ("GET", "/v1/users/alice/tokens?limits=5".to_owned(), vec!["#/limits"]),
        ("GET", format!("/v1/users/{}/tokens", "a".repeat(257)), vec!["#/user"]),
        ("GET", "/v1/users/-/tokens".to_owned(), vec!["#/user"]),
        ("GET", "/v1/users/a%0Ab/tokens".to_owned(), vec!["#/user"]),
        ("DELETE", "/v1/users/alice/tokens?except=x".to_owned(), vec!["#/except"]),
        ("DELETE", "/v1/users/alice/tokens?expect=x".to_owned(), vec!["#/expect"]),
        ("DELETE", "/v1/users//tokens".to_owned(), vec!["#/user"]),
        ("GET", format!("/v1/tokens/{id}?x=1"), vec!["#/x"]),
        ("DELETE", format!("/v1/tokens/{id}?x=1"), vec!["#/x"]),
        ("POST", "/v1/tokens?user=alice".to_owned(), vec!["#/user"]),
    ] {
        assert_eq!(pointers(&server.call(method, &path, None), 422), expected, "{method} {path}");
    }
    assert_eq!(server.token(&issued["id"])["is_active"], true);
}

/// Every call of the OpenAPI document that needs an API key, except `/metrics`, whose scrapers may add parameters.
#[test]
fn every_call_refuses_unknown_query_parameters() {
    let server = Server::start(&[]);
    let document: Value = serde_json::from_str(include_str!("../../docs/openapi.json")).unwrap();
    for (path, calls) in document["paths"].as_object().unwrap() {
        if !path.starts_with("/v1/") {
            continue;
        }
        let path = path.replace("{id}", "AAAAAAAAAAAAAAAA").replace("{cutoff}", "all");
        let path = path.replace(['{', '}'], "");
        for method in calls.as_object().unwrap().keys() {
            let response = server.call(&method.to_uppercase(), &format!("{path}?unknown=1"), None);
            assert_eq!(pointers(&response, 422), ["#/unknown"], "{method} {path}");
        }
    }
}

/// Sends a POST with these bytes and this content type.
fn post(content_type: &str, body: &[u8]) -> Vec<u8> {
    let (name, key) = key();
    let head = format!(
        "POST /v1/tokens HTTP/1.1\r\nHost: a\r\n{name}: {key}\r\n{content_type}Content-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

const JSON: &str = "Content-Type: application/json\r\n";

#[test]
fn bodies_that_are_not_json_are_rejected() {
    let server = Server::start(&[]);
    let good = br#"{"user": "alice", "ip": "10.0.0.1"}"#;
    for malformed in [
        &b""[..],
        b"{",
        b"{\"user\": \"alice\", }",
        b"\xff\xfe",
        b"{\"user\": \"\xff\"}",
        b"{} {}",
        b"user=alice",
        b"{\"user\": \"a\nb\"}",
        b"{\"user\": \"\\ud800\"}",
    ] {
        assert_eq!(pointers(&server.admin().send(post(JSON, malformed)), 400), [""; 0], "{malformed:?}");
    }
    let deep = "[".repeat(30_000);
    pointers(&server.admin().send(post(JSON, deep.as_bytes())), 400);
    for content_type in [
        "",
        "Content-Type: text/plain\r\n",
        "Content-Type: application/x-www-form-urlencoded\r\n",
        "Content-Type: application/jsonx\r\n",
        "Content-Type: application/problem+json\r\n",
        "Content-Type: ,\r\n",
    ] {
        assert_eq!(pointers(&server.admin().send(post(content_type, good)), 415), [""; 0], "{content_type}");
    }
    assert_eq!(server.list("").0.len(), 0);
    for content_type in ["Content-Type: Application/JSON; charset=utf-8\r\n", JSON] {
        assert_eq!(server.admin().send(post(content_type, good)).status, 201, "{content_type}");
    }
}

#[test]
fn an_oversized_body_gets_a_readable_413() {
    let server = Server::start(&[]);
    let filled = |length: usize| {
        let start = r#"{"user": "alice", "ip": "10.0.0.1""#;
        format!("{start}{}}}", " ".repeat(length - start.len() - 1)).into_bytes()
    };
    assert_eq!(server.admin().send(post(JSON, &filled(MAX_BODY_BYTES))).status, 201);
    for length in [MAX_BODY_BYTES + 1, 3 * MAX_BODY_BYTES, 1_000_000] {
        assert_eq!(pointers(&server.admin().send(post(JSON, &filled(length))), 413), [""; 0], "{length}");
    }
    // A client that sends its whole body before it reads gets no reset.
    let mut plain = TcpStream::connect(server.admin_listen()).unwrap();
    plain.write_all(&post(JSON, &filled(20_000_000))).unwrap();
    let mut answer = String::new();
    plain.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    // An oversized `Content-Length` is refused before the body arrives; an oversized chunked body once it has arrived.
    let (name, key) = key();
    let head = format!("POST /v1/tokens HTTP/1.1\r\nHost: a\r\n{name}: {key}\r\n{JSON}");
    pointers(&server.admin().send(format!("{head}Content-Length: 100000000\r\n\r\n")), 413);
    let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x10000));
    pointers(
        &server.admin().send(format!("{head}Transfer-Encoding: chunked\r\n\r\n{}0\r\n\r\n", chunk.repeat(2))),
        413,
    );
    assert_eq!(server.list("").0.len(), 1);
}

#[test]
fn unknown_paths_and_methods_are_rejected() {
    let server = Server::start(&[]);
    let id = server.issue(json!({}))["id"].clone();
    for path in [
        "/",
        "/v1",
        "/v1/",
        "/v2/tokens",
        "/v1/users",
        "/auth",
        "/logout",
        "//v1/tokens",
        "/V1/tokens",
        "/v1/users/a/b/tokens",
    ] {
        let response = server.call("GET", path, None);
        assert_eq!(pointers(&response, 404), [""; 0], "{path}");
        assert_eq!(response.json()["type"], "urn:doorward:problem:no-such-path", "{path}");
    }
    for path in ["/v1/tokens/AAAAAAAAAAAAAAAA", "/v1/tokens/x", "/v1/tokens/", "/v1/users/%ff/tokens"] {
        let problem = server.call("GET", path, None).json();
        assert_eq!(problem["type"], "urn:doorward:problem:not-found", "{path}");
    }
    for (method, path, allow) in [
        ("GET", "/v1/tokens", "POST"),
        ("PUT", "/v1/tokens", "POST"),
        ("POST", &*token_path(&id), "GET, HEAD, PATCH, DELETE"),
        ("PATCH", "/v1/users/alice/tokens", "GET, HEAD, DELETE"),
        ("POST", "/metrics", "GET, HEAD"),
        ("DELETE", "/livez", "GET, HEAD"),
    ] {
        let response = server.call(method, path, Some(&json!({})));
        assert_eq!(pointers(&response, 405), [""; 0], "{method} {path}");
        assert_eq!(response.header("allow"), Some(allow), "{method} {path}");
    }
}

/// Returns the headers of callers without a right key: none, another one, a key in another place, or two.
fn strangers(token: &Value, hash: &str) -> Vec<Vec<(&'static str, String)>> {
    let good = key().1;
    let of = |key: &str| format!("Bearer {key}");
    vec![
        vec![],
        vec![("Authorization", of("x"))],
        vec![("Authorization", of(&good["Bearer ".len()..good.len() - 1]))],
        vec![("Authorization", format!("{good}x"))],
        vec![("Authorization", good.replacen("Bearer", "Basic", 1))],
        vec![("Authorization", of(text(token)))],
        vec![("Authorization", of(hash))],
        vec![("Authorization", good.to_owned()), ("Authorization", good.to_owned())],
        vec![("Cookie", format!("doorward={good}"))],
        vec![("X-Api-Key", good.to_owned())],
    ]
}

#[test]
fn the_admin_plane_requires_a_key_with_the_routes_scope() {
    let metrics_key = "a-key-for-the-metrics-only-0123456789";
    let tokens_key = "a-key-for-the-tokens-only-01234567890";
    let hash = |key: &str| doorward::internals::config::hash_key(key).unwrap();
    let api_keys = format!("prom:metrics:{},login:tokens+devices:{}", hash(metrics_key), hash(tokens_key));
    let server = Server::start(&[("DOORWARD_API_KEYS", &api_keys)]);
    let token = server.issue(json!({}));
    let body = json!({"user": "alice", "ip": "10.0.0.1"});
    let calls = [
        ("POST", "/v1/tokens".to_owned(), Some(&body)),
        ("GET", token_path(&token["id"]), None),
        ("PATCH", token_path(&token["id"]), Some(&body)),
        ("DELETE", token_path(&token["id"]), None),
        ("GET", "/v1/users/alice/tokens".to_owned(), None),
        ("DELETE", "/v1/users/alice/tokens".to_owned(), None),
        ("GET", "/metrics".to_owned(), None),
    ];
    let of = |key: &str| format!("Bearer {key}");
    let ask = |(method, path, body): &(&str, String, Option<&Value>), headers: &[(&str, &str)]| {
        Client::new(server.admin_listen()).request(method, path, headers, *body)
    };
    for call in &calls {
        for headers in strangers(&token["token"], &hash(tokens_key)) {
            let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let response = ask(call, &headers);
            assert_eq!(pointers(&response, 401), [""; 0], "{call:?} {headers:?}");
            let carries_key =
                |(name, value): &(&str, &str)| *name == "Authorization" && value.starts_with("Bearer ");
            let error = if headers.iter().any(carries_key) { r#", error="invalid_token""# } else { "" };
            let challenge = format!(r#"Bearer realm="doorward-admin"{error}"#);
            assert_eq!(response.header("www-authenticate"), Some(&*challenge), "{call:?} {headers:?}");
        }
        let other = if call.1 == "/metrics" { tokens_key } else { metrics_key };
        let response = ask(call, &[("Authorization", &of(other))]);
        assert_eq!(pointers(&response, 403), [""; 0], "{call:?}");
        let challenge = r#"Bearer realm="doorward-admin", error="insufficient_scope""#;
        assert_eq!(response.header("www-authenticate"), Some(challenge), "{call:?}");
    }
    assert_eq!(server.list("?include=revoked").0.len(), 1);
    identity(&server.auth(&token["token"]));

    assert_eq!(ask(&calls[6], &[("Authorization", &of(metrics_key))]).status, 200);
    assert_eq!(ask(&calls[0], &[("Authorization", &of(tokens_key))]).status, 201);
    assert_eq!(ask(&calls[6], &[key()]).status, 200);
    for path in ["/livez", "/readyz"] {
        let response = server.admin().get(path, &[]);
        assert_eq!(response.status, 200);
        assert_empty(&response);
    }
}

/// A stranger learns nothing of names, and a caller with a key gets 404.
#[test]
fn a_name_that_no_record_can_have_is_refused_after_the_credentials() {
    let server = Server::start(&[]);
    for (method, path) in [
        ("GET", "/v1/tokens/short"),
        ("DELETE", "/v1/tokens/not!an!id"),
        ("POST", "/v1/tokens/short/rotate"),
        ("GET", "/v1/users/%ff/tokens"),
        ("GET", "/v1/users/alice/devices/-"),
    ] {
        assert_eq!(server.admin().request(method, path, &[], None).status, 401, "{path}");
        assert_eq!(server.call(method, path, None).status, 404, "{path}");
    }
}

#[test]
fn rejected_keys_are_logged_with_the_client_address() {
    let server = Server::start(&[("DOORWARD_TRUSTED_PROXIES", "127.0.0.1, 10.0.0.0/8")]);
    let wrong = "Bearer wrong-key-wrong-key-wrong-key-wrong-key";
    let headers = [("Authorization", wrong), ("X-Forwarded-For", "192.0.2.66, 198.51.100.7, 10.1.1.1")];
    assert_eq!(server.admin().get("/metrics", &headers).status, 401);
    let line = wait_for("a line", || {
        server.log().lines().find(|line| line.contains("api-key-invalid")).map(str::to_owned)
    });
    let log = server.log();
    assert!(line.contains("address=198.51.100.7") && !line.contains("suppressed"), "{line}");
    assert!(!log.contains("wrong-key") && !log.contains("192.0.2.66"), "{log}");
    // A valid key never counts as a rejected one.
    assert_eq!(server.call("GET", "/metrics", None).status, 200);
    assert_eq!(server.log().matches("api-key-invalid").count(), 1);
}

#[test]
fn rejected_keys_are_logged_at_a_limited_rate() {
    let server = Server::start(&[]);
    let mut stranger = server.admin();
    for _ in 0..300 {
        assert_eq!(stranger.get("/v1/tokens/AAAAAAAAAAAAAAAA", &[]).status, 401);
    }
    // One at a time: on a machine so slow that each takes a second, nothing is rate limited.
    let lines = wait_for("a line", || {
        Some(server.log().matches("api-key-missing").count()).filter(|lines| *lines > 0)
    });
    assert!(lines < 300, "{lines} lines");
    let metrics = server.call("GET", "/metrics", None).text();
    assert!(metrics.contains("\ndoorward_admin_refusals_total 300\n"), "{metrics}");
}

#[test]
fn device_routes_check_methods_and_scopes() {
    let [devices_key, tokens_key] =
        ["devices", "tokens"].map(|scope| format!("a-key-for-{scope}-0123456789-0123456"));
    let hash = |key: &str| doorward::internals::config::hash_key(key).unwrap();
    let api_keys = format!("app:devices:{},login:tokens:{}", hash(&devices_key), hash(&tokens_key));
    let server = Server::start(&[("DOORWARD_API_KEYS", &api_keys)]);
    let made = make(&server, "phone");
    let path = format!("{DEVICES}/phone");
    for (method, path, allow) in [
        ("PUT", DEVICES, "GET, HEAD, POST"),
        ("PUT", &*path, "GET, HEAD, PATCH, DELETE"),
        ("GET", "/v1/devices/login", "POST"),
    ] {
        let response = server.call(method, path, Some(&json!({})));
        assert_eq!((pointers(&response, 405), response.header("allow")), (vec![], Some(allow)), "{path}");
    }
    let login = login_body("phone", &made["login_token"]);
    let calls = [
        ("POST", DEVICES, Some(json!({"uuid": "pad"})), 201),
        ("GET", DEVICES, None, 200),
        ("GET", &path, None, 200),
        ("PATCH", &path, Some(json!({"name": "x"})), 200),
        ("POST", "/v1/devices/login", Some(login), 201),
        ("DELETE", &path, None, 204),
    ];
    for (method, path, body, status) in &calls {
        let ask = |headers: &[(&str, &str)]| server.admin().request(method, path, headers, body.as_ref());
        assert_eq!(pointers(&ask(&[]), 401), [""; 0], "{method} {path}");
        let with = |key: &str| format!("Bearer {key}");
        assert_eq!(pointers(&ask(&[("Authorization", &with(&tokens_key))]), 403), [""; 0], "{method} {path}");
        assert_eq!(ask(&[("Authorization", &with(&devices_key))]).status, *status, "{method} {path}");
    }
    assert_eq!(server.admin().get(&token_path(&made["login_token"]), &[key()]).status, 404);
}
