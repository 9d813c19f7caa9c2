//! The audit log: each change has exactly one line, with who, from where, what, whom and the outcome.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::TcpStream;

use serde_json::{Value, json};

use crate::common::log_lines::{self, merged};
use crate::common::server::{ADMIN_KEY, Server, bearer, key, text, token_path};

const DEVICES: &str = "/v1/users/alice/devices";

fn lines(server: &Server) -> Vec<Value> {
    log_lines::lines(server, "audit")
}

fn all_lines(server: &Server, count: usize) -> Vec<Value> {
    log_lines::all_lines(server, "audit", count)
}

fn json_server(settings: &[(&str, &str)]) -> Server {
    Server::start(
        &[&[("DOORWARD_LOG_FORMAT", "json"), ("DOORWARD_TRUSTED_PROXIES", "127.0.0.1")], settings].concat(),
    )
}

/// A call from a back office behind a proxy, with a request id of its own.
fn call(server: &Server, method: &str, path: &str, body: Option<Value>, id: &str) -> Value {
    let headers = [key(), ("X-Forwarded-For", "198.51.100.7"), ("X-Request-Id", id)];
    let response = server.admin().request(method, path, &headers, body.as_ref());
    assert!((200..300).contains(&response.status), "{method} {path}: {}", response.text());
    if response.body.is_empty() { Value::Null } else { response.json() }
}

/// Merges what every line of [`call`] has into what one line has besides.
fn expected(action: &str, id: &str, besides: Value) -> Value {
    merged(
        &json!({"action": action, "outcome": "done", "actor": "key:admin", "address": "198.51.100.7",
        "request_id": id}),
        besides,
    )
}

