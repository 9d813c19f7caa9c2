//! `POST /v1/import`: sessions of another system.

use std::collections::BTreeSet;

use doorward::internals::config::hash_key;
use doorward::internals::foreign::scheme::django_auth_token_key;
use doorward::internals::foreign::{Scheme, SourceDigest};
use doorward::internals::server::json::timestamp::timestamp;
use doorward::system::Clock;
use serde_json::{Value, json};

use crate::common::log_lines::merged;
use crate::common::server::{Server, identity, key, text, token_path};
use crate::on_each_store;

const HOUR_MS: u64 = 3_600_000;
const DAY_MS: u64 = 24 * HOUR_MS;
const HEX_40: &str = "9944b09199c62bcf9418ad846dd0e4bbdfc6ee4b";

/// Imports records; returns the results.
fn import(server: &Server, tokens: &Value) -> Vec<Value> {
    results(server, &json!({"tokens": tokens}))
}

fn results(server: &Server, body: &Value) -> Vec<Value> {
    let response = server.call("POST", "/v1/import", Some(body));
    assert_eq!(response.status, 200, "{}\n{}", response.text(), server.log());
    let answer = response.json();
    assert_eq!(answer.as_object().unwrap().len(), 1);
    answer["results"].as_array().unwrap().clone()
}

/// Imports one record of a drf token, which must succeed; returns the token object.
fn imported(server: &Server, string: &str, fields: Value) -> Value {
    let mut record = json!({"scheme": "drf", "token": string, "user": "alice"});
    record.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    let [result] = &import(server, &json!([record]))[..] else { panic!() };
    assert_eq!((&result["status"], &result["errors"]), (&json!("imported"), &json!([])), "{result}");
    server.token(&result["id"])
}

