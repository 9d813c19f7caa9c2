//! The audit log: each change has exactly one line, with the actor, the address, the action, the user or token and the
//! outcome.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::net::TcpStream;

use serde_json::{Value, json};

use crate::common::log_lines::{self, merged};
use crate::common::server::{ADMIN_KEY, Server, bearer, key, text, token_path};

const DEVICES: &str = "/v1/users/alice/devices";

fn lines(server: &Server) -> Vec<Value> {
    log_lines::lines(server, "audit")
}

fn all_lines(server: &Server, count: usize) -> Vec<Value> {
    log_lines::all_lines(server, "audit", count)
}

fn json_server(settings: &[(&str, &str)]) -> Server {
    Server::start(
        &[&[("DOORWARD_LOG_FORMAT", "json"), ("DOORWARD_TRUSTED_PROXIES", "127.0.0.1")], settings].concat(),
    )
}

/// A call from a back office behind a proxy, with a request id of its own.
fn call(server: &Server, method: &str, path: &str, body: Option<Value>, id: &str) -> Value {
    let headers = [key(), ("X-Forwarded-For", "198.51.100.7"), ("X-Request-Id", id)];
    let response = server.admin().request(method, path, &headers, body.as_ref());
    assert!((200..300).contains(&response.status), "{method} {path}: {}", response.text());
    if response.body.is_empty() { Value::Null } else { response.json() }
}

/// Merges what every line of [`call`] has into what one line has besides.
fn expected(action: &str, id: &str, besides: Value) -> Value {
    merged(
        &json!({"action": action, "outcome": "done", "actor": "key:admin", "address": "198.51.100.7",
        "request_id": id}),
        besides,
    )
}

/// Changes that were made, each with the line that it has.
struct Changes {
    server: Server,
    lines: Vec<Value>,
    /// The calls by method and path, as the OpenAPI document names them.
    made: BTreeSet<String>,
}

impl Changes {
    /// Makes a call, whose line has what `besides` makes of the answer. Returns the answer.
    fn make(
        &mut self,
        template: &str,
        path: &str,
        body: Option<Value>,
        action: &str,
        besides: impl FnOnce(&Value) -> Value,
    ) -> Value {
        let (method, _) = template.split_once(' ').unwrap();
        let id = format!("req-{}", self.lines.len());
        let answer = call(&self.server, method, path, body, &id);
        self.lines.push(expected(action, &id, besides(&answer)));
        self.made.insert(template.to_owned());
        answer
    }

    fn issue(&mut self, user: &str, evicted: Option<&Value>) -> Value {
        let body = json!({"user": user, "ip": "203.0.113.9", "user_agent": "curl/8"});
        self.make("POST /v1/tokens", "/v1/tokens", Some(body), "token.issue", |token| {
            let line =
                json!({"user": user, "token": token["id"], "ip": "203.0.113.9", "user_agent": "curl/8"});
            evicted.map_or(line.clone(), |evicted| merged(&line, json!({"evicted": evicted})))
        })
    }

    fn change_tokens(&mut self) {
        let [first, second] = [(); 2].map(|()| self.issue("alice", None));
        // The third token of the user makes room for itself.
        let third = self.issue("alice", Some(&first["id"]));
        let path = token_path(&second["id"]);
        let about = |besides: Value| merged(&json!({"token": second["id"], "user": "alice"}), besides);
        let slug = json!({"auth_slug": "web", "allowed_cookie": false, "idle_seconds": 60, "scopes": ["a"]});
        self.make("PATCH /v1/tokens/{id}", &path, Some(slug), "token.change", |_| {
            about(json!({"fields": "auth_slug,scopes,allowed_cookie,idle_seconds"}))
        });
        for (template, action) in [("rotate", "token.rotate"), ("confirm", "token.confirm")] {
            let (template, path) =
                (format!("POST /v1/tokens/{{id}}/{template}"), format!("{path}/{template}"));
            self.make(&template, &path, None, action, |_| about(json!({})));
        }
        self.change_objects(&second["id"]);
        self.take_over(&second["id"]);
        self.make("DELETE /v1/tokens/{id}", &path, None, "token.revoke", |_| about(json!({})));
        let inactive = Some(json!({"is_active": false}));
        let line = json!({"token": third["id"], "user": "alice", "fields": "is_active"});
        self.make("PATCH /v1/tokens/{id}", &token_path(&third["id"]), inactive, "token.revoke", |_| line);
    }

