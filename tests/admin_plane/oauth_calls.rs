//! Calls of the OAuth endpoints, and assertions on their answers.

use chrono::DateTime;
use serde_json::Value;

use crate::common::http::{Client, Response};
use crate::common::server::{ADMIN_KEY, Server, assert_empty, text};

pub const FORM: &str = "application/x-www-form-urlencoded";

/// Posts a form with these header lines.
pub fn post(client: &mut Client, path: &str, headers: &[(&str, &str)], body: &str) -> Response {
    let mut text = format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n", body.len());
    for (name, value) in headers {
        text += &format!("{name}: {value}\r\n");
    }
    client.send(text + "\r\n" + body)
}

pub fn bearer_key() -> String {
    format!("Bearer {ADMIN_KEY}")
}

/// Posts the token as a standard client does.
pub fn ask(server: &Server, path: &str, token: &Value) -> Response {
    let body = format!("token={}&token_type_hint=refresh_token", text(token));
    post(&mut server.admin(), path, &[("Content-Type", FORM), ("Authorization", &bearer_key())], &body)
}

pub fn introspect(server: &Server, token: &Value) -> Value {
    let response = ask(server, "/introspect", token);
    assert_eq!(response.status, 200, "{}", response.text());
    assert_eq!(response.header("content-type"), Some("application/json"));
    assert_eq!(response.header("cache-control"), Some("no-store"));
    response.json()
}

pub fn revoke(server: &Server, token: &Value) {
    let response = ask(server, "/revoke", token);
    assert_eq!(response.status, 200, "{}", response.text());
    assert_empty(&response);
}

pub fn assert_inactive(server: &Server, token: &Value) {
    let response = ask(server, "/introspect", token);
    assert_eq!((response.status, response.text().as_str()), (200, "{\"active\":false}\n"));
}

pub fn seconds(time: &Value) -> i64 {
    DateTime::parse_from_rfc3339(text(time)).unwrap().timestamp()
}

/// Returns the OAuth error code and `WWW-Authenticate`.
pub fn error(response: &Response, status: u16) -> (String, Option<&str>) {
    assert_eq!(response.status, status, "{}", response.text());
    assert_eq!(response.header("content-type"), Some("application/json"));
    assert_eq!(response.header("cache-control"), Some("no-store"));
    let body = response.json();
    assert_eq!(body.as_object().unwrap().len(), 2, "{body}");
    assert!(!text(&body["error_description"]).is_empty(), "{body}");
    (text(&body["error"]).to_owned(), response.header("www-authenticate"))
}
