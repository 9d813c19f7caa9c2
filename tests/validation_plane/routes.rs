//! The paths and methods of the validation plane.

use serde_json::json;

use super::support::CHECKS;
use crate::common::server::{IDENTITY, Server, assert_empty, assert_no_token, bearer, identity, key, text};

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
fn a_request_to_the_wrong_plane_learns_the_right_one() {
    let server = Server::start(&[]);
    for path in ["/v1/tokens", "/introspect", "/metrics"] {
        let response = server.validation().get(path, &[]);
        assert_eq!(response.status, 404, "{path}");
        assert!(
            response.text().contains("admin plane") && response.text().contains("admin-listen"),
            "{path}"
        );
        assert_eq!(response.header("content-type"), Some("text/plain; charset=utf-8"), "{path}");
    }
    for path in ["/auth", "/auth-optional/x", "/check/staff", "/session", "/session/upgrade", "/logout"] {
        let response = server.admin().get(path, &[]);
        assert_eq!(response.status, 404, "{path}");
        let detail = text(&response.json()["detail"]).to_owned();
        assert!(detail.contains("validation plane") && detail.contains("setting listen"), "{path}: {detail}");
    }
}

#[test]
fn json_answers_end_with_a_newline() {
    let server = Server::start(&[]);
    let token = server.issue(json!({}))["token"].clone();
    let batch = json!({"tokens": [token]});
    let answers = [
        server.admin().get("/v1/users/alice/tokens", &[key()]),
        server.admin().get("/v1/users/alice/tokens", &[]),
        server.admin().get("/openapi.json", &[]),
        server.call("POST", "/v1/validate", Some(&batch)),
        server.validation().get("/session", &[("Authorization", &*bearer(&token))]),
    ];
    for answer in answers {
        assert!(answer.body.ends_with(b"}\n"), "{answer:?}");
    }
}

#[test]
fn other_paths_and_methods_are_not_found_or_not_allowed() {
    let server = Server::start(&[]);
    let token = server.issue(json!({}))["token"].clone();
    let headers = [("Authorization", &*bearer(&token))];
    let mut client = server.validation();
    for path in ["/", "/authx", "//auth", "/AUTH", "/%61uth", "/session/", "/logout/x"] {
        let response = client.get(path, &headers);
        assert_eq!(response.status, 404, "{path}");
        assert_empty(&response);
        assert!(IDENTITY.iter().all(|name| response.header(name).is_none()), "{path}");
    }
    for (method, path, allow) in [
        ("POST", "/session", "GET, HEAD"),
        ("GET", "/logout", "POST"),
        ("DELETE", "/logout", "POST"),
        ("GET", "/session/upgrade", "POST"),
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
