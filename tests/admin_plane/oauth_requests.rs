//! Requests to `/introspect` and `/revoke`: authentication, error codes, scopes, and the exemption from renewal.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::oauth_calls::*;
use crate::common::process::wait_for;
use crate::common::server::{ADMIN_KEY, Server, assert_invalid_token, identity, pointers, text};

#[test]
fn an_introspection_counts_as_an_access_unless_it_is_exempt() {
    let server = Server::start(&[("DOORWARD_RENEWAL_EXEMPT_HEADER", "X-Exempt")]);
    let issued = server.issue(json!({}));
    let body = format!("token={}", text(&issued["token"]));
    let last_access = || server.token(&issued["id"])["last_access"].clone();
    let headers = [("Content-Type", FORM), ("Authorization", &*bearer_key()), ("X-Exempt", "1")];
    assert_eq!(post(&mut server.admin(), "/introspect", &headers, &body).json()["active"], true);
    // The access of another token is written later than the exempt one would have been.
    let other = server.issue(json!({}));
    wait_for("the access is written", || {
        // Repeated, because the first access may be in the same millisecond as the issue.
        introspect(&server, &other["token"]);
        let shown = server.token(&other["id"]);
        (shown["last_access"] != other["last_access"]).then_some(())
    });
    assert_eq!(last_access(), issued["last_access"]);
    introspect(&server, &issued["token"]);
    wait_for("the access is written", || (last_access() != issued["last_access"]).then_some(()));
}

#[test]
fn a_client_can_authenticate_in_three_ways() {
    let server = Server::start(&[]);
    let token = server.issue(json!({}))["token"].clone();
    let mut client = server.admin();
    let basic = |user: &str, key: &str| format!("Basic {}", STANDARD.encode(format!("{user}:{key}")));
    let secret = format!("&client_id=any&client_secret={ADMIN_KEY}");
    let encoded = ADMIN_KEY.replace('-', "%2D");
    let good = [
        (bearer_key(), ""),
        (bearer_key().replace("Bearer", "bEARER"), "&client_id=any"),
        (basic("any", ADMIN_KEY), "&client_id=any"),
        (basic("", ADMIN_KEY), ""),
        (basic("https%3A%2F%2Fa.example", &encoded), ""),
        (String::new(), &*secret),
    ];
    for content_type in [FORM, "Application/X-WWW-Form-Urlencoded; charset=UTF-8"] {
        for (line, parameters) in &good {
            let headers = [("Content-Type", content_type), ("Authorization", line)];
            let headers = &headers[..if line.is_empty() { 1 } else { 2 }];
            let body = format!("token={}{parameters}", text(&token));
            let response = post(&mut client, "/introspect", headers, &body);
            assert_eq!(response.json()["active"], true, "{line} {parameters}");
        }
    }
    assert_eq!(client.connections(), 1);
}

