//! Named checks, and the check of unsafe methods for cookies.

use serde_json::{Value, json};

use crate::common::http::{Client, Response};
use crate::common::process::wait_for;
use crate::common::server::{
    Server, assert_empty, assert_invalid_token, assert_no_token, bearer, cookie, identity, text,
};
use crate::on_each_store;

const ANONYMOUS: [&str; 7] = ["-", "-", "-", "-", "-", "-", "0"];
const CHECKS: (&str, &str) = (
    "DOORWARD_CHECKS",
    "staff:backend=ldap+slug=web+second-factor=true, shop:slug=web+anonymous=true, any, door:anonymous=true",
);

/// Refused for this reason, and with nothing else.
fn assert_forbidden(response: &Response, reason: &str) {
    assert_eq!((response.status, response.header("x-auth-reason")), (403, Some(reason)), "{response:?}");
    assert_empty(response);
    let tells = |(name, _): &(String, String)| {
        let name = name.to_ascii_lowercase();
        name.starts_with("x-auth-") && name != "x-auth-reason"
            || name == "set-cookie"
            || name == "www-authenticate"
    };
    assert!(!response.headers.iter().any(tells), "{response:?}");
}

#[test]
fn a_route_check_passes_tokens_that_meet_its_demands() {
    on_each_store(&[CHECKS], |server| {
        let ask = |name: &str, token: &Value| {
            server.validation().get(&format!("/check/{name}"), &[("Authorization", &bearer(token))])
        };
        let staff = server.issue(json!({"backend": "ldap", "auth_slug": "web"}))["token"].clone();
        let other_backend = server.issue(json!({"backend": "LDAP", "auth_slug": "web"}))["token"].clone();
        let bare = server.issue(json!({}))["token"].clone();
        // Twice: read from the store, and known.
        for _ in 0..2 {
            for name in ["staff", "staff/", "staff/a/../b?x=y", "shop", "any/x", "door"] {
                let response = ask(name, &staff);
                let [user, .., slug, backend, device, _] = identity(&response);
                assert_eq!([user, slug, backend, device], ["alice", "web", "ldap", "-"], "{name}");
            }
            assert_forbidden(&ask("staff", &other_backend), "check");
            identity(&ask("shop", &other_backend));
            for name in ["staff", "shop", "shop/x"] {
                assert_forbidden(&ask(name, &bare), "check");
            }
            identity(&ask("any", &bare));
            identity(&ask("door", &bare));
        }
        for method in ["HEAD", "POST", "PROPFIND"] {
            let head = format!(
                "{method} /check/staff HTTP/1.1\r\nHost: a\r\nAuthorization: {}\r\n\r\n",
                bearer(&bare)
            );
            assert_forbidden(&server.validation().send(head), "check");
        }
    });
}

#[test]
fn without_a_valid_token_a_route_check_answers_like_auth_or_auth_optional() {
    on_each_store(&[CHECKS], |server| {
        let issued = server.issue(json!({"backend": "ldap", "auth_slug": "web"}));
        server.end(&issued["id"]);
        let ended = bearer(&issued["token"]);
        let get = |path: &str, value: &str| server.validation().get(path, &[("Authorization", value)]);
        assert_no_token(&get("/check/staff", "Basic YTpi"));
        assert_invalid_token(&get("/check/staff", &ended));
        assert_invalid_token(&get("/check/any", "Bearer x"));
        for path in ["/check/shop", "/check/door/x"] {
            for value in ["Basic YTpi", "Bearer x", &ended] {
                assert_eq!(identity(&get(path, value)), ANONYMOUS, "{path} {value}");
            }
        }
    });
}