/// Every changing call of the OpenAPI document is here, with the line that it has.
#[test]
fn each_change_has_one_line_with_its_fields() {
    let server = json_server(&[("DOORWARD_MAX_TOKENS_PER_USER", "2")]);
    let mut all = Vec::new();
    let mut number = 0;
    let mut seen = BTreeMap::new();
    let mut change =
        |template: &str, path: &str, body: Option<Value>, action: &str, besides: &dyn Fn(&Value) -> Value| {
            number += 1;
            let (method, _) = template.split_once(' ').unwrap();
            let id = format!("req-{number}");
            let answer = call(&server, method, path, body, &id);
            all.push(expected(action, &id, besides(&answer)));
            seen.insert(template.to_owned(), ());
            answer
        };
    let new = |user: &str| json!({"user": user, "ip": "203.0.113.9", "user_agent": "curl/8"});
    let login = |token: &Value| json!({"user": token["user"], "token": token["id"], "ip": "203.0.113.9", "user_agent": "curl/8"});

    let first = change("POST /v1/tokens", "/v1/tokens", Some(new("alice")), "token.issue", &login);
    let second = change("POST /v1/tokens", "/v1/tokens", Some(new("alice")), "token.issue", &login);
    // The third token of the user makes room for itself.
    let evicts = |token: &Value| {
        let mut line = login(token);
        line["evicted"] = first["id"].clone();
        line
    };
    let third = change("POST /v1/tokens", "/v1/tokens", Some(new("alice")), "token.issue", &evicts);
    let path = token_path(&second["id"]);
    let about = |besides: Value| merged(&json!({"token": second["id"], "user": "alice"}), besides);
    let slug = json!({"auth_slug": "web", "allowed_cookie": false});
    change("PATCH /v1/tokens/{id}", &path, Some(slug), "token.change", &|_| {
        about(json!({"fields": "auth_slug,allowed_cookie"}))
    });
    change("POST /v1/tokens/{id}/rotate", &format!("{path}/rotate"), None, "token.rotate", &|_| {
        about(json!({}))
    });
    change("POST /v1/tokens/{id}/confirm", &format!("{path}/confirm"), None, "token.confirm", &|_| {
        about(json!({}))
    });

    let object = json!({"content_type": "shop.order", "object_id": "17"});
    let related = |besides: &Value| merged(besides, object.clone());
    let of_token = about(json!({}));
    let (relate, by_path) = (format!("{path}/related"), format!("{path}/related/shop.order/17"));
    change("POST /v1/tokens/{id}/related", &relate, Some(object.clone()), "token.relate", &|_| {
        related(&of_token)
    });
    change("DELETE /v1/tokens/{id}/related", &relate, Some(object.clone()), "token.unrelate", &|_| {
        related(&of_token)
    });
    change("POST /v1/tokens/{id}/related", &relate, Some(object.clone()), "token.relate", &|_| {
        related(&of_token)
    });
    let template = "DELETE /v1/tokens/{id}/related/{content_type}/{object_id}";
    change(template, &by_path, None, "token.unrelate", &|_| related(&of_token));
    let template = "DELETE /v1/related/{content_type}/{object_id}/tokens";
    let of_object = "/v1/related/shop.order/17/tokens";
    change(template, of_object, None, "object.revoke", &|_| related(&json!({"count": 0})));

    let takeover = json!({"user": "bob", "reason": "ticket 4711"});
    let started = |takeover: &Value| json!({"token": second["id"], "user": "alice", "takeover": takeover["id"], "taken_over": "bob", "reason": "ticket 4711"});
    let of_takeover = format!("{path}/takeover");
    let takeover =
        change("POST /v1/tokens/{id}/takeover", &of_takeover, Some(takeover), "takeover.start", &started);
    change("DELETE /v1/tokens/{id}/takeover", &of_takeover, None, "takeover.end", &|_| {
        about(json!({"takeover": takeover["id"], "taken_over": "bob"}))
    });

    change("DELETE /v1/tokens/{id}", &path, None, "token.revoke", &|_| about(json!({})));
    let inactive = json!({"is_active": false});
    let revoked = |_: &Value| json!({"token": third["id"], "user": "alice", "fields": "is_active"});
    change("PATCH /v1/tokens/{id}", &token_path(&third["id"]), Some(inactive), "token.revoke", &revoked);

    let of_device = json!({"user": "alice", "device": "phone"});
    let phone = json!({"uuid": "phone"});
    let device =
        change("POST /v1/users/{user}/devices", DEVICES, Some(phone.clone()), "device.create", &|_| {
            of_device.clone()
        });
    let again = json!({"user": "alice", "device": "phone", "count": 0});
    change("POST /v1/users/{user}/devices", DEVICES, Some(phone), "device.create", &|_| again.clone());
    let log_in = json!({"uuid": "phone", "login_token": device["login_token"], "ip": "203.0.113.9"});
    change(
        "POST /v1/devices/login",
        "/v1/devices/login",
        Some(log_in),
        "device.login",
        &|token| json!({"user": "alice", "device": "phone", "token": token["id"], "ip": "203.0.113.9"}),
    );
    let one = format!("{DEVICES}/phone");
    let named = json!({"user": "alice", "device": "phone", "fields": "name"});
    change(
        "PATCH /v1/users/{user}/devices/{uuid}",
        &one,
        Some(json!({"name": "Phone"})),
        "device.change",
        &|_| named.clone(),
    );
    change("DELETE /v1/users/{user}/devices/{uuid}", &one, None, "device.remove", &|_| of_device.clone());

    let kept = change("POST /v1/tokens", "/v1/tokens", Some(new("bob")), "token.issue", &login);
    change("POST /v1/tokens", "/v1/tokens", Some(new("bob")), "token.issue", &login);
    let all_but_one = format!("/v1/users/bob/tokens?except={}", text(&kept["id"]));
    let counted = |_: &Value| json!({"user": "bob", "except": kept["id"], "count": 1});
    change("DELETE /v1/users/{user}/tokens", &all_but_one, None, "user.revoke", &counted);
    change("DELETE /v1/users/{user}", "/v1/users/bob", None, "user.erase", &|_| json!({"user": "bob"}));

    assert_eq!(all_lines(&server, all.len()), all);
    let document: Value = serde_json::from_str(include_str!("../../docs/openapi.json")).unwrap();
    for (path, calls) in
        document["paths"].as_object().unwrap().iter().filter(|(path, _)| path.starts_with("/v1/"))
    {
        for method in calls.as_object().unwrap().keys().map(|method| method.to_uppercase()) {
            let template = format!("{method} {path}");
            let reads = ["GET", "SERVERS"].contains(&method.as_str()) || path == "/v1/validate";
            assert!(reads || seen.contains_key(&template), "no audit line is tested for {template}");
        }
    }
}