fn hex(digest: &SourceDigest) -> String {
    digest.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Returns a time so many milliseconds from now.
fn from_now(ms: i64) -> String {
    timestamp(Clock::system().now_ms().checked_add_signed(ms).unwrap())
}

/// Asserts that a time is so long from now, give or take a minute.
fn assert_from_now(time: &Value, ms: u64) {
    let time: chrono::DateTime<chrono::Utc> = text(time).parse().unwrap();
    let left_ms = time.timestamp_millis() - Clock::system().now_ms() as i64;
    assert!(left_ms.abs_diff(ms as i64) < 60_000, "{left_ms} ms instead of {ms} ms");
}

#[test]
fn the_holder_of_an_imported_token_stays_logged_in() {
    on_each_store(&[("DOORWARD_FOREIGN", "old:scheme=drf+header-scheme=Token")], |server| {
        let auth = || server.validation().get("/auth", &[("Authorization", &format!("Token {HEX_40}"))]);
        assert_eq!(auth().status, 401);
        let token = imported(
            server,
            HEX_40,
            json!({"ip": "2001:db8::1", "user_agent": "é".repeat(300), "auth_slug": "web", "backend": "ldap",
                "scopes": ["read"], "allowed_cookie": false, "created_at": "2026-01-31T12:00:00Z",
                "last_access": "2026-02-01T12:00:00.5+01:00",
                "related_objects": [{"content_type": "order", "object_id": "7"}]}),
        );
        let expected = json!({"user": "alice", "origin": "drf", "ip": "2001:db8::1", "user_agent": "é".repeat(256),
            "auth_slug": "web", "backend": "ldap", "scopes": ["read"], "allowed_cookie": false,
            "allowed_header": true, "created_at": "2026-01-31T12:00:00.000Z",
            "last_access": "2026-02-01T11:00:00.500Z", "is_active": true, "is_authenticated": true,
            "related_objects": [{"content_type": "order", "object_id": "7"}]});
        for (name, value) in expected.as_object().unwrap() {
            assert_eq!(&token[name], value, "{name}");
        }
        let response = auth();
        identity(&response);
        assert_eq!(response.header("x-auth-user"), Some("alice"));
        assert_eq!(response.header("x-auth-token-id"), token["id"].as_str());
        server.revoke(&token["id"]);
        assert_eq!(auth().status, 401);
        let [again] = &import(server, &json!([{"scheme": "drf", "token": HEX_40, "user": "alice"}]))[..]
        else {
            panic!()
        };
        assert_eq!(again, &json!({"status": "exists", "id": token["id"], "errors": []}));
        assert_eq!(auth().status, 401, "a repeated import revives no session");
        assert_eq!(server.issue(json!({}))["origin"], Value::Null);
    });
}

#[test]
fn a_string_and_its_digest_are_the_same_token() {
    let secrets = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(secrets.path(), "s3cret\nearlier\n").unwrap();
    let forms = format!("old:scheme=django-auth-token+secret-file={}", secrets.path().display());
    on_each_store(&[("DOORWARD_FOREIGN", &forms)], |server| {
        let key = django_auth_token_key(b"s3cret");
        let alphanumeric = "Az09".repeat(10);
        for (scheme, known, wholes) in [
            (Scheme::DjangoAuthToken, alphanumeric.as_str(), vec![alphanumeric.as_str()]),
            (Scheme::DjangoAuthTokenPlain, HEX_40, vec![HEX_40]),
            (Scheme::Drf, HEX_40, vec![HEX_40]),
            (Scheme::Knox, HEX_40, vec![HEX_40]),
            (Scheme::Sanctum, "abcdefghij", vec!["abcdefghij", "17|abcdefghij"]),
            (
                Scheme::ExpressSession,
                "sid-0123456789_x",
                vec!["sid-0123456789_x", "s:sid-0123456789_x.a/b+c", "s%3Asid-0123456789_x.a%2Fb%2Bc"],
            ),
            (Scheme::Sha256, "anything", vec!["anything"]),
        ] {
            let digest = hex(&scheme.digest(known.as_bytes(), Some(&key)).unwrap());
            let mut records = vec![json!({"scheme": scheme.name(), "digest": digest, "user": "u"})];
            records.extend(wholes.iter().map(|w| json!({"scheme": scheme.name(), "token": w, "user": "u"})));
            let upper = digest.to_uppercase();
            records.push(json!({"scheme": scheme.name(), "digest": upper, "token": null, "user": "u"}));
            let found = import(server, &records.into());
            assert_eq!(found[0]["status"], "imported", "{scheme:?} {found:?}");
            assert_eq!(server.token(&found[0]["id"])["origin"], scheme.name());
            for again in &found[1..] {
                assert_eq!(
                    (&again["status"], &again["id"]),
                    (&json!("exists"), &found[0]["id"]),
                    "{scheme:?}"
                );
            }
        }
    });
}

#[test]
fn a_token_lives_as_its_record_says() {
    on_each_store(&[("DOORWARD_IMPORT_LIFETIME", "20d")], |server| {
        let soon = from_now(2 * DAY_MS as i64);
        let late = from_now(100 * DAY_MS as i64);
        for (number, (fields, expires_ms, ends_ms, expiration)) in [
            (json!({}), 14 * DAY_MS, 20 * DAY_MS, false),
            (json!({"expires_at": soon}), 2 * DAY_MS, 2 * DAY_MS, false),
            (json!({"expires_at": late}), 20 * DAY_MS, 20 * DAY_MS, false),
            (json!({"expiration": true}), HOUR_MS, 20 * DAY_MS, true),
            (json!({"expiration": true, "expires_at": soon}), HOUR_MS, 2 * DAY_MS, true),
            (json!({"expiration": false, "expires_at": soon}), 2 * DAY_MS, 2 * DAY_MS, false),
            (json!({"idle_seconds": 7200}), 2 * HOUR_MS, 20 * DAY_MS, true),
            (json!({"idle_seconds": 7200, "expiration": false}), 2 * HOUR_MS, 20 * DAY_MS, false),
            (json!({"lifetime_seconds": 86400}), DAY_MS, DAY_MS, false),
            // No time.
            (
                json!({"created_at": "1970-01-01", "last_access": "1970-01-01"}),
                14 * DAY_MS,
                20 * DAY_MS,
                false,
            ),
            // The import counts as an access.
            (
                json!({"expiration": true, "created_at": "2026-01-01", "last_access": "2026-01-02"}),
                HOUR_MS,
                20 * DAY_MS,
                true,
            ),
        ]
        .into_iter()
        .enumerate()
        {
            let token = imported(server, &format!("string {number}").replace(' ', "-"), fields.clone());
            assert_eq!(token["expiration"], expiration, "{fields}");
            assert_from_now(&token["expires_at"], expires_ms);
            assert_from_now(&token["ends_at"], ends_ms);
        }
    });
}

#[test]
fn a_wrong_record_is_rejected_alone() {
    on_each_store(&[], |server| {
        let (past, future) = (from_now(-1000), from_now(HOUR_MS as i64));
        let cases = json!([
            [{}, []],
            [{"user": null}, ["user"]],
            [{"user": "-", "ip": "x", "auth_slug": "a b", "scopes": ["a b"], "x": 1},
             ["user", "ip", "auth_slug", "scopes/0", "x"]],
            [{"scheme": "other"}, ["scheme"]],
            [{"digest": "abc"}, ["digest"]],
            [{"digest": null}, ["digest"]],
            [{"token": "x"}, ["token"]],
            [{"digest": null, "token": "a b"}, ["token"]],
            [{"digest": null, "token": 7}, ["token"]],
            [{"digest": null, "scheme": "django-auth-token", "token": HEX_40}, ["token"]],
            [{"created_at": future}, ["created_at"]],
            [{"last_access": future}, ["last_access"]],
            [{"created_at": "2026-01-02", "last_access": "2026-01-01"}, ["created_at"]],
            [{"created_at": "yesterday", "expires_at": 7}, ["created_at", "expires_at"]],
            [{"expires_at": past}, ["expires_at"]],
            [{"idle_seconds": 0}, ["idle_seconds"]],
            [{"set_cookie": true}, ["set_cookie"]],
            [{"related_objects": [{"content_type": "a"}]}, ["related_objects/0/object_id"]],
            [{"user": "bob"}, ["user"]], // a known digest for another user
        ]);
        let valid = json!({"scheme": "drf", "digest": "a".repeat(64), "user": "alice"});
        let with = |fields: &Value| merged(&valid, fields.clone());
        let mut records: Vec<_> = cases.as_array().unwrap().iter().map(|case| with(&case[0])).collect();
        records.push(json!("x"));
        let found = import(server, &records.clone().into());
        assert_eq!((found.len(), &found[0]["status"]), (records.len(), &json!("imported")));
        for (at, result) in found.iter().enumerate().skip(1) {
            assert_eq!(
                (&result["status"], &result["id"]),
                (&json!("rejected"), &json!(null)),
                "{at} {result}"
            );
            let expected = match cases.get(at) {
                Some(case) => {
                    case[1].as_array().unwrap().iter().map(|field| format!("/{}", text(field))).collect()
                }
                None => vec![String::new()],
            };
            let expected = expected.iter().map(|field| format!("#/tokens/{at}{field}"));
            let errors = result["errors"].as_array().unwrap().iter();
            let found = errors.map(|error| text(&error["pointer"]).to_owned());
            assert_eq!(found.collect::<BTreeSet<_>>(), expected.collect(), "{result}");
        }
        assert_eq!(server.list("").0.len(), 1);
    });
}

#[test]
fn the_user_is_named_if_an_import_breaks_a_rule_about_users() {
    on_each_store(&[("DOORWARD_MAX_TOKENS_PER_USER", "2")], |server| {
        let digest = "a".repeat(64);
        import(server, &json!([{"scheme": "drf", "digest": digest, "user": "alice"}]));
        let of_bob = json!([{"scheme": "drf", "digest": digest, "user": "bob"}]);
        assert_eq!(import(server, &of_bob)[0]["errors"][0]["pointer"], "#/tokens/0/user");

        // The third token of a user.
        server.issue(json!({}));
        let third = json!([{"scheme": "drf", "token": HEX_40, "user": "alice"}]);
        let found = import(server, &third);
        assert_eq!(found[0]["errors"][0]["pointer"], "#/tokens/0/user", "{found:?}");
        assert_eq!(server.list("").0.len(), 2, "an import revokes nothing");
    });
}

#[test]
fn a_dry_run_says_what_would_happen() {
    on_each_store(&[], |server| {
        let record = |string: &str| json!({"scheme": "sha256", "token": string, "user": "alice"});
        let known = &import(server, &json!([record("known")]))[0];
        let tokens = json!([record("known"), record("new"), record("new"), record("a b"),
            {"scheme": "sha256", "token": "new", "user": "bob"}]);
        let dry = results(server, &json!({"tokens": tokens, "dry_run": true}));
        let statuses = |results: &[Value]| results.iter().map(|r| r["status"].clone()).collect::<Vec<_>>();
        assert_eq!(statuses(&dry), ["exists", "imported", "exists", "rejected", "rejected"]);
        assert_eq!(dry[0]["id"], known["id"]);
        assert_eq!(server.call("GET", &token_path(&dry[1]["id"]), None).status, 404);
        assert_eq!(results(server, &json!({"tokens": tokens, "dry_run": false})), dry);
        server.token(&dry[1]["id"]);
    });
}

#[test]
fn a_malformed_call_is_refused_as_a_whole() {
    on_each_store(&[], |server| {
        let record = json!({"scheme": "sha256", "token": "x", "user": "alice"});
        for (body, pointer) in [
            (json!({}), "#/tokens"),
            (json!({"tokens": {}}), "#/tokens"),
            (json!({"tokens": [record], "x": 1}), "#/x"),
            (json!({"tokens": [record], "dry_run": "yes"}), "#/dry_run"),
            (json!({"tokens": vec![record.clone(); 1001]}), "#/tokens"),
            (json!([record]), "#"),
        ] {
            let response = server.call("POST", "/v1/import", Some(&body));
            assert_eq!(response.status, 422, "{}", response.text());
            assert_eq!(response.json()["errors"][0]["pointer"], pointer);
        }
        assert_eq!(server.list("").0, [] as [Value; 0]);
        assert_eq!(import(server, &json!([])), [] as [Value; 0]);
        // A name that is given twice is an error of its record.
        let twice = r#"{"tokens":[{"scheme":"sha256","token":"x","user":"a","user":"b"},{"scheme":"sha256","token":"y","user":"a"}]}"#;
        let send = |body: &str| {
            let (name, value) = key();
            let head = format!(
                "POST /v1/import HTTP/1.1\r\nHost: a\r\n{name}: {value}\r\nContent-Type: application/json\r\n"
            );
            server.admin().send(format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()))
        };
        let found = send(twice).json();
        assert_eq!(found["results"][0]["errors"][0]["pointer"], "#/tokens/0/user");
        assert_eq!(found["results"][1]["status"], "imported");
        assert_eq!(send("{\"tokens\":").status, 400);
        assert_eq!(send(&" ".repeat(4 * 1024 * 1024 + 1)).status, 413);
    });
}