#[test]
fn a_client_that_does_not_authenticate_once_gets_an_oauth_error() {
    let server = Server::start(&[]);
    let token = server.issue(json!({}))["token"].clone();
    let mut client = server.admin();
    let basic = |user: &str, key: &str| format!("Basic {}", STANDARD.encode(format!("{user}:{key}")));
    let secret = format!("&client_id=any&client_secret={ADMIN_KEY}");
    let wrong = "k".repeat(40);
    let bad = [
        (String::new(), String::new(), r#"Bearer realm="doorward-admin""#),
        (format!("Bearer {wrong}"), String::new(), r#"Bearer realm="doorward-admin", error="invalid_token""#),
        (basic("any", &wrong), String::new(), r#"Basic realm="doorward-admin""#),
        (basic(ADMIN_KEY, ""), String::new(), r#"Basic realm="doorward-admin""#),
        ("Basic !".into(), String::new(), r#"Basic realm="doorward-admin""#),
        ("Digest x".into(), String::new(), r#"Basic realm="doorward-admin""#),
        (String::new(), format!("&client_id=any&client_secret={wrong}"), r#"Basic realm="doorward-admin""#),
        (String::new(), "&client_id=any&client_secret=".into(), r#"Bearer realm="doorward-admin""#),
    ];
    for path in ["/introspect", "/revoke"] {
        for (line, parameters, challenge) in &bad {
            let headers = [("Content-Type", FORM), ("Authorization", &**line)];
            let headers = &headers[..if line.is_empty() { 1 } else { 2 }];
            let body = format!("token={}{parameters}", text(&token));
            let response = post(&mut client, path, headers, &body);
            assert_eq!(
                error(&response, 401),
                ("invalid_client".into(), Some(*challenge)),
                "{line} {parameters}"
            );
        }
    }
    let twice =
        [(bearer_key(), &*secret), (basic("any", ADMIN_KEY), &*secret), ("Digest x".into(), &*secret)];
    for (line, parameters) in twice {
        let body = format!("token={}{parameters}", text(&token));
        let headers = [("Content-Type", FORM), ("Authorization", &*line)];
        let response = post(&mut client, "/introspect", &headers, &body);
        assert_eq!(error(&response, 400), ("invalid_request".into(), None), "{line}");
    }
    identity(&server.auth(&token));
    assert_eq!(client.connections(), 1);
}

#[test]
fn invalid_requests_get_oauth_error_codes() {
    let server = Server::start(&[]);
    let token = text(&server.issue(json!({}))["token"]).to_owned();
    let mut client = server.admin();
    let key = bearer_key();
    let good = [("Content-Type", FORM), ("Authorization", &*key)];
    for path in ["/introspect", "/revoke"] {
        let bad = ["", "token", "token=", "tokens=a", "token=a&token=a", "token=a&x=1&x=2"];
        for body in bad {
            let response = post(&mut client, path, &good, body);
            assert_eq!(error(&response, 400), ("invalid_request".into(), None), "{body}");
        }
        let in_query = format!("{path}?token={token}");
        let response = post(&mut client, &in_query, &good, &format!("token={token}"));
        assert_eq!(error(&response, 400), ("invalid_request".into(), None));

        for content_type in ["application/json", "text/plain", "application/x-www-form-urlencodedx"] {
            let headers = [("Content-Type", content_type), ("Authorization", &*key)];
            pointers(&post(&mut client, path, &headers, "{}"), 415);
            let response = post(&mut client, path, &headers[..1], "{}");
            assert_eq!(error(&response, 401).0, "invalid_client", "authentication is checked first");
        }
        let long = format!("token={}", "a".repeat(64 * 1024));
        pointers(&post(&mut client, path, &good, &long), 413);
        for method in ["GET", "HEAD", "PUT", "DELETE"] {
            let response = client.request(method, path, &[("Authorization", &*key)], None);
            assert_eq!((response.status, response.header("allow")), (405, Some("POST")), "{method}");
        }
    }
    assert_eq!(server.auth(&json!(token)).status, 200, "none of these requests revoked the token");
}

#[test]
fn a_key_is_limited_to_its_scopes() {
    let name = |scope: &str| format!("key-with-the-scope-{scope}-0123456789");
    let keys = ["introspect", "tokens", "takeovers", "metrics"]
        .map(|scope| format!("{scope}:{scope}:{}", blake3::hash(name(scope).as_bytes()).to_hex()))
        .join(",");
    let server = Server::start(&[("DOORWARD_API_KEYS", &keys)]);
    let mut client = server.admin();
    let mut status = |path: &str, scope: &str, token: &Value| {
        let secret = format!("token={}&client_id=x&client_secret={}", text(token), name(scope));
        let response = post(&mut client, path, &[("Content-Type", FORM)], &secret);
        if response.status == 403 {
            let challenge = r#"Bearer realm="doorward-admin", error="insufficient_scope""#;
            assert_eq!(error(&response, 403), ("insufficient_scope".into(), Some(challenge)));
        }
        response.status
    };
    let token = server.issue(json!({}))["token"].clone();
    for (scope, expected) in [("introspect", 200), ("tokens", 403), ("takeovers", 403), ("metrics", 403)] {
        assert_eq!(status("/introspect", scope, &token), expected, "{scope}");
    }
    for scope in ["takeovers", "metrics"] {
        assert_eq!(status("/revoke", scope, &token), 403, "{scope}");
    }
    identity(&server.auth(&token));
    for scope in ["introspect", "tokens"] {
        let token = server.issue(json!({}))["token"].clone();
        assert_eq!(status("/revoke", scope, &token), 200, "{scope}");
        assert_invalid_token(&server.auth(&token));
    }
}