#[test]
fn a_revocation_by_an_oauth_client_has_a_line() {
    let server = json_server(&[]);
    let token = server.issue(json!({}));
    for (token_string, count) in [(text(&token["token"]), 2), ("dw_nonsense", 3)] {
        let form = format!("token={token_string}&client_id=x&client_secret={ADMIN_KEY}");
        let request = format!(
            "POST /revoke HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\n\
             X-Request-Id: req-{count}\r\nContent-Length: {}\r\n\r\n{form}",
            form.len()
        );
        assert_eq!(server.admin().send(request).status, 200);
        all_lines(&server, count);
    }
    let common =
        json!({"action": "token.revoke", "outcome": "done", "actor": "key:admin", "address": "127.0.0.1"});
    let line = |besides: Value| merged(&common, besides);
    let found = lines(&server);
    assert_eq!(found[1], line(json!({"token": token["id"], "user": "alice", "request_id": "req-2"})));
    assert_eq!(found[2], line(json!({"count": 0, "request_id": "req-3"})));
}

#[test]
fn a_refused_change_has_a_line_with_the_problem() {
    let server = json_server(&[]);
    let token = server.issue(json!({}));
    let path = token_path(&token["id"]);
    for (method, path, body, status, besides) in [
        (
            "DELETE",
            "/v1/tokens/AAAAAAAAAAAAAAAA",
            None,
            404,
            json!({"action": "token.revoke", "problem": "not-found",
            "token": "AAAAAAAAAAAAAAAA"}),
        ),
        (
            "POST",
            "/v1/tokens",
            Some(json!({"user": "-"})),
            422,
            json!({"action": "token.issue", "problem": "invalid-fields"}),
        ),
        (
            "POST",
            &format!("{path}/takeover"),
            Some(json!({"user": "alice", "reason": "why"})),
            409,
            json!({"action": "takeover.start", "problem": "own-user", "token": token["id"], "taken_over": "alice",
                "reason": "why"}),
        ),
        (
            "POST",
            "/v1/devices/login",
            Some(json!({"uuid": "phone", "login_token": "dwd_x", "ip": "192.0.2.1"})),
            401,
            json!({"action": "device.login", "problem": "login-refused", "device": "phone", "ip": "192.0.2.1"}),
        ),
        (
            "DELETE",
            "/v1/users/-/tokens",
            None,
            422,
            json!({"action": "user.revoke", "problem": "invalid-fields",
            "user": "-"}),
        ),
    ] {
        let before = lines(&server).len().max(1);
        let response = server.call(method, path, body.as_ref());
        assert_eq!(response.status, status, "{}", response.text());
        let expected = merged(
            &json!({"outcome": "refused", "status": status, "actor": "key:admin", "address": "127.0.0.1",
            "request_id": response.header("x-request-id")}),
            besides,
        );
        assert_eq!(all_lines(&server, before + 1)[before], expected);
    }
    // Nothing is said of calls that change nothing, and of paths that do not exist.
    assert_eq!(server.call("GET", "/v1/tokens/AAAAAAAAAAAAAAAA", None).status, 404);
    assert_eq!(server.call("DELETE", "/v1/nothing", None).status, 404);
    assert_eq!(server.call("DELETE", &path, None).status, 204);
    all_lines(&server, 7);
}

