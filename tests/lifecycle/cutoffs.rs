//! Cut-offs over HTTP.

use serde_json::{Value, json};

use super::support::*;
use crate::common::feed::FeedReader;
use crate::common::http::Response;
use crate::common::process::wait_for;
use crate::common::server::{
    Server, assert_invalid_token, bearer, cookie, identity, key, pointers, text, token_path,
};
use crate::on_each_store;

fn set(server: &Server, name: &str, before: &str) -> Response {
    server.call("PUT", &format!("/v1/cutoffs/{name}"), Some(&json!({"before": before})))
}

fn cutoffs(server: &Server) -> Vec<Value> {
    listed(server, "/v1/cutoffs", "cutoffs")
}

/// Issues a token that was created after `earlier`.
fn issue_after(server: &Server, earlier: &Value, fields: &Value) -> Value {
    wait_for("the next millisecond", || {
        let token = server.issue(fields.clone());
        (text(&token["created_at"]) > text(&earlier["created_at"])).then_some(token)
    })
}

/// Returns a time after the creation of `earlier`, at which this user has no new token.
fn time_after(server: &Server, earlier: &Value) -> String {
    let mut others = 0;
    wait_for("the next millisecond", || {
        others += 1;
        let token = server.issue(json!({"user": format!("other-{others}")}));
        let time = text(&token["created_at"]);
        (time > text(&earlier["created_at"])).then(|| time.to_owned())
    })
}

#[test]
fn a_cutoff_refuses_earlier_tokens_everywhere() {
    on_each_store(&[], |server| {
        let old = server.issue(json!({"auth_slug": "web"}));
        let new = issue_after(server, &old, &json!({"auth_slug": "web"}));
        assert_eq!(identity(&server.auth(&old["token"]))[0], "alice", "it is cached now");
        let response = set(server, "slug:web", text(&new["created_at"]));
        assert_eq!(response.status, 201, "{}", response.text());
        assert_eq!(response.json()["before"], new["created_at"]);

        assert_invalid_token(&server.auth(&old["token"]));
        assert_eq!(identity(&server.auth(&new["token"]))[0], "alice");
        let optional =
            server.validation().get("/auth-optional", &[("Authorization", &bearer(&old["token"]))]);
        assert_eq!(identity(&optional)[0], "-");
        for (method, path) in [("GET", "/session"), ("POST", "/logout")] {
            let by_cookie = cookie(&old["token"]);
            let response = server.validation().request(method, path, &[("cookie", &by_cookie)], None);
            assert_eq!(response.status, 401, "{path}");
        }
        let both = json!({"tokens": [old["token"], new["token"]]});
        let results = server.call("POST", "/v1/validate", Some(&both)).json()["results"].clone();
        assert_eq!((&results[0], &results[1]["id"]), (&json!({"is_active": false}), &new["id"]));
        let form = format!("token={}", text(&old["token"]));
        for (path, body) in [("/introspect", "{\"active\":false}\n"), ("/revoke", "")] {
            let (name, value) = key();
            let length = form.len();
            let response = server.admin().send(format!(
                "POST {path} HTTP/1.1\r\nhost: x\r\n{name}: {value}\r\ncontent-length: {length}\r\n\
                 content-type: application/x-www-form-urlencoded\r\n\r\n{form}"
            ));
            assert_eq!((response.status, response.text().as_str()), (200, body));
        }
    });
}

