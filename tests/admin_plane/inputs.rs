//! Inputs of the admin plane in the forms in which languages and frameworks send them.

use serde_json::json;

use crate::common::http::Client;
use crate::common::server::{Server, identity, key, pointers, text};

fn post_text(client: &mut Client, path: &str, body: impl AsRef<[u8]>) -> crate::common::http::Response {
    let (body, (name, value)) = (body.as_ref(), key());
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: a\r\n{name}: {value}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    );
    client.send([head.as_bytes(), body].concat())
}

/// HTTP clients resolve dot segments before they send a path, so no name may be a dot segment.
#[test]
fn dot_segments_in_a_path_are_rejected() {
    let server = Server::start(&[]);
    let issued = server.issue(json!({}));
    let token = format!("/v1/tokens/{}", text(&issued["id"]));
    for dots in [".", ".."] {
        let object = json!({"content_type": "a", "object_id": dots});
        let kind = json!({"content_type": dots, "object_id": "a"});
        let login = json!({"uuid": dots, "login_token": "x", "ip": "::1"});
        for (path, body, pointer) in [
            ("/v1/tokens", json!({"user": dots, "ip": "::1"}), "#/user"),
            (
                "/v1/tokens",
                json!({"user": "a", "ip": "::1", "related_objects": [object]}),
                "#/related_objects/0/object_id",
            ),
            ("/v1/users/alice/devices", json!({"uuid": dots}), "#/uuid"),
            ("/v1/devices/login", login, "#/uuid"),
            (&format!("{token}/takeover"), json!({"user": dots}), "#/user"),
            (&format!("{token}/related"), object.clone(), "#/object_id"),
            (&format!("{token}/related"), kind, "#/content_type"),
        ] {
            assert_eq!(pointers(&server.call("POST", path, Some(&body)), 422), [pointer], "{path}");
        }
        for written in [dots.to_owned(), dots.replace('.', "%2e"), dots.replace('.', "%2E")] {
            for (method, path, pointer) in [
                ("GET", format!("/v1/users/{written}/tokens"), "#/user"),
                ("DELETE", format!("/v1/users/{written}/tokens"), "#/user"),
                ("GET", format!("/v1/users/{written}/events"), "#/user"),
                ("GET", format!("/v1/users/{written}/takeovers"), "#/user"),
                ("GET", format!("/v1/users/{written}/devices"), "#/user"),
                ("DELETE", format!("/v1/users/{written}/devices/a"), "#/user"),
                ("DELETE", format!("/v1/users/alice/devices/{written}"), "#/uuid"),
                ("GET", format!("/v1/users/alice/devices/{written}"), "#/uuid"),
                ("DELETE", format!("{token}/related/{written}/a"), "#/content_type"),
                ("GET", format!("/v1/related/{written}/a/tokens"), "#/content_type"),
                ("DELETE", format!("/v1/related/a/{written}/tokens"), "#/object_id"),
            ] {
                assert_eq!(pointers(&server.call(method, &path, None), 422), [pointer], "{method} {path}");
            }
            let path = format!("/v1/users/alice/devices/{written}");
            assert_eq!(pointers(&server.call("PATCH", &path, Some(&json!({}))), 422), ["#/uuid"], "{path}");
        }
    }
    identity(&server.auth(&issued["token"]));
}

#[test]
fn an_invalid_user_agent_does_not_fail_the_login() {
    let server = Server::start(&[]);
    let mut client = server.admin();
    for (sent, kept) in [
        (&b"caf\xe9 \xff/1"[..], "caf\u{fffd} \u{fffd}/1"),
        (b"a\\tb\\u007fc\\u0085d\\u0000", "a b c d "),
        (b"a\tb", "a b"),
        (b"\\udce9x", "\u{fffd}\u{fffd}\u{fffd}x"),
        ("ü😀".as_bytes(), "ü😀"),
    ] {
        let body = [b"{\"user\":\"a\",\"ip\":\"::1\",\"user_agent\":\"", sent, b"\"}"].concat();
        let response = post_text(&mut client, "/v1/tokens", body);
        assert_eq!((response.status, &response.json()["user_agent"]), (201, &json!(kept)), "{sent:?}");
    }
    let long = json!({"user": "a", "ip": "::1", "user_agent": "\u{1}".repeat(300)});
    assert_eq!(server.call("POST", "/v1/tokens", Some(&long)).json()["user_agent"], " ".repeat(256));
    let device = json!({"uuid": "a", "user_agent": "a\tb"});
    assert_eq!(server.call("POST", "/v1/users/a/devices", Some(&device)).json()["user_agent"], "a b");
    for bad in [json!(1), json!(["a"]), json!({})] {
        let body = json!({"user": "a", "ip": "::1", "user_agent": bad});
        assert_eq!(pointers(&server.call("POST", "/v1/tokens", Some(&body)), 422), ["#/user_agent"]);
    }
    // Invalid bytes are replaced only in display fields; a user name is compared, so it is rejected.
    let garbled = post_text(&mut client, "/v1/tokens", b"{\"user\":\"\xe9\",\"ip\":\"::1\"}");
    assert_eq!(pointers(&garbled, 400), [""; 0]);
}

