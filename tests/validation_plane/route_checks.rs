//! Route checks, and the CSRF check of cookies.

use serde_json::{Value, json};

use super::support::{ANONYMOUS, CHECKS, FOREIGN, OWN, ask, assert_forbidden};
use crate::common::process::wait_for;
use crate::common::server::{assert_invalid_token, assert_no_token, bearer, cookie, identity, text};
use crate::on_each_store;

#[test]
fn a_route_check_passes_tokens_that_meet_its_demands() {
    on_each_store(&[CHECKS], |server| {
        let ask = |name: &str, token: &Value| {
            server.validation().get(&format!("/check/{name}"), &[("Authorization", &bearer(token))])
        };
        let staff = server.issue(json!({"backend": "ldap", "auth_slug": "web"}))["token"].clone();
        let other_backend = server.issue(json!({"backend": "LDAP", "auth_slug": "web"}))["token"].clone();
        let bare = server.issue(json!({}))["token"].clone();
        // Twice: first read from the store, then cached.
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
        server.revoke(&issued["id"]);
        let revoked = bearer(&issued["token"]);
        let get = |path: &str, value: &str| server.validation().get(path, &[("Authorization", value)]);
        assert_no_token(&get("/check/staff", "Basic YTpi"));
        assert_invalid_token(&get("/check/staff", &revoked));
        assert_invalid_token(&get("/check/any", "Bearer x"));
        for path in ["/check/shop", "/check/door/x"] {
            for value in ["Basic YTpi", "Bearer x", &revoked] {
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
        // Refused requests do not count as accesses: an access of another token is written, theirs is not.
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
                // Without a valid token, the CSRF check changes nothing.
                let forged = json!("dw_x");
                let response = ask(&mut client, "POST", path, &forged, &[foreign]);
                if path == "/auth-optional" {
                    assert_eq!(identity(&response), ANONYMOUS);
                } else {
                    assert_invalid_token(&response);
                }
                // Other sites cannot make a browser send this header.
                let headers = [("Authorization", &*bearer(token)), foreign];
                identity(&client.request("POST", path, &headers, None));
            }
            for own in OWN {
                identity(&ask(&mut client, "POST", path, token, &[own]));
            }
        }
    });
}