#[test]
fn a_pending_token_passes_no_route_check() {
    let checks = "plain,factor:second-factor=true,open:anonymous=true,both:anonymous=true+second-factor=true";
    on_each_store(&[("DOORWARD_CHECKS", checks)], |server| {
        let issued = server.issue(json!({"is_authenticated": false}));
        let get = |name: &str| {
            let headers = [("Authorization", &*bearer(&issued["token"]))];
            server.validation().get(&format!("/check/{name}"), &headers)
        };
        for name in ["plain", "factor", "both"] {
            assert_forbidden(&get(name), "second-factor");
        }
        assert_eq!(identity(&get("open")), ANONYMOUS);
        let confirm = format!("/v1/tokens/{}/confirm", text(&issued["id"]));
        assert_eq!(server.call("POST", &confirm, None).status, 200);
        for name in ["plain", "factor", "both", "open"] {
            assert_eq!(identity(&get(name))[0], "alice", "{name}");
        }
    });
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

/// The validation plane's answer to a request with the cookie.
fn ask(client: &mut Client, method: &str, path: &str, token: &Value, headers: &[(&str, &str)]) -> Response {
    let cookie = cookie(token);
    client.request(method, path, &[&[("Host", "shop.example"), ("Cookie", &*cookie)], headers].concat(), None)
}

const FOREIGN: [(&str, &str); 3] =
    [("Origin", "https://evil.example"), ("Origin", "null"), ("Sec-Fetch-Site", "cross-site")];
const OWN: [(&str, &str); 4] = [
    ("Origin", "https://shop.example"),
    ("Origin", "https://app.example"),
    ("Sec-Fetch-Site", "same-origin"),
    ("X-Other", "1"),
];

#[test]
fn a_cross_site_cookie_passes_only_safe_methods() {
    let settings = [
        CHECKS,
        ("DOORWARD_COOKIE_CSRF_CHECK", "true"),
        ("DOORWARD_TRUSTED_PROXIES", "10.0.0.0/8"),
        ("DOORWARD_ALLOWED_ORIGINS", "https://app.example"),
        ("DOORWARD_FLUSH_INTERVAL", "10ms"),
    ];
    on_each_store(&settings, |server| {
        let issued = server.issue(json!({}));
        let token = &issued["token"];
        let mut client = server.validation();
        for path in ["/auth", "/auth/x", "/auth-optional", "/check/any", "/check/door"] {
            for foreign in FOREIGN {
                for method in ["POST", "PUT", "PATCH", "DELETE", "PROPFIND", "get"] {
                    assert_forbidden(&ask(&mut client, method, path, token, &[foreign]), "cross-site");
                }
            }
        }
        // Refused ones were no accesses: those of a witness show, and these do not.
        let witness = server.issue(json!({}));
        wait_for("an access shows", || {
            identity(&server.auth(&witness["token"]));
            (server.token(&witness["id"])["last_access"] != witness["created_at"]).then_some(())
        });
        assert_eq!(server.token(&issued["id"])["last_access"], issued["created_at"]);
        for path in ["/auth", "/auth-optional", "/check/any"] {
            for foreign in FOREIGN {
                for method in ["GET", "HEAD", "OPTIONS", "TRACE"] {
                    let head = format!(
                        "{method} {path} HTTP/1.1\r\nHost: shop.example\r\nCookie: {}\r\n{}: {}\r\n\r\n",
                        cookie(token),
                        foreign.0,
                        foreign.1
                    );
                    identity(&client.send(head));
                }
                // Without a valid token it is as always.
                let forged = json!("dw_x");
                let response = ask(&mut client, "POST", path, &forged, &[foreign]);
                if path == "/auth-optional" {
                    assert_eq!(identity(&response), ANONYMOUS);
                } else {
                    assert_invalid_token(&response);
                }
                // No other site can make a browser send the header.
                let headers = [("Authorization", &*bearer(token)), foreign];
                identity(&client.request("POST", path, &headers, None));
            }
            for own in OWN {
                identity(&ask(&mut client, "POST", path, token, &[own]));
            }
        }
    });
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
            // A safe one takes nothing back.
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