    fn change_objects(&mut self, token: &Value) {
        let object = json!({"content_type": "shop.order", "object_id": "17"});
        let line = || merged(&json!({"token": token, "user": "alice"}), object.clone());
        let (all, template) = (format!("{}/related", token_path(token)), "/v1/tokens/{id}/related");
        let (add, remove) = (format!("POST {template}"), format!("DELETE {template}"));
        self.make(&add, &all, Some(object.clone()), "token.relate", |_| line());
        self.make(&remove, &all, Some(object.clone()), "token.unrelate", |_| line());
        self.make(&add, &all, Some(object.clone()), "token.relate", |_| line());
        let by_path = format!("{remove}/{{content_type}}/{{object_id}}");
        self.make(&by_path, &format!("{all}/shop.order/17"), None, "token.unrelate", |_| line());
        let template = "DELETE /v1/related/{content_type}/{object_id}/tokens";
        self.make(template, "/v1/related/shop.order/17/tokens", None, "object.revoke", |_| {
            merged(&json!({"count": 0}), object.clone())
        });
    }

    fn take_over(&mut self, token: &Value) {
        let path = format!("{}/takeover", token_path(token));
        let takeover = Some(json!({"user": "bob", "reason": "ticket 4711"}));
        let takeover =
            self.make("POST /v1/tokens/{id}/takeover", &path, takeover, "takeover.start", |takeover| {
                json!({"token": token, "user": "alice", "takeover": takeover["id"], "taken_over": "bob",
                "reason": "ticket 4711"})
            });
        let line = json!({"token": token, "user": "alice", "takeover": takeover["id"], "taken_over": "bob"});
        self.make("DELETE /v1/tokens/{id}/takeover", &path, None, "takeover.end", |_| line);
    }

    fn change_devices(&mut self) {
        let line = |besides: Value| merged(&json!({"user": "alice", "device": "phone"}), besides);
        let (all, phone) = ("POST /v1/users/{user}/devices", Some(json!({"uuid": "phone"})));
        let device = self.make(all, DEVICES, phone.clone(), "device.create", |_| line(json!({})));
        self.make(all, DEVICES, phone, "device.create", |_| line(json!({"count": 0})));
        let log_in = json!({"uuid": "phone", "login_token": device["login_token"], "ip": "203.0.113.9"});
        let path = "/v1/devices/login";
        self.make("POST /v1/devices/login", path, Some(log_in), "device.login", |token| {
            line(json!({"token": token["id"], "ip": "203.0.113.9"}))
        });
        let (one, path) = ("/v1/users/{user}/devices/{uuid}", format!("{DEVICES}/phone"));
        let name = Some(json!({"name": "Phone"}));
        self.make(&format!("PATCH {one}"), &path, name, "device.change", |_| line(json!({"fields": "name"})));
        let rotation = format!("{path}/rotate");
        self.make(&format!("POST {one}/rotate"), &rotation, None, "device.rotate", |_| line(json!({})));
        self.make(&format!("DELETE {one}"), &path, None, "device.remove", |_| line(json!({})));
    }

    fn change_cutoffs(&mut self) {
        let (one, path) = ("/v1/cutoffs/{cutoff}", "/v1/cutoffs/backend:ldap");
        let before = Some(json!({"before": "2026-01-01T01:00:00.5+01:00"}));
        self.make(
            &format!("PUT {one}"),
            path,
            before,
            "cutoff.set",
            |_| json!({"cutoff": "backend:ldap", "before": "2026-01-01T00:00:00Z"}),
        );
        let line = json!({"cutoff": "backend:ldap"});
        self.make(&format!("DELETE {one}"), path, None, "cutoff.remove", |_| line);
    }

    fn change_users(&mut self) {
        let kept = self.issue("bob", None);
        self.issue("bob", None);
        let all_but_one = format!("/v1/users/bob/tokens?except={}", text(&kept["id"]));
        let line = json!({"user": "bob", "except": kept["id"], "count": 1});
        self.make("DELETE /v1/users/{user}/tokens", &all_but_one, None, "user.revoke", |_| line);
        let lock = "/v1/users/bob/lock";
        for (method, action) in [("PUT", "user.lock"), ("DELETE", "user.unlock")] {
            let template = format!("{method} /v1/users/{{user}}/lock");
            self.make(&template, lock, None, action, |_| json!({"user": "bob"}));
            self.make(&template, lock, None, action, |_| json!({"user": "bob", "count": 0}));
        }
        let line = json!({"user": "bob"});
        self.make("DELETE /v1/users/{user}", "/v1/users/bob", None, "user.erase", |_| line);
    }

