//! The audit line of a token that is revoked because a rotated-out secret was used again.

use serde_json::{Value, json};

use crate::common::http2::Http2;
use crate::common::log_lines::all_lines;
use crate::common::server::{ADMIN_KEY, Server, bearer, on_both_stores, text, token_path};
use crate::validation_plane::grpc::messages::{self, Request};

const ADDRESS: &str = "192.0.2.8";
const ID: &str = "req-7";
/// Makes a request unusual, so that hyper answers it instead of the fast path.
const TO_HYPER: (&str, &str) = ("Connection", "keep-alive, x-test");

/// A way to use a token string.
type Way = fn(&Server, &Value);

/// Sends a token string with a request to the validation plane.
fn send(server: &Server, (method, path): (&str, &str), token: &Value, more: &[(&str, &str)]) {
    let by_header = bearer(token);
    let headers = [("Authorization", &*by_header), ("X-Forwarded-For", ADDRESS), ("X-Request-Id", ID)];
    let headers = [&headers, more].concat();
    assert_eq!(server.validation().request(method, path, &headers, None).status, 401);
}

/// Sends a body to the admin plane.
fn submit(server: &Server, path: &str, content_type: &str, body: &str) {
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {ADMIN_KEY}\r\nX-Forwarded-For: {ADDRESS}\r\n\
         X-Request-Id: {ID}\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    assert_eq!(server.admin().send(request).status, 200);
}

fn check_over_grpc(server: &Server, token: &Value) {
    let by_header = bearer(token);
    let headers = vec![("authorization", &*by_header), ("x-request-id", ID)];
    let mut client = Http2::connect(server.grpc_listen());
    let request = Request { headers, source: ADDRESS, ..Request::default() };
    messages::check(&mut client, &request).assert_denied(401);
}

const FORM: &str = "application/x-www-form-urlencoded";
const WAYS: [(&str, Way); 8] = [
    ("the fast path", |server, token| send(server, ("GET", "/auth"), token, &[])),
    ("hyper", |server, token| send(server, ("GET", "/auth"), token, &[TO_HYPER])),
    ("the session", |server, token| send(server, ("GET", "/session"), token, &[])),
    ("a logout", |server, token| send(server, ("POST", "/logout"), token, &[])),
    ("gRPC", check_over_grpc),
    ("a batch", |server, token| {
        submit(server, "/v1/validate", "application/json", &json!({"tokens": [token]}).to_string());
    }),
    ("introspection", |server, token| submit(server, "/introspect", FORM, &format!("token={}", text(token)))),
    ("OAuth revocation", |server, token| submit(server, "/revoke", FORM, &format!("token={}", text(token)))),
];

/// The old secret of each token is used again: one token is known to this node, the other has to be read.
#[test]
fn a_reuse_has_a_line_with_its_request() {
    let settings = [
        ("DOORWARD_ROTATION_GRACE", "0"),
        ("DOORWARD_LOG_FORMAT", "json"),
        ("DOORWARD_TRUSTED_PROXIES", "127.0.0.1"),
        ("DOORWARD_GRPC_LISTEN", "127.0.0.1:0"),
    ];
    on_both_stores(&settings, |server| {
        let reused = |lines: &[Value]| {
            lines.iter().filter(|line| line["reason"] == "reuse").cloned().collect::<Vec<_>>()
        };
        let (mut count, mut expected) = (0, Vec::new());
        for (way, reuse) in WAYS {
            for is_known in [false, true] {
                let token = server.issue(json!({}));
                let rotated =
                    server.call("POST", &format!("{}/rotate", token_path(&token["id"])), None).json();
                if is_known {
                    assert_eq!(server.auth(&rotated["token"]).status, 200);
                }
                reuse(server, &token["token"]);
                let line = json!({"action": "token.revoke", "outcome": "done", "actor": "doorward",
                    "address": ADDRESS, "user": "alice", "token": token["id"], "reason": "reuse",
                    "request_id": ID});
                expected.push(line);
                // An OAuth revocation has a line of its own.
                count += if way == "OAuth revocation" { 4 } else { 3 };
                assert_eq!(reused(&all_lines(server, "audit", count)), expected, "{way}");
            }
        }
    });
}
