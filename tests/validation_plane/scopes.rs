//! Scopes of tokens, and what route checks demand besides backend and slug.

use serde_json::{Value, json};

use super::support::assert_forbidden;
use crate::common::http::Response;
use crate::common::process::wait_for;
use crate::common::server::{Server, bearer, cookie, identity, pointers, text, token_path};
use crate::on_each_store;

const CHECKS: (&str, &str) = (
    "DOORWARD_CHECKS",
    "write:scopes=orders:write+scopes=orders:read, some:backend=ldap+backend=saml+slug=web+slug=tv, \
     fresh:max-age=1h, new:max-age=1s, poll:renew=false",
);

/// The headers `X-Auth-Scopes` and `X-Auth-Via`.
fn scopes_and_via(response: &Response) -> [&str; 2] {
    identity(response);
    ["X-Auth-Scopes", "X-Auth-Via"].map(|name| response.header(name).unwrap())
}

#[test]
fn scopes_are_shown_wherever_a_token_is() {
    on_each_store(&[], |server| {
        let scopes = json!(["orders:read", "orders:write", "orders:read"]);
        let issued = server.issue(json!({"scopes": scopes}));
        assert_eq!(issued["scopes"], json!(["orders:read", "orders:write"]));
        let token = &issued["token"];
        for _ in 0..2 {
            let by_header = server.auth(token);
            assert_eq!(scopes_and_via(&by_header), ["orders:read orders:write", "header"]);
        }
        let by_cookie = server.validation().get("/auth", &[("Cookie", &cookie(token))]);
        assert_eq!(scopes_and_via(&by_cookie), ["orders:read orders:write", "cookie"]);
        let anonymous = server.validation().get("/auth-optional", &[]);
        assert_eq!(scopes_and_via(&anonymous), ["-", "-"]);

        let batch = server.call("POST", "/v1/validate", Some(&json!({"tokens": [token]}))).json();
        assert_eq!(batch["results"][0]["scopes"], issued["scopes"]);
        let session = server.validation().get("/session", &[("Authorization", &bearer(token))]).json();
        assert_eq!(session["scopes"], issued["scopes"]);
        let none = server.issue(json!({}));
        assert_eq!(none["scopes"], json!([]));
        assert_eq!(scopes_and_via(&server.auth(&none["token"])), ["-", "header"]);
    });
}

#[test]
fn scopes_can_be_replaced_and_cleared() {
    on_each_store(&[], |server| {
        let issued = server.issue(json!({"scopes": ["a"], "auth_slug": "web"}));
        let (path, token) = (token_path(&issued["id"]), &issued["token"]);
        for (change, shown, header) in [
            (json!({"scopes": ["b", "c"]}), json!(["b", "c"]), "b c"),
            (json!({"auth_slug": null}), json!(["b", "c"]), "b c"),
            (json!({"scopes": []}), json!([]), "-"),
            (json!({"scopes": ["d"]}), json!(["d"]), "d"),
            (json!({"scopes": null}), json!([]), "-"),
        ] {
            let changed = server.call("PATCH", &path, Some(&change));
            assert_eq!((changed.status, &changed.json()["scopes"]), (200, &shown), "{change}");
            assert_eq!(scopes_and_via(&server.auth(token))[0], header, "{change}");
        }
    });
}

#[test]
fn bad_scopes_are_named_and_change_nothing() {
    let server = Server::start(&[]);
    let issued = server.issue(json!({"scopes": ["a"]}));
    let many: Vec<_> = (0..33).map(|n| n.to_string()).collect();
    for (scopes, pointer) in [
        (json!("a b"), "#/scopes"),
        (json!(["ok", "a b"]), "#/scopes/1"),
        (json!(["ok", 1]), "#/scopes/1"),
        (json!(["-"]), "#/scopes/0"),
        (json!([""]), "#/scopes/0"),
        (json!(["50%"]), "#/scopes/0"),
        (json!(many), "#/scopes"),
    ] {
        let patch = server.call("PATCH", &token_path(&issued["id"]), Some(&json!({"scopes": scopes})));
        assert_eq!(pointers(&patch, 422), [pointer], "{scopes}");
        let body = json!({"user": "alice", "ip": "::1", "scopes": scopes});
        assert_eq!(pointers(&server.call("POST", "/v1/tokens", Some(&body)), 422), [pointer], "{scopes}");
    }
    assert_eq!(server.token(&issued["id"])["scopes"], json!(["a"]));
}

