//! Takeovers, the second factor, the token limit per user, events and expiry over HTTP.

use std::cmp::Reverse;

use serde_json::{Value, json};

use super::support::*;
use crate::common::server::{
    assert_invalid_token, bearer, cookie, identity, key, pointers, text, token_path,
};
use crate::on_each_store;

#[test]
fn a_takeover_shows_both_users_until_logout() {
    on_each_store(&[], |server| {
        let token = issue(server, "alice");
        assert_eq!(identity(&server.auth(&token["token"]))[..2], ["alice", "alice"]);
        let takeover =
            take_over(server, &token, json!({"user": "bøb", "reason": "ticket 7", "seconds": 600}));
        for (name, expected) in [
            ("token", token["id"].clone()),
            ("actor", json!("alice")),
            ("user", json!("bøb")),
            ("reason", json!("ticket 7")),
            ("is_active", json!(true)),
            ("ended_at", json!(null)),
        ] {
            assert_eq!(takeover[name], expected, "{takeover}");
        }
        assert_eq!(identity(&server.auth(&token["token"]))[..2], ["b%C3%B8b", "alice"]);
        assert_eq!(server.token(&token["id"])["takeover"], takeover);
        let session = server.validation().get("/session", &[("cookie", &cookie(&token["token"]))]).json();
        assert_eq!((&session["user"], &session["takeover"]), (&json!("alice"), &takeover));
        let by_token = token_path(&token["id"]) + "/takeovers";
        let by_user = "/v1/users/b%C3%B8b/takeovers";
        for path in [&*by_token, by_user] {
            assert_eq!(listed(server, path, "takeovers"), std::slice::from_ref(&takeover));
        }

        assert_eq!(logout(server, &token["token"]), (200, json!({"ended": "takeover"}), None));
        assert_eq!(identity(&server.auth(&token["token"]))[..2], ["alice", "alice"]);
        assert_eq!(server.token(&token["id"])["takeover"], Value::Null);
        let over = listed(server, by_user, "takeovers").remove(0);
        assert_eq!((&over["id"], &over["is_active"]), (&takeover["id"], &json!(false)));
        assert!(text(&over["ended_at"]) >= text(&over["created_at"]));
        let (status, body, set_cookie) = logout(server, &token["token"]);
        assert_eq!((status, body), (200, json!({"ended": "token"})));
        assert!(set_cookie.unwrap().contains("Max-Age=0"));
        assert_invalid_token(&server.auth(&token["token"]));
    });
}

#[test]
fn takeovers_are_started_and_ended_over_the_admin_plane() {
    on_each_store(&[("DOORWARD_MAX_TAKEOVER_AGE", "1h")], |server| {
        let token = issue(server, "alice");
        let path = token_path(&token["id"]) + "/takeover";
        assert_eq!(server.call("DELETE", &path, None).status, 404, "no takeover is active");
        let first = take_over(server, &token, json!({"user": "bob"}));
        let second = take_over(server, &token, json!({"user": "carol", "reason": null}));
        assert_eq!(second["actor"], "alice", "it does not nest");
        let history = listed(server, &(path.clone() + "s"), "takeovers");
        // Newest first; takeovers of the same millisecond by id.
        let mut expected = [&first, &second].map(|t| (Reverse(text(&t["created_at"])), text(&t["id"])));
        expected.sort_unstable();
        assert_eq!(history.iter().map(|t| text(&t["id"])).collect::<Vec<_>>(), expected.map(|(_, id)| id));
        let is_active = |id| history.iter().find(|t| t["id"] == id).map(|t| t["is_active"].clone());
        assert_eq!(is_active(text(&first["id"])), Some(json!(false)));
        assert_eq!(is_active(text(&second["id"])), Some(json!(true)));
        assert_eq!(server.call("DELETE", &path, None).status, 204);
        assert_eq!(server.call("DELETE", &path, None).status, 404);

        for (body, expected) in [
            (json!({}), vec!["#/user"]),
            (
                json!({"user": "-", "reason": "x".repeat(501), "seconds": 0}),
                vec!["#/user", "#/reason", "#/seconds"],
            ),
            (json!({"user": "bob", "seconds": 3601}), vec!["#/seconds"]),
            (json!({"user": "bob", "until": 1}), vec!["#/until"]),
        ] {
            assert_eq!(pointers(&server.call("POST", &path, Some(&body)), 422), expected);
        }
        let own = server.call("POST", &path, Some(&json!({"user": "alice"})));
        assert_eq!(pointers(&own, 409), [] as [&str; 0]);
        server.revoke(&token["id"]);
        assert_eq!(server.call("POST", &path, Some(&json!({"user": "bob"}))).status, 409);
        let unknown = "/v1/tokens/AAAAAAAAAAAAAAAA/takeover";
        assert_eq!(server.call("POST", unknown, Some(&json!({"user": "bob"}))).status, 404);
        assert_eq!(server.call("GET", "/v1/tokens/AAAAAAAAAAAAAAAA/takeovers", None).status, 404);
        assert_eq!(listed(server, "/v1/users/nobody/takeovers", "takeovers"), [] as [Value; 0]);
        assert_eq!(server.call("PUT", &path, None).header("allow"), Some("POST, DELETE"));
    });
}