#[test]
fn a_duplicate_json_name_is_rejected() {
    let server = Server::start(&[]);
    let issued = server.issue(json!({}));
    let mut client = server.admin();
    for (path, body, pointer) in [
        ("/v1/tokens", r#"{"user":"alice","user":"root","ip":"::1"}"#.to_owned(), "#/user"),
        ("/v1/tokens", r#"{"us\u0065r":"alice","ip":"::1","user":"alice"}"#.to_owned(), "#/user"),
        (
            "/v1/tokens",
            r#"{"user":"a","ip":"::1","related_objects":[{"content_type":"a","object_id":"b","object_id":"c"}]}"#
                .to_owned(),
            "#/related_objects/0/object_id",
        ),
        ("/v1/validate", format!(r#"{{"tokens":[],"tokens":[{}]}}"#, issued["token"]), "#/tokens"),
        ("/v1/users/alice/devices", r#"{"uuid":"a","uuid":"a"}"#.to_owned(), "#/uuid"),
    ] {
        assert_eq!(pointers(&post_text(&mut client, path, &body), 422), [pointer], "{body}");
    }
    let patch = r#"{"is_active":false,"is_active":null}"#;
    let path = format!("/v1/tokens/{}", text(&issued["id"]));
    let request =
        String::from_utf8(crate::common::http::request_bytes("PATCH", &path, &[key()], Some(&json!({}))));
    let request = request
        .unwrap()
        .replace("Content-Length: 2\r\n\r\n{}", &format!("Content-Length: {}\r\n\r\n{patch}", patch.len()));
    assert_eq!(pointers(&client.send(request), 422), ["#/is_active"]);
    identity(&server.auth(&issued["token"]));
}

#[test]
fn integers_are_accepted_in_every_json_schema_notation() {
    let server = Server::start(&[]);
    let mut client = server.admin();
    let issue = |client: &mut Client, number: &str| {
        let body =
            format!(r#"{{"user":"a","ip":"::1","idle_seconds":{number},"lifetime_seconds":{number}}}"#);
        post_text(client, "/v1/tokens", body)
    };
    for number in ["300", "300.0", "3e2", "3.0E+2", "30000e-2"] {
        let token = issue(&mut client, number).json();
        let seconds = |name: &str| chrono::DateTime::parse_from_rfc3339(text(&token[name])).unwrap();
        assert_eq!((seconds("expires_at") - seconds("created_at")).num_milliseconds(), 300_000, "{number}");
    }
    for bad in ["300.5", "-300", "-3e2", "3e-2", "1e18", "0.0"] {
        let response = issue(&mut client, bad);
        assert_eq!(pointers(&response, 422), ["#/idle_seconds", "#/lifetime_seconds"], "{bad}");
    }
}

#[test]
fn an_address_is_accepted_with_a_port_brackets_or_a_zone() {
    let server = Server::start(&[]);
    for (sent, kept) in [
        ("203.0.113.7:4711", "203.0.113.7"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("[fe80::1%eth0]:443", "fe80::1"),
    ] {
        assert_eq!(server.issue(json!({"ip": sent}))["ip"], kept, "{sent}");
    }
    for bad in ["203.0.113.7, 198.51.100.1", "unknown", "example.com:80", ""] {
        let response = server.call("POST", "/v1/tokens", Some(&json!({"user": "a", "ip": bad})));
        assert_eq!(pointers(&response, 422), ["#/ip"], "{bad}");
        assert!(response.text().contains("such as 203.0.113.7"), "{}", response.text());
    }
}