/// A thousand records with long user agents fit into one body.
#[test]
fn a_thousand_records_are_one_call() {
    on_each_store(&[], |server| {
        let record = |n| {
            json!({"scheme": "sha256", "token": format!("string-{n}"), "user": format!("user {}", n % 300),
                "user_agent": "é".repeat(1000), "created_at": "2026-01-31T12:00:00Z", "ip": "203.0.113.7"})
        };
        let records: Vec<_> = (0..1000).map(record).collect();
        for expected in ["imported", "exists"] {
            let found = import(server, &records.clone().into());
            assert!(found.len() == 1000 && found.iter().all(|result| result["status"] == expected));
        }
    });
}

#[test]
fn an_import_needs_its_scope() {
    let (tokens_key, import_key) =
        ("a-key-for-tokens-0123456789-0123456789", "a-key-for-imports-0123456789-0123456789");
    let hash = |key| hash_key(key).unwrap();
    let keys = format!("login:tokens:{},move:import:{}", hash(tokens_key), hash(import_key));
    on_each_store(&[("DOORWARD_API_KEYS", &keys)], |server| {
        let status = |key: &str, path: &str, body: &Value| {
            let bearer = format!("Bearer {key}");
            server.admin().request("POST", path, &[("Authorization", &bearer)], Some(body)).status
        };
        assert_eq!(status(tokens_key, "/v1/import", &json!({"tokens": []})), 403);
        assert_eq!(status(import_key, "/v1/import", &json!({"tokens": []})), 200);
        assert_eq!(status(import_key, "/v1/tokens", &json!({"user": "a", "ip": "::1"})), 403);
    });
}