#[test]
fn a_token_is_refused_until_its_second_factor_is_confirmed() {
    on_each_store(&[], |server| {
        let token = server.issue(json!({"user": "alice", "is_authenticated": false}));
        assert_eq!(token["is_authenticated"], false);
        let refused = server.auth(&token["token"]);
        assert_eq!((refused.status, refused.header("x-auth-user")), (403, None));
        assert_eq!(refused.header("x-auth-reason"), Some("second-factor"));
        assert_eq!(refused.header("content-length"), Some("0"));
        let authorization = bearer(&token["token"]);
        let headers = [("authorization", authorization.as_str())];
        let optional = server.validation().get("/auth-optional", &headers);
        assert_eq!(identity(&optional)[..2], ["-", "-"]);
        for (method, path) in [("GET", "/session"), ("POST", "/logout")] {
            let refused = server.validation().request(method, path, &headers, None);
            let reason = refused.header("x-auth-reason");
            assert_eq!((refused.status, reason), (403, Some("second-factor")), "{path}");
        }
        let batch = json!({"tokens": [token["token"]]});
        let results = server.call("POST", "/v1/validate", Some(&batch)).json();
        assert_eq!(results, json!({"results": [{"is_active": false}]}));
        let path = token_path(&token["id"]);
        for call in ["/rotate", "/takeover"] {
            let body = (call == "/takeover").then(|| json!({"user": "bob"}));
            assert_eq!(server.call("POST", &(path.clone() + call), body.as_ref()).status, 409, "{call}");
        }

        let confirmed = server.call("POST", &(path.clone() + "/confirm"), None);
        assert_eq!((confirmed.status, &confirmed.json()["is_authenticated"]), (200, &json!(true)));
        assert_eq!(identity(&server.auth(&token["token"]))[0], "alice");
        assert_eq!(
            server.call("POST", &(path.clone() + "/confirm"), None).status,
            200,
            "confirming twice is no error"
        );
        server.revoke(&token["id"]);
        assert_eq!(server.call("POST", &(path + "/confirm"), None).status, 409);
    });
}

#[test]
fn with_refuse_new_a_login_above_the_limit_is_refused() {
    let settings = [("DOORWARD_MAX_TOKENS_PER_USER", "2"), ("DOORWARD_OVER_LIMIT", "refuse-new")];
    on_each_store(&settings, |server| {
        let first = issue(server, "alice");
        issue(server, "alice");
        let body = json!({"user": "alice", "ip": "192.0.2.1"});
        let refused = server.call("POST", "/v1/tokens", Some(&body));
        assert_eq!(pointers(&refused, 409), [] as [&str; 0]);
        assert_eq!(server.auth(&first["token"]).status, 200);
        server.revoke(&first["id"]);
        issue(server, "alice");
    });
}

