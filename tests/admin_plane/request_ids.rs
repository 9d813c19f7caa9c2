//! Request ids: every response of the admin plane has one, and the log lines about the request have the same.

use serde_json::json;

use crate::common::http::Response;
use crate::common::process::wait_for;
use crate::common::server::{Server, key, pointers, text};

fn request_id(response: &Response) -> &str {
    response.header("x-request-id").unwrap_or_else(|| panic!("no X-Request-Id: {response:?}"))
}

fn is_made(id: &str) -> bool {
    id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Every kind of answer, with the status.
const CALLS: [(&str, &str, u16); 7] = [
    ("GET", "/livez", 200),
    ("GET", "/metrics", 200),
    ("GET", "/v1/tokens/AAAAAAAAAAAAAAAA", 404),
    ("GET", "/nowhere", 404),
    ("PUT", "/v1/tokens", 405),
    ("POST", "/introspect", 415),
    ("POST", "/v1/tokens", 415),
];

#[test]
fn every_response_has_the_id_of_its_request() {
    let server = Server::start(&[]);
    for (method, path, status) in CALLS {
        let id = "01234567-89ab-4cde-8f01-23456789abcd";
        let given = server.admin().request(method, path, &[key(), ("X-Request-Id", id)], None);
        assert_eq!((given.status, request_id(&given)), (status, id), "{method} {path}");
        let made = server.admin().request(method, path, &[key()], None);
        assert!(is_made(request_id(&made)), "{made:?}");
        if status >= 400 {
            assert_eq!(given.json()["request_id"], id, "{}", given.text());
            assert_eq!(made.json()["request_id"], request_id(&made), "{}", made.text());
        }
    }
}

#[test]
fn ids_that_could_forge_log_lines_are_replaced() {
    let server = Server::start(&[("DOORWARD_LOG_LEVEL", "debug")]);
    let too_long = "x".repeat(129);
    for value in ["evil id", "evil\tid", "evil\"id", "evil%0a", "evil;id", "evil,id", "evil\u{e9}", &too_long]
    {
        // Without a key, so that the request is logged.
        let response = server.admin().get("/v1/status", &[("X-Request-Id", value)]);
        assert_eq!(pointers(&response, 401), [""; 0]);
        assert!(is_made(request_id(&response)), "{value}");
    }
    let twice = server.admin().get("/v1/status", &[("X-Request-Id", "evil-1"), ("X-Request-Id", "evil-1")]);
    assert!(is_made(request_id(&twice)));
    wait_for("a line", || server.log().contains("request_id=").then_some(()));
    assert!(!server.log().contains("evil") && !server.log().contains(&too_long), "{}", server.log());
}

#[test]
fn an_error_of_oauth_has_the_id_in_the_header_only() {
    let server = Server::start(&[]);
    let form = [key(), ("Content-Type", "application/x-www-form-urlencoded"), ("X-Request-Id", "req-1")];
    let response = server.admin().request("POST", "/introspect", &form, None);
    assert_eq!((response.status, request_id(&response)), (400, "req-1"));
    let members: Vec<_> = response.json().as_object().unwrap().keys().cloned().collect();
    assert_eq!(members, ["error", "error_description"]);
}

#[test]
fn the_line_of_a_refused_key_has_the_id() {
    let server = Server::start(&[]);
    let response =
        server.admin().request("POST", "/v1/tokens", &[("X-Request-Id", "req-2")], Some(&json!({})));
    assert_eq!(text(&response.json()["request_id"]), "req-2");
    wait_for("a line", || server.log().contains("request_id=req-2").then_some(()));
}