    fn import(&mut self) {
        let record = |user: &str| json!({"scheme": "sha256", "token": "hunter2", "user": user});
        let records = [record("carol"), record("carol"), record("-")];
        for (is_dry, imported) in [(true, 1), (false, 1), (false, 0)] {
            let body = json!({"tokens": records, "dry_run": is_dry});
            let mut line = json!({"count": 3, "imported": imported, "exists": 2 - imported, "rejected": 1});
            if is_dry {
                line["fields"] = "dry_run".into();
            }
            self.make("POST /v1/import", "/v1/import", Some(body), "token.import", |_| line);
        }
    }
}

#[test]
fn each_change_has_one_line_with_its_fields() {
    let server = json_server(&[("DOORWARD_MAX_TOKENS_PER_USER", "2")]);
    let mut changes = Changes { server, lines: Vec::new(), made: BTreeSet::new() };
    changes.change_tokens();
    changes.change_devices();
    changes.change_cutoffs();
    changes.change_users();
    changes.import();
    assert!(!changes.server.log().contains("hunter2"));
    assert_eq!(all_lines(&changes.server, changes.lines.len()), changes.lines);

    let document: Value = serde_json::from_str(include_str!("../../docs/openapi.json")).unwrap();
    let paths = document["paths"].as_object().unwrap().iter().filter(|(path, _)| path.starts_with("/v1/"));
    for (path, calls) in paths {
        for method in calls.as_object().unwrap().keys().map(|method| method.to_uppercase()) {
            let template = format!("{method} {path}");
            let reads = method == "GET" || path == "/v1/validate";
            assert!(reads || changes.made.contains(&template), "no audit line is tested for {template}");
        }
    }
}

#[test]
fn a_revocation_by_an_oauth_client_has_a_line() {
    let server = json_server(&[]);
    let token = server.issue(json!({}));
    for (token_string, count) in [(text(&token["token"]), 2), ("dw_nonsense", 3)] {
        let form = format!("token={token_string}&client_id=x&client_secret={ADMIN_KEY}");
        let request = format!(
            "POST /revoke HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\n\
             X-Request-Id: req-{count}\r\nContent-Length: {}\r\n\r\n{form}",
            form.len()
        );
        assert_eq!(server.admin().send(request).status, 200);
        all_lines(&server, count);
    }
    let common =
        json!({"action": "token.revoke", "outcome": "done", "actor": "key:admin", "address": "127.0.0.1"});
    let line = |besides: Value| merged(&common, besides);
    let found = lines(&server);
    assert_eq!(found[1], line(json!({"token": token["id"], "user": "alice", "request_id": "req-2"})));
    assert_eq!(found[2], line(json!({"count": 0, "request_id": "req-3"})));
}

#[test]
fn a_refused_change_has_a_line_with_the_problem() {
    let server = json_server(&[]);
    let token = server.issue(json!({}));
    let path = token_path(&token["id"]);
    for (method, path, body, status, besides) in [
        (
            "DELETE",
            "/v1/tokens/AAAAAAAAAAAAAAAA",
            None,
            404,
            json!({"action": "token.revoke", "problem": "not-found", "token": "AAAAAAAAAAAAAAAA"}),
        ),
        (
            "POST",
            "/v1/tokens",
            Some(json!({"user": "-"})),
            422,
            json!({"action": "token.issue", "problem": "invalid-fields"}),
        ),
        (
            "POST",
            &format!("{path}/takeover"),
            Some(json!({"user": "alice", "reason": "why"})),
            409,
            json!({"action": "takeover.start", "problem": "own-user", "token": token["id"], "taken_over": "alice",
                "reason": "why"}),
        ),
        (
            "POST",
            "/v1/devices/login",
            Some(json!({"uuid": "phone", "login_token": "dwd_x", "ip": "192.0.2.1"})),
            401,
            json!({"action": "device.login", "problem": "login-refused", "device": "phone", "ip": "192.0.2.1"}),
        ),
        (
            "DELETE",
            "/v1/users/-/tokens",
            None,
            422,
            json!({"action": "user.revoke", "problem": "invalid-fields", "user": "-"}),
        ),
    ] {
        let before = lines(&server).len().max(1);
        let response = server.call(method, path, body.as_ref());
        assert_eq!(response.status, status, "{}", response.text());
        let common = json!({"outcome": "refused", "status": status, "actor": "key:admin", "address": "127.0.0.1",
            "request_id": response.header("x-request-id")});
        assert_eq!(all_lines(&server, before + 1)[before], merged(&common, besides));
    }
}