#[test]
fn events_name_the_actor_and_the_reason() {
    on_each_store(&[], |server| {
        let token = issue(server, "alice");
        assert_eq!(logout(server, &token["token"]).0, 200);
        let events = listed(server, "/v1/users/alice/events", "events");
        let expected = |kind: &str, actor: &str, reason: Value, at: &Value| {
            json!({"type": kind, "at": at, "user": "alice", "actor": actor, "token": token["id"], "takeover": null,
                "taken_over": null, "device": null, "reason": reason, "ip": "203.0.113.7", "user_agent": null,
                "auth_slug": null, "backend": null})
        };
        assert_eq!(
            events,
            [
                expected("token.revoked", "holder", json!("logout"), &events[0]["at"]),
                expected("token.issued", "key:admin", json!(null), &token["created_at"]),
            ]
        );
        assert_eq!(listed(server, "/v1/users/nobody/events", "events"), [] as [Value; 0]);
    });
}

/// A cache that trusts `exp` or `X-Auth-Expires-In` must not keep the identity of a takeover beyond the takeover's end.
#[test]
fn an_identity_expires_with_the_earlier_of_takeover_and_token() {
    on_each_store(&[], |server| {
        let ms = |time: &Value| chrono::DateTime::parse_from_rfc3339(text(time)).unwrap().timestamp_millis();
        let form = |token: &Value| {
            let body = format!("token={}", text(&token["token"]));
            let (name, value) = key();
            let head = format!("POST /introspect HTTP/1.1\r\nHost: a\r\n{name}: {value}\r\n");
            let kind = "Content-Type: application/x-www-form-urlencoded";
            let request = format!("{head}{kind}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
            server.admin().send(request).json()
        };
        for (seconds, idle_seconds) in [(60, 600), (600, 60)] {
            let token = server.issue(json!({"user": "alice", "idle_seconds": idle_seconds}));
            let started = take_over(server, &token, json!({"user": "bob", "seconds": seconds}));
            assert_eq!(ms(&started["ends_at"]) - ms(&started["created_at"]), seconds * 1000);
            let response = server.auth(&token["token"]);
            let told: i64 = identity(&response)[6].parse().unwrap();
            assert!((30..=60).contains(&told), "{told}");
            let introspection = form(&token);
            assert_eq!(introspection["sub"], "bob");
            let left = introspection["exp"].as_i64().unwrap() - introspection["iat"].as_i64().unwrap();
            assert!((30..=61).contains(&left), "{left}");
            let shown = server.token(&token["id"]);
            assert_eq!(shown["takeover"]["ends_at"], started["ends_at"]);
            let history = listed(server, "/v1/users/bob/takeovers", "takeovers");
            assert_eq!(history[0]["ends_at"], started["ends_at"]);
            let revoked = server.call("DELETE", &(token_path(&token["id"]) + "/takeover"), None);
            assert_eq!(revoked.status, 204);
            let told: i64 = identity(&server.auth(&token["token"]))[6].parse().unwrap();
            assert!((idle_seconds - 30..=idle_seconds).contains(&told), "{told}");
        }
    });
}

#[test]
fn a_token_shows_its_absolute_expiry_and_why_it_was_revoked() {
    on_each_store(&[], |server| {
        let ms = |time: &Value| chrono::DateTime::parse_from_rfc3339(text(time)).unwrap().timestamp_millis();
        let issued = |user: &str| server.issue(json!({"user": user, "lifetime_seconds": 7200}));
        let live = issued("alice");
        assert_eq!(ms(&live["ends_at"]) - ms(&live["created_at"]), 7_200_000);
        assert_eq!((&live["revoked_at"], &live["revoked_reason"]), (&json!(null), &json!(null)));
        let (by_name, by_holder, by_user) = (issued("alice"), issued("alice"), issued("bob"));
        server.revoke(&by_name["id"]);
        assert_eq!(logout(server, &by_holder["token"]).0, 200);
        assert_eq!(server.call("DELETE", "/v1/users/bob/tokens", None).status, 200);
        for (token, reason) in [(&by_name, "ended"), (&by_holder, "logout"), (&by_user, "all_of_user")] {
            let shown = server.token(&token["id"]);
            assert_eq!((&shown["revoked_reason"], &shown["ends_at"]), (&json!(reason), &token["ends_at"]));
            assert!(ms(&shown["revoked_at"]) >= ms(&token["created_at"]), "{shown}");
            let events = listed(server, &format!("/v1/users/{}/events", text(&token["user"])), "events");
            let revoked = events.iter().find(|e| e["type"] == "token.revoked" && e["token"] == token["id"]);
            assert_eq!(revoked.unwrap()["at"], shown["revoked_at"]);
        }
    });
}