#[test]
fn a_refused_token_looks_revoked_and_is_revoked_for_good() {
    on_each_store(&[], |server| {
        let old = server
            .issue(json!({"backend": "a:b", "related_objects": [{"content_type": "o", "object_id": "1"}]}));
        let new = issue_after(server, &old, &json!({"backend": "a:b"}));
        let cutoff = set(server, "backend%3Aa%3Ab", text(&new["created_at"])).json();
        assert_eq!(cutoff["name"], "backend:a:b");
        let shown = server.token(&old["id"]);
        assert_eq!((&shown["is_active"], &shown["revoked_reason"]), (&json!(false), &json!("cutoff")));
        assert!(shown["revoked_at"].is_string(), "{shown}");
        let (active, _) = server.list("");
        assert_eq!(active.iter().map(|token| &token["id"]).collect::<Vec<_>>(), [&new["id"]]);
        assert_eq!(listed(server, "/v1/related/o/1/tokens", "tokens"), [Value::Null; 0]);
        for (method, end, body) in [
            ("POST", "/rotate", Value::Null),
            ("POST", "/confirm", Value::Null),
            ("POST", "/takeover", json!({"user": "bob"})),
            ("POST", "/related", json!({"content_type": "o", "object_id": "2"})),
            ("PATCH", "", json!({"auth_slug": "other"})),
        ] {
            let path = token_path(&old["id"]) + end;
            let response = server.call(method, &path, Some(&body).filter(|body| !body.is_null()));
            assert_eq!(response.status, 409, "{end}: {}", response.text());
            assert_eq!(response.json()["type"], "urn:doorward:problem:token-revoked", "{end}");
        }

        let finished = wait_for("the walk is finished", || {
            // On a busy machine, Redis may answer later than redis-timeout: 503.
            let answer = Some(server.call("GET", "/v1/cutoffs", None)).filter(|answer| answer.status == 200);
            let cutoff = answer?.json()["cutoffs"][0].clone();
            cutoff["finished_at"].is_string().then_some(cutoff)
        });
        assert_eq!((&finished["scanned"], &finished["revoked"]), (&json!(2), &json!(1)), "{finished}");
        assert_eq!(server.call("DELETE", "/v1/cutoffs/backend%3Aa%3Ab", None).status, 204);
        assert_eq!(server.call("DELETE", "/v1/cutoffs/backend%3Aa%3Ab", None).status, 404);
        assert_invalid_token(&server.auth(&old["token"]));
        assert_eq!(server.token(&old["id"])["revoked_reason"], "cutoff");
        assert_eq!(identity(&server.auth(&new["token"]))[0], "alice");
        let events = listed(server, "/v1/users/alice/events", "events");
        let revoked = events.iter().find(|event| event["type"] == "token.revoked").unwrap();
        assert_eq!((&revoked["reason"], &revoked["actor"]), (&json!("cutoff"), &json!("doorward")));
        server.revoke(&old["id"]);
    });
}

#[test]
fn a_cutoff_is_set_moved_and_listed() {
    on_each_store(&[], |server| {
        assert_eq!(cutoffs(server), [Value::Null; 0]);
        let status = |name: &str, before: &str| set(server, name, before).status;
        assert_eq!(status("all", "2026-01-01T00:00:00Z"), 201);
        assert_eq!(status("all", "2026-01-01T01:00:00+01:00"), 200);
        assert_eq!(status("all", "2026-01-02T00:00:00Z"), 200);
        let back = set(server, "all", "2026-01-01T00:00:00Z");
        assert_eq!(back.status, 409);
        assert_eq!(back.json()["type"], "urn:doorward:problem:cutoff-is-later");
        assert_eq!(status("slug:web", "1970-01-01T00:00:00Z"), 201);
        let names: Vec<_> = cutoffs(server).iter().map(|cutoff| cutoff["name"].clone()).collect();
        assert!(names.contains(&json!("all")) && names.contains(&json!("slug:web")) && names.len() == 2);
        for (name, body, pointer) in [
            ("all", json!({}), "#/before"),
            ("all", json!({"before": "2026-01-01"}), "#/before"),
            ("all", json!({"before": 7}), "#/before"),
            ("all", json!({"before": "1969-12-31T23:59:59Z"}), "#/before"),
            ("all", json!({"before": "2126-01-01T00:00:00Z"}), "#/before"),
            ("user:alice", json!({"before": "2026-01-01T00:00:00Z"}), "#/name"),
            ("slug:a%20b", json!({"before": "2026-01-01T00:00:00Z"}), "#/name"),
            ("all", json!({"before": "2026-01-03T00:00:00Z", "x": 1}), "#/x"),
        ] {
            let response = server.call("PUT", &format!("/v1/cutoffs/{name}"), Some(&body));
            assert_eq!(pointers(&response, 422), [pointer], "{body}");
        }
        assert_eq!(pointers(&server.call("DELETE", "/v1/cutoffs/user:x", None), 422), ["#/name"]);
        assert_eq!(server.call("DELETE", "/v1/cutoffs/backend:x", None).status, 404);
        assert_eq!(cutoffs(server).len(), 2, "a refused call changes nothing");
    });
}