#[test]
fn a_missing_scope_and_an_unknown_key_have_a_line() {
    let metrics_key = "a-key-for-metrics-0123456789-0123456789";
    let hash = doorward::internals::config::hash_key(metrics_key).unwrap();
    let server = json_server(&[("DOORWARD_API_KEYS", &format!("prometheus:metrics:{hash}"))]);
    let with = |key: &str| vec![("Authorization".to_owned(), format!("Bearer {key}"))];
    let mut count = 0;
    for (method, path, key, besides) in [
        (
            "DELETE",
            "/v1/users/alice/tokens",
            with(metrics_key),
            json!({"action": "user.revoke", "status": 403, "problem": "insufficient-scope", "actor": "key:prometheus",
                "user": "alice"}),
        ),
        (
            "GET",
            "/v1/users/alice/events",
            with(metrics_key),
            json!({"action": "read", "status": 403, "problem": "insufficient-scope", "actor": "key:prometheus",
                "user": "alice", "method": "GET", "route": "/v1/users/{user}/events"}),
        ),
        (
            "POST",
            "/v1/validate",
            with("an-unknown-key-0123456789-0123456789-01"),
            json!({"action": "read", "status": 401, "problem": "api-key-invalid", "method": "POST",
                "route": "/v1/validate"}),
        ),
    ] {
        let headers: Vec<_> = key.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let response = server.admin().request(method, path, &headers, Some(&json!({})));
        let expected = merged(
            &json!({"outcome": "refused", "address": "127.0.0.1",
            "request_id": response.header("x-request-id")}),
            besides,
        );
        count += 1;
        assert_eq!(all_lines(&server, count)[count - 1], expected);
    }
    // A key with the scope reads without a line.
    assert_eq!(server.call("GET", "/v1/users/alice/events", None).status, 200);
    all_lines(&server, count);
}

#[test]
fn a_logout_has_a_line() {
    let server = json_server(&[]);
    let token = server.issue(json!({}));
    let path = token_path(&token["id"]);
    assert_eq!(server.call("POST", &format!("{path}/takeover"), Some(&json!({"user": "bob"}))).status, 201);
    all_lines(&server, 2);
    let by_holder = bearer(&token["token"]);
    for id in ["req-1", "req-2", "req-3"] {
        let headers =
            [("Authorization", &*by_holder), ("X-Request-Id", id), ("X-Forwarded-For", "192.0.2.8")];
        let _ = server.validation().request("POST", "/logout", &headers, None);
    }
    let of_holder = |action: &str, id: &str| {
        json!({"action": action, "outcome": "done", "actor": "holder", "address": "192.0.2.8", "user": "alice",
            "token": token["id"], "request_id": id})
    };
    let found = all_lines(&server, 4);
    let ended = found[2]["takeover"].clone();
    assert_eq!(ended, found[1]["takeover"]);
    let of_takeover = json!({"takeover": ended, "taken_over": "bob"});
    let takeover_end = merged(&of_holder("takeover.end", "req-1"), of_takeover);
    // The third one carried no valid token any more, so it changed nothing.
    assert_eq!(found[2..], [takeover_end, of_holder("token.revoke", "req-2")]);
}

/// A client that goes away cannot hide its change.
#[test]
fn a_disconnected_client_leaves_a_line_of_unknown_outcome() {
    let server = json_server(&[]);
    let mut stream = TcpStream::connect(server.admin_listen()).unwrap();
    let head = format!(
        "POST /v1/tokens HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {ADMIN_KEY}\r\nX-Request-Id: req-9\r\n\
         Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{{"
    );
    stream.write_all(head.as_bytes()).unwrap();
    drop(stream);
    let line = all_lines(&server, 1).remove(0);
    assert_eq!((&line["action"], &line["actor"]), (&json!("token.issue"), &json!("key:admin")));
    assert_eq!(line["request_id"], "req-9");
    assert!(["unknown", "refused"].contains(&text(&line["outcome"])), "{line}");
}
