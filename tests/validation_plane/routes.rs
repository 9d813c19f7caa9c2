//! The paths and methods of the validation plane.

use serde_json::json;

use super::support::CHECKS;
use crate::common::server::{IDENTITY, Server, assert_empty, assert_no_token, bearer, identity};

#[test]
fn any_method_and_http_1_0_are_answered() {
    let server = Server::start(&[]);
    let token = server.issue(json!({}))["token"].clone();
    let authorization = format!("Authorization: {}\r\n", bearer(&token));
    let mut client = server.validation();
    for method in
        ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "M-SEARCH", "HEAD"]
    {
        let request = format!("{method} /auth/x HTTP/1.1\r\nHost: a\r\n{authorization}\r\n");
        assert_eq!(identity(&client.send(request))[0], "alice", "{method}");
        assert_no_token(&client.send(format!("{method} /auth HTTP/1.1\r\nHost: a\r\n\r\n")));
    }
    // A body that arrived with the request is skipped, and the connection stays usable.
    for body in ["", "hello"] {
        let head =
            format!("POST /auth HTTP/1.1\r\nHost: a\r\n{authorization}Content-Length: {}\r\n", body.len());
        identity(&client.send(format!("{head}\r\n{body}")));
    }
    identity(&client.send(format!("GET /auth HTTP/1.1\r\nHost: a\r\n{authorization}\r\n")));
    assert_eq!(client.connections(), 1, "kept alive throughout");

    // nginx uses HTTP/1.0 towards upstreams by default.
    let mut old = server.validation();
    for connection in ["Connection: close\r\n", ""] {
        identity(&old.send(format!("GET /auth HTTP/1.0\r\n{connection}{authorization}\r\n")));
    }
    assert_eq!(old.connections(), 2);
    for _ in 0..3 {
        identity(&old.send(format!("GET /auth HTTP/1.0\r\nConnection: keep-alive\r\n{authorization}\r\n")));
    }
    assert_eq!(old.connections(), 3);
}

#[test]
fn other_paths_and_methods_are_not_found_or_not_allowed() {
    let server = Server::start(&[]);
    let token = server.issue(json!({}))["token"].clone();
    let headers = [("Authorization", &*bearer(&token))];
    let mut client = server.validation();
    for path in
        ["/", "/authx", "//auth", "/AUTH", "/%61uth", "/v1/tokens", "/metrics", "/session/", "/logout/x"]
    {
        let response = client.get(path, &headers);
        assert_eq!(response.status, 404, "{path}");
        assert_empty(&response);
        assert!(IDENTITY.iter().all(|name| response.header(name).is_none()), "{path}");
    }
    for (method, path, allow) in [
        ("POST", "/session", "GET, HEAD"),
        ("GET", "/logout", "POST"),
        ("DELETE", "/logout", "POST"),
        ("POST", "/livez", "GET, HEAD"),
        ("PUT", "/readyz", "GET, HEAD"),
    ] {
        let response = client.request(method, path, &headers, None);
        assert_eq!((response.status, response.header("allow")), (405, Some(allow)), "{method} {path}");
    }
    for path in ["/livez", "/readyz"] {
        assert_eq!(
            [client.get(path, &[]).status, server.admin().get(path, &[]).status],
            [200, 200],
            "{path}"
        );
    }
    identity(&server.auth(&token));
}

#[test]
fn an_unknown_route_check_is_not_found() {
    let server = Server::start(&[CHECKS]);
    let token = server.issue(json!({"backend": "ldap", "auth_slug": "web"}))["token"].clone();
    for path in [
        "/check",
        "/check/",
        "/check//staff",
        "/check/Staff",
        "/check/stafff",
        "/check/%73taff",
        "/check/../auth",
    ] {
        let response = server.validation().get(path, &[("Authorization", &bearer(&token))]);
        assert_eq!(response.status, 404, "{path}");
        assert_empty(&response);
        assert!(response.header("x-auth-user").is_none());
    }
}