#[test]
fn a_device_login_may_have_scopes() {
    on_each_store(&[], |server| {
        let device = server.call("POST", "/v1/users/alice/devices", Some(&json!({"uuid": "phone"}))).json();
        let login =
            json!({"uuid": "phone", "login_token": device["login_token"], "ip": "::1", "scopes": ["tv"]});
        let token = server.call("POST", "/v1/devices/login", Some(&login)).json();
        assert_eq!(scopes_and_via(&server.auth(&token["token"]))[0], "tv");
    });
}

#[test]
fn introspection_names_scope_and_username() {
    on_each_store(&[], |server| {
        let ask = |token: &Value| {
            let form = format!("token={}", text(token));
            let headers = [
                ("Authorization", &*bearer(&json!(crate::common::server::ADMIN_KEY))),
                ("Content-Type", "application/x-www-form-urlencoded"),
                ("Content-Length", &form.len().to_string()),
            ];
            let head: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
            server.admin().send(format!("POST /introspect HTTP/1.1\r\nHost: a\r\n{head}\r\n{form}")).json()
        };
        let issued = server.issue(json!({"scopes": ["read", "write"]}));
        let answer = ask(&issued["token"]);
        assert_eq!((&answer["scope"], &answer["username"]), (&json!("read write"), &json!("alice")));
        let takeover = json!({"user": "bob"});
        server.call("POST", &format!("{}/takeover", token_path(&issued["id"])), Some(&takeover));
        assert_eq!(ask(&issued["token"])["username"], "bob");
        assert_eq!(ask(&server.issue(json!({}))["token"]).get("scope"), None);
    });
}

#[test]
fn a_check_may_demand_scopes_one_of_several_values_and_a_fresh_login() {
    on_each_store(&[CHECKS], |server| {
        let check = |name: &str, token: &Value| {
            server.validation().get(&format!("/check/{name}"), &[("Authorization", &bearer(&token["token"]))])
        };
        let both = server.issue(json!({"scopes": ["orders:read", "x", "orders:write"]}));
        let one = server.issue(json!({"scopes": ["orders:write"]}));
        identity(&check("write", &both));
        assert_forbidden(&check("write", &one), "check");
        for (backend, slug, passes) in
            [("ldap", "web", true), ("saml", "tv", true), ("saml", "phone", false), ("radius", "web", false)]
        {
            let token = server.issue(json!({"backend": backend, "auth_slug": slug}));
            let answer = check("some", &token);
            assert_eq!(answer.status, if passes { 200 } else { 403 }, "{backend} {slug}");
        }
        identity(&check("fresh", &one));
        wait_for("too old a login", || (check("new", &one).status == 403).then_some(()));
    });
}

#[test]
fn a_check_without_renewal_leaves_no_trace() {
    let settings = [CHECKS, ("DOORWARD_TOUCH_RESOLUTION", "0"), ("DOORWARD_FLUSH_INTERVAL", "10ms")];
    on_each_store(&settings, |server| {
        let [polled, used] = [(); 2].map(|()| server.issue(json!({})));
        // An access that the poll had recorded would be written before the later access of the other token.
        wait_for("a recorded access", || {
            identity(
                &server.validation().get("/check/poll", &[("Authorization", &bearer(&polled["token"]))]),
            );
            identity(&server.auth(&used["token"]));
            (server.token(&used["id"])["last_access"] != used["last_access"]).then_some(())
        });
        assert_eq!(server.token(&polled["id"])["last_access"], polled["last_access"]);
    });
}
