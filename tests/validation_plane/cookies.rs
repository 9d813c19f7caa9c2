//! The login cookie: its attributes, and the requests of other sites that carry it.

use serde_json::json;

use super::support::{FOREIGN, OWN, ask, assert_forbidden, logout};
use crate::common::server::{Server, identity, pointers, text};

#[test]
fn a_cookie_is_set_and_cleared_with_the_same_attributes() {
    let settings = [
        ("DOORWARD_COOKIE_NAME", "__Secure-sid"),
        ("DOORWARD_COOKIE_DOMAIN", "example.com"),
        ("DOORWARD_COOKIE_PATH", "/app"),
        ("DOORWARD_COOKIE_SAME_SITE", "none"),
        ("DOORWARD_COOKIE_HTTP_ONLY", "false"),
    ];
    let server = Server::start(&settings);
    assert_eq!(server.issue(json!({"set_cookie": false})).get("set_cookie"), None);
    let session = server.issue(json!({"set_cookie": true}));
    let token = text(&session["token"]);
    let line = |value: &str, age: &str| {
        format!("__Secure-sid={value}; Path=/app; Domain=example.com{age}; Secure; SameSite=None")
    };
    assert_eq!(session["set_cookie"], line(token, ""));
    for (fields, seconds) in [
        (json!({}), 2_592_000),
        (json!({"idle_seconds": 90}), 2_592_000),
        (json!({"idle_seconds": 90, "lifetime_seconds": 60}), 60),
    ] {
        let mut body = json!({"set_cookie": true, "expiration": false});
        body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        let preserved = server.issue(body);
        let expected = line(text(&preserved["token"]), &format!("; Max-Age={seconds}"));
        assert_eq!(preserved["set_cookie"], expected);
    }
    // The cookie that a browser sends back passes, and logout clears it with the same attributes.
    let sent = text(&session["set_cookie"]).split(';').next().unwrap();
    identity(&server.validation().get("/auth", &[("Cookie", sent)]));
    let response = logout(&server, &[("Cookie", sent)]);
    assert_eq!(response.header("set-cookie"), Some(line("", "; Max-Age=0").as_str()));

    let refused = json!({"user": "a", "ip": "::1", "set_cookie": true, "allowed_cookie": false});
    assert_eq!(pointers(&server.call("POST", "/v1/tokens", Some(&refused)), 422), ["#/set_cookie"]);
    let refused = json!({"user": "a", "ip": "::1", "set_cookie": "yes"});
    assert_eq!(pointers(&server.call("POST", "/v1/tokens", Some(&refused)), 422), ["#/set_cookie"]);
}

#[test]
fn a_forwarded_method_is_trusted_only_from_a_trusted_proxy() {
    let check = ("DOORWARD_COOKIE_CSRF_CHECK", "true");
    let trusting = Server::start(&[check, ("DOORWARD_TRUSTED_PROXIES", "10.0.0.0/8,::ffff:127.0.0.0/104")]);
    let doubting = Server::start(&[check, ("DOORWARD_TRUSTED_PROXIES", "10.0.0.0/8,unix")]);
    for (server, trusted) in [(&trusting, true), (&doubting, false)] {
        let token = server.issue(json!({}))["token"].clone();
        let mut client = server.validation();
        for name in ["X-Forwarded-Method", "X-Original-Method"] {
            let response = ask(&mut client, "GET", "/auth", &token, &[(name, "POST"), FOREIGN[0]]);
            if trusted {
                assert_forbidden(&response, "cross-site")
            } else {
                _ = identity(&response)
            }
            identity(&ask(&mut client, "GET", "/auth", &token, &[(name, "GET"), FOREIGN[0]]));
            identity(&ask(&mut client, "GET", "/auth", &token, &[(name, "POST"), OWN[0]]));
            // A safe forwarded method does not exempt an unsafe one.
            let forged = ask(&mut client, "POST", "/auth", &token, &[(name, "GET"), FOREIGN[0]]);
            assert_forbidden(&forged, "cross-site");
        }
        let forwarded = [("X-Forwarded-Host", "front.example"), ("Origin", "https://front.example")];
        let response = ask(&mut client, "POST", "/auth", &token, &forwarded);
        if trusted {
            _ = identity(&response)
        } else {
            assert_forbidden(&response, "cross-site")
        }
        for host in ["front.example:443", "front.example, shop.internal:8080"] {
            let forwarded = [("X-Forwarded-Host", host), ("Origin", "https://front.example")];
            let response = ask(&mut client, "POST", "/auth", &token, &forwarded);
            assert_eq!(response.status, if trusted { 200 } else { 403 }, "{host}");
        }
        let response = ask(&mut client, "POST", "/logout", &token, &forwarded);
        assert_eq!(response.status, if trusted { 200 } else { 403 }, "{}", text(&token));
    }
}

#[test]
fn without_the_csrf_check_cross_site_cookies_pass() {
    let server = Server::start(&[]);
    let token = server.issue(json!({}))["token"].clone();
    for foreign in FOREIGN {
        identity(&ask(&mut server.validation(), "POST", "/auth", &token, &[foreign]));
    }
}

#[test]
fn only_the_own_site_can_log_out_by_cookie() {
    let settings = [("DOORWARD_COOKIE_NAME", "sid"), ("DOORWARD_ALLOWED_ORIGINS", "https://app.example")];
    let server = Server::start(&settings);
    let host = ("Host", "auth.example");
    let issued = server.issue(json!({}));
    let sid = format!("sid={}", text(&issued["token"]));
    for foreign in [
        ("Origin", "https://evil.example"),
        ("Origin", "null"),
        ("Origin", "https://auth.example.evil.example"),
        ("Origin", "https://app.example.evil.example"),
        ("Sec-Fetch-Site", "cross-site"),
        ("Sec-Fetch-Site", "same-site"),
        ("Origin", "http://auth.example"),
        ("Origin", "https://auth.example:8443"),
    ] {
        let response =
            server.validation().request("POST", "/logout", &[host, ("Cookie", &sid), foreign], None);
        assert_forbidden(&response, "cross-site");
        identity(&server.auth(&issued["token"]));
    }
    let origin = |value: &'static str| ("Origin", value);
    let site = |value: &'static str| ("Sec-Fetch-Site", value);
    for own in [
        &[host, origin("https://auth.example")][..],
        &[host, origin("https://app.example")],
        &[host, ("X-A", "b")],
        &[("Host", "auth.example:443"), origin("https://auth.example")],
        &[host, origin("null"), site("same-origin")],
        &[host, origin("https://app.example"), site("cross-site")],
        &[host, origin("https://app.example"), site("same-site")],
        &[host, site("none")],
    ] {
        let sid = format!("sid={}", text(&server.issue(json!({}))["token"]));
        let response =
            server.validation().request("POST", "/logout", &[own, &[("Cookie", &sid)]].concat(), None);
        assert_eq!(response.status, 200, "{own:?}");
        assert!(response.header("set-cookie").unwrap().starts_with("sid=;"), "{own:?}");
    }
}
