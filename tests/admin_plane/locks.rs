//! Locking a user over the admin plane.

use serde_json::{Value, json};

use super::oauth_calls::introspect;
use crate::common::http::Response;
use crate::common::server::{
    Server, assert_invalid_token, bearer, cookie, identity, pointers, text, token_path,
};
use crate::on_each_store;

const LOCK: &str = "/v1/users/alice/lock";

fn set(server: &Server, method: &str, path: &str) {
    let response = server.call(method, path, None);
    assert_eq!((response.status, response.body.len()), (204, 0), "{}", response.text());
}

fn is_locked(server: &Server) -> Value {
    server.call("GET", LOCK, None).json()
}

/// Asserts the problem that a locked user causes.
fn assert_user_locked(response: &Response) {
    assert_eq!(pointers(response, 409), [""; 0]);
    assert_eq!(response.json()["type"], "urn:doorward:problem:user-locked");
}

/// Asserts that no endpoint takes the token of a locked user.
fn assert_refused_everywhere(server: &Server, token: &Value) {
    let get = |path: &str| server.validation().get(path, &[("Authorization", &bearer(token))]);
    for path in ["/auth", "/auth/a", "/check/any", "/session"] {
        assert_invalid_token(&get(path));
    }
    let by_cookie = [("Cookie", &*cookie(token))];
    assert_invalid_token(&server.validation().get("/auth", &by_cookie));
    for path in ["/auth-optional", "/check/door"] {
        assert_eq!(identity(&get(path))[0], "-", "{path}");
    }
    let logout = format!(
        "POST /logout HTTP/1.1\r\nHost: a\r\nAuthorization: {}\r\nContent-Length: 0\r\n\r\n",
        bearer(token)
    );
    assert_invalid_token(&server.validation().send(logout));
    assert_eq!(introspect(server, token), json!({"active": false}));
}

#[test]
fn a_locked_users_tokens_are_refused_everywhere_and_none_is_lost() {
    on_each_store(&[("DOORWARD_CHECKS", "any,door:anonymous=true")], |server| {
        let tokens = [server.issue(json!({})), server.issue(json!({"auth_slug": "web"}))];
        let others = server.issue(json!({"user": "bob"}));
        let batch = || {
            let all: Vec<_> = tokens.iter().map(|token| &token["token"]).collect();
            server.call("POST", "/v1/validate", Some(&json!({"tokens": all}))).json()["results"].clone()
        };
        // The second time, every token has been cached.
        for time in 0..2 {
            for token in &tokens {
                identity(&server.auth(&token["token"]));
            }
            assert_eq!(batch()[0]["id"], tokens[0]["id"]);
            assert_eq!(is_locked(server), json!({"locked": false}));
            for _ in 0..2 {
                set(server, "PUT", LOCK);
            }
            assert_eq!(is_locked(server), json!({"locked": true}));
            for token in &tokens {
                assert_refused_everywhere(server, &token["token"]);
                let shown = server.token(&token["id"]);
                assert_eq!((&shown["is_active"], &shown["locked"]), (&json!(true), &json!(true)));
            }
            assert_eq!(batch(), json!([{"is_active": false}, {"is_active": false}]), "{time}");
            assert_eq!(server.list("").0.len(), 2);
            identity(&server.auth(&others["token"]));
            for _ in 0..2 {
                set(server, "DELETE", LOCK);
            }
        }
        for token in &tokens {
            identity(&server.auth(&token["token"]));
            assert_eq!(server.token(&token["id"])["locked"], false);
        }
        let events = server.call("GET", "/v1/users/alice/events", None).json();
        let events = events["events"].as_array().unwrap().iter();
        let kinds: Vec<_> = events.map(|event| text(&event["type"]).to_owned()).collect();
        assert_eq!(kinds[..4], ["user.unlocked", "user.locked", "user.unlocked", "user.locked"]);
    });
}

#[test]
fn a_locked_user_gets_no_token_secret_or_takeover() {
    on_each_store(&[], |server| {
        let token = server.issue(json!({}));
        let pending = server.issue(json!({"is_authenticated": false}));
        let device = json!({"uuid": "phone"});
        let made = server.call("POST", "/v1/users/alice/devices", Some(&device)).json();
        set(server, "PUT", LOCK);
        let new = json!({"user": "alice", "ip": "203.0.113.7"});
        assert_user_locked(&server.call("POST", "/v1/tokens", Some(&new)));
        let login = |login_token: &str| {
            let body = json!({"uuid": "phone", "login_token": login_token, "ip": "203.0.113.7"});
            server.call("POST", "/v1/devices/login", Some(&body))
        };
        let login_token = text(&made["login_token"]);
        assert_user_locked(&login(login_token));
        // Only the holder of the right login token learns of the lock.
        assert_eq!(pointers(&login(&login_token.replace("dwd_", "dw_")), 401), [""; 0]);
        for path in [
            format!("{}/rotate", token_path(&token["id"])),
            format!("{}/confirm", token_path(&pending["id"])),
        ] {
            assert_user_locked(&server.call("POST", &path, None));
        }
        let takeover = format!("{}/takeover", token_path(&token["id"]));
        assert_user_locked(&server.call("POST", &takeover, Some(&json!({"user": "bob"}))));
        // An actor goes on as a locked user.
        let actor = server.issue(json!({"user": "bob"}));
        let path = format!("{}/takeover", token_path(&actor["id"]));
        assert_eq!(server.call("POST", &path, Some(&json!({"user": "alice"}))).status, 201);
        assert_eq!(identity(&server.auth(&actor["token"]))[..2], ["alice", "bob"]);
        set(server, "DELETE", LOCK);
        assert_eq!(login(login_token).status, 201);
        identity(&server.auth(&token["token"]));
    });
}

#[test]
fn a_user_without_tokens_is_locked_and_bad_calls_lock_no_user() {
    on_each_store(&[], |server| {
        for (path, pointer) in [
            ("/v1/users/%2e%2e/lock", "#/user"),
            ("/v1/users/-/lock", "#/user"),
            ("/v1/users/alice/lock?x=1", "#/x"),
        ] {
            for method in ["PUT", "DELETE", "GET"] {
                assert_eq!(pointers(&server.call(method, path, None), 422), [pointer], "{method} {path}");
            }
        }
        let wrong = server.call("POST", LOCK, Some(&json!({})));
        assert_eq!((wrong.status, wrong.header("allow")), (405, Some("GET, HEAD, PUT, DELETE")));
        assert_eq!(is_locked(server), json!({"locked": false}));
        let other = "/v1/users/nobody%2F%C3%A9/lock";
        set(server, "PUT", other);
        let body = json!({"user": "nobody/é", "ip": "203.0.113.7"});
        assert_user_locked(&server.call("POST", "/v1/tokens", Some(&body)));
        server.issue(json!({}));
        set(server, "DELETE", other);
        assert_eq!(server.call("POST", "/v1/tokens", Some(&body)).status, 201);
    });
}
