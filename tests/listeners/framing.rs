//! HTTP/1.1 heads, lengths, hosts and paths: ambiguous or malformed requests are rejected.

use serde_json::json;

use super::answers::{answers_to, statuses};
use crate::common::server::{IDENTITY, Server, bearer, cookie, identity};

#[test]
fn paths_are_never_normalised() {
    let server = Server::start(&[]);
    let token = server.issue(json!({}))["token"].clone();
    let authorization = bearer(&token);
    for path in [
        "/auth/../logout",
        "/auth/%2e%2e/logout",
        "/auth//logout",
        "/auth/./../../logout",
        "/auth/\\..\\logout",
    ] {
        let response = server.validation().request("POST", path, &[("Authorization", &authorization)], None);
        assert_eq!(identity(&response)[0], "alice", "{path}");
    }
    for path in
        ["/x/../auth", "/./auth", "//auth", "/auth-optional/../auth\u{7f}", "/%2fauth", "/auth%2f..%2flogout"]
    {
        let response = server.validation().get(path, &[("Authorization", &authorization)]);
        assert!(
            matches!(response.status, 400 | 404) || path.starts_with("/auth-optional"),
            "{path}: {response:?}"
        );
    }
    // The absolute form, as sent to proxies: the path counts, the authority does not.
    let absolute =
        format!("GET http://evil.example/auth HTTP/1.1\r\nHost: a\r\nAuthorization: {authorization}\r\n\r\n");
    identity(&server.validation().send(absolute));
    identity(&server.auth(&token));
}

/// RFC 9112, section 3.2.
#[test]
fn an_http_1_1_request_needs_exactly_one_host() {
    let server = Server::start(&[]);
    for (mut client, target) in [
        (server.validation(), "/auth-optional"),
        (server.validation(), "/livez"),
        (server.admin(), "/livez"),
        (server.admin(), "/introspect"),
    ] {
        for (hosts, is_bad) in [("", true), ("Host: a\r\nhost: b\r\n", true), ("Host:\r\n", false)] {
            let response = client.send(format!("GET {target} HTTP/1.1\r\n{hosts}\r\n"));
            assert_eq!(response.status == 400, is_bad, "{target} {hosts:?}: {response:?}");
        }
    }
    let old = server.validation().send("GET /livez HTTP/1.0\r\n\r\n");
    assert_eq!(old.status, 200);
}

#[test]
fn a_length_without_a_body_is_not_waited_for() {
    let server = Server::start(&[]);
    let token = server.issue(json!({}))["token"].clone();
    for framing in
        ["Content-Length: 5", "Transfer-Encoding: chunked", "Content-Length: 5\r\nExpect: 100-continue"]
    {
        let mut client = server.validation();
        let request = format!(
            "POST /auth HTTP/1.1\r\nHost: a\r\nAuthorization: {}\r\n{framing}\r\n\r\n",
            bearer(&token)
        );
        identity(&client.send(request));
    }
}

#[test]
fn malformed_heads_are_rejected() {
    let server = Server::start(&[]);
    let token = server.issue(json!({}))["token"].clone();
    let good = format!("Authorization: {}", bearer(&token));
    let request = |lines: &str| format!("GET /auth HTTP/1.1\r\nHost: a\r\n{lines}\r\n\r\n").into_bytes();
    for bytes in [
        request(&format!("{good}\r\nX-A: a\0b")),
        request(&format!("{good}\r\nX-A: a\u{1}b")),
        request(&format!("{good}\r\nX-A: a\rb")),
        request(&format!("{good}\r\nX-A: a\u{7f}b")),
        request(&format!("{good}\r\nX\0A: b")),
        request(&format!("{good}\r\nX A: b")),
        request(&format!("{good}\r\n: b")),
        request(&format!("{good}\r\nno colon")),
        request(&format!("X-A: b\r\n {good}")),
        request(&good.replace("Bearer ", "Bearer \0")),
        format!("GET /auth\0 HTTP/1.1\r\n{good}\r\n\r\n").into_bytes(),
        format!("GET /auth HTTP/2.0\r\n{good}\r\n\r\n").into_bytes(),
        format!("GET /a uth HTTP/1.1\r\n{good}\r\n\r\n").into_bytes(),
        format!("G\0T /auth HTTP/1.1\r\n{good}\r\n\r\n").into_bytes(),
        b"\0\0\0\0\0\0\0\0\r\n\r\n".to_vec(),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n".to_vec(),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
    ] {
        let answers = answers_to(&server, &bytes);
        let shown = String::from_utf8_lossy(&bytes);
        let none_passed = answers.iter().all(|answer| answer.header(IDENTITY[0]).is_none());
        assert!(none_passed && matches!(statuses(&answers)[..], [] | [400]), "{shown:?}: {answers:?}");
    }
    // A lenient parser accepts a bare LF as a line end (RFC 9112, section 2.2). Both readings are fine, but not a
    // second answer or a mix of both.
    let bare = format!("GET /auth HTTP/1.1\nHost: a\n{good}\n\n");
    let answers = answers_to(&server, bare.as_bytes());
    assert!(matches!(statuses(&answers)[..], [] | [400] | [200, 404]), "{answers:?}");
    identity(&server.auth(&token));
}

#[test]
fn an_oversized_head_gets_431() {
    let server = Server::start(&[]);
    let token = server.issue(json!({}))["token"].clone();
    let authorization = bearer(&token);
    for (name, count, length) in [("Cookie", 1, 100_000), ("X-Filler", 1, 1_000_000), ("X-Filler", 2_000, 30)]
    {
        let filler = "a".repeat(length);
        let headers: Vec<_> = (0..count)
            .map(|_| (name, filler.as_str()))
            .chain([("Authorization", authorization.as_str())])
            .collect();
        for mut client in [server.validation(), server.admin()] {
            assert_eq!(client.get("/auth", &headers).status, 431, "{name} {count} {length}");
        }
    }
    let long_path = format!("/auth/{}", "a".repeat(100_000));
    assert!(matches!(server.validation().get(&long_path, &[]).status, 414 | 431));
    // Cookies as large as browsers send them are accepted.
    let cookies = format!("a={}; {}", "b".repeat(8_000), cookie(&token));
    identity(&server.validation().get("/auth", &[("Cookie", &cookies)]));
}