#[test]
fn a_cutoff_is_in_the_feed_and_in_the_audit_log() {
    on_each_store(&[], |server| {
        let mut feed = FeedReader::open(server, None);
        assert_eq!(set(server, "slug:web", "2026-01-01T00:00:00Z").status, 201);
        assert_eq!(server.call("DELETE", "/v1/cutoffs/slug:web", None).status, 204);
        let mut next = |kind: &str| {
            let mut events = std::iter::from_fn(|| Some(feed.event()));
            events.find(|(_, found, _)| found == kind).unwrap().2
        };
        let set = next("cutoff.set");
        assert_eq!((&set["user"], &set["cutoff"]), (&Value::Null, &json!("slug:web")));
        assert_eq!(
            (&set["before"], &set["actor"]),
            (&json!("2026-01-01T00:00:00.000Z"), &json!("key:admin"))
        );
        let removed = next("cutoff.removed");
        assert_eq!((&removed["cutoff"], removed.get("before")), (&json!("slug:web"), None));
        for line in ["action=cutoff.set outcome=done", "action=cutoff.remove outcome=done"] {
            server.wait_for_log(line);
        }
        let log = server.log();
        let is_whole =
            |line: &str| line.contains("cutoff=\"slug:web\"") && line.contains("before=2026-01-01T00:00:00Z");
        assert!(log.lines().any(is_whole), "{log}");
    });
}

#[test]
fn refused_tokens_keep_no_user_from_logging_in() {
    let settings = [("DOORWARD_MAX_TOKENS_PER_USER", "2"), ("DOORWARD_OVER_LIMIT", "refuse-new")];
    on_each_store(&settings, |server| {
        let first = server.issue(json!({}));
        time_after(server, &first);
        let second = server.issue(json!({}));
        let refused = server.call("POST", "/v1/tokens", Some(&json!({"user": "alice", "ip": "203.0.113.7"})));
        assert_eq!(refused.status, 409, "{}", refused.text());
        assert_eq!(set(server, "all", text(&second["created_at"])).status, 201);
        let third = server.issue(json!({}));
        assert_eq!(identity(&server.auth(&third["token"]))[0], "alice");
        assert_eq!(server.token(&first["id"])["revoked_reason"], "cutoff");
        assert_eq!(identity(&server.auth(&second["token"]))[0], "alice");
    });
}

#[test]
fn refused_tokens_keep_no_device_from_logging_in() {
    let settings = [("DOORWARD_MAX_TOKENS_PER_USER", "1"), ("DOORWARD_OVER_LIMIT", "refuse-new")];
    on_each_store(&settings, |server| {
        let device = server.call("POST", "/v1/users/alice/devices", Some(&json!({"uuid": "phone"}))).json();
        let body = json!({"uuid": "phone", "login_token": device["login_token"], "ip": "203.0.113.7"});
        let log_in = || server.call("POST", "/v1/devices/login", Some(&body));
        let first = server.issue(json!({}));
        assert_eq!(log_in().status, 409);
        assert_eq!(set(server, "all", &time_after(server, &first)).status, 201);
        let response = log_in();
        assert_eq!(response.status, 201, "{}", response.text());
        assert_eq!(server.token(&first["id"])["revoked_reason"], "cutoff");
    });
}

#[test]
fn turned_off_takeovers_are_refused() {
    on_each_store(&[("DOORWARD_TAKEOVERS", "false")], |server| {
        let token = issue(server, "alice");
        let path = token_path(&token["id"]) + "/takeover";
        let response = server.call("POST", &path, Some(&json!({"user": "bob"})));
        assert_eq!(response.status, 409);
        assert_eq!(response.json()["type"], "urn:doorward:problem:takeovers-off");
        assert_eq!(identity(&server.auth(&token["token"]))[..2], ["alice", "alice"]);
    });
}