#[test]
fn calls_that_change_nothing_and_unknown_paths_have_no_line() {
    let server = json_server(&[]);
    let path = token_path(&server.issue(json!({}))["id"]);
    assert_eq!(server.call("GET", "/v1/tokens/AAAAAAAAAAAAAAAA", None).status, 404);
    assert_eq!(server.call("DELETE", "/v1/nothing", None).status, 404);
    assert_eq!(server.call("DELETE", &path, None).status, 204);
    all_lines(&server, 2);
}

#[test]
fn a_missing_scope_and_an_unknown_key_have_a_line() {
    let metrics_key = "a-key-for-metrics-0123456789-0123456789";
    let hash = doorward::internals::config::hash_key(metrics_key).unwrap();
    let server = json_server(&[("DOORWARD_API_KEYS", &format!("prometheus:metrics:{hash}"))]);
    let with = |key: &str| vec![("Authorization".to_owned(), format!("Bearer {key}"))];
    let mut count = 0;
    for (method, path, key, besides) in [
        (
            "DELETE",
            "/v1/users/alice/tokens",
            with(metrics_key),
            json!({"action": "user.revoke", "status": 403, "problem": "insufficient-scope", "actor": "key:prometheus",
                "user": "alice"}),
        ),
        (
            "GET",
            "/v1/users/alice/events",
            with(metrics_key),
            json!({"action": "read", "status": 403, "problem": "insufficient-scope", "actor": "key:prometheus",
                "user": "alice", "method": "GET", "route": "/v1/users/{user}/events"}),
        ),
        (
            "POST",
            "/v1/validate",
            with("an-unknown-key-0123456789-0123456789-01"),
            json!({"action": "read", "status": 401, "problem": "api-key-invalid", "method": "POST",
                "route": "/v1/validate"}),
        ),
    ] {
        let headers: Vec<_> = key.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let response = server.admin().request(method, path, &headers, Some(&json!({})));
        let expected = merged(
            &json!({"outcome": "refused", "address": "127.0.0.1",
            "request_id": response.header("x-request-id")}),
            besides,
        );
        count += 1;
        assert_eq!(all_lines(&server, count)[count - 1], expected);
    }
    // A key with the scope reads without a line.
    assert_eq!(server.call("GET", "/v1/users/alice/events", None).status, 200);
    all_lines(&server, count);
}

#[test]
fn a_logout_has_a_line() {
    let server = json_server(&[]);
    let token = server.issue(json!({}));
    let path = token_path(&token["id"]);
    assert_eq!(server.call("POST", &format!("{path}/takeover"), Some(&json!({"user": "bob"}))).status, 201);
    all_lines(&server, 2);
    let by_holder = bearer(&token["token"]);
    for id in ["req-1", "req-2", "req-3"] {
        let headers =
            [("Authorization", &*by_holder), ("X-Request-Id", id), ("X-Forwarded-For", "192.0.2.8")];
        let _ = server.validation().request("POST", "/logout", &headers, None);
    }
    let of_holder = |action: &str, id: &str| {
        json!({"action": action, "outcome": "done", "actor": "holder", "address": "192.0.2.8", "user": "alice",
            "token": token["id"], "request_id": id})
    };
    let found = all_lines(&server, 4);
    let ended = found[2]["takeover"].clone();
    assert_eq!(ended, found[1]["takeover"]);
    let of_takeover = json!({"takeover": ended, "taken_over": "bob"});
    let takeover_end = merged(&of_holder("takeover.end", "req-1"), of_takeover);
    // The third one carried no valid token any more, so it changed nothing.
    assert_eq!(found[2..], [takeover_end, of_holder("token.revoke", "req-2")]);
}

/// A client that goes away cannot hide its change.
#[test]
fn a_disconnected_client_leaves_a_line_of_unknown_outcome() {
    let server = json_server(&[]);
    let mut stream = TcpStream::connect(server.admin_listen()).unwrap();
    let head = format!(
        "POST /v1/tokens HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {ADMIN_KEY}\r\nX-Request-Id: req-9\r\n\
         Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{{"
    );
    stream.write_all(head.as_bytes()).unwrap();
    drop(stream);
    let line = all_lines(&server, 1).remove(0);
    assert_eq!((&line["action"], &line["actor"]), (&json!("token.issue"), &json!("key:admin")));
    assert_eq!(line["request_id"], "req-9");
    assert!(["unknown", "refused"].contains(&text(&line["outcome"])), "{line}");
}
