//! Device keys of django-auth-token: their import, and logins with their login tokens.

use serde_json::{Value, json};

use super::device_calls::*;
use crate::common::imported_devices::{HASH, LOGIN_TOKEN, OTHER_HASH, OTHER_LOGIN_TOKEN};
use crate::common::server::{Server, pointers, text};
use crate::on_each_store;

/// A login token of skip-django-auth-token 0.7.2 with Django 5.2, and what its database has of it:
/// `device = MobileDevice.objects.activate_or_create(uuid=…, user=…)`, `device.secret_password`, `device.login_token`.
const REAL_LOGIN_TOKEN: &str = "uSPGpGaqeaFClt3dovtNQRan0WyyLqR4I9fLIfjtVrJnoASBMXc1ynDNHf1sxGkK";
const REAL_HASH: &str =
    "pbkdf2_sha256$1000000$4nrSviGP0nNZNLDZkMcwxi$3nL4XZ5+deuOxN3yWqXmXz7v8QeLn2JKbs73gHFPztE=";

/// Imports device keys, and returns the results.
fn import(server: &Server, devices: Value, is_dry: bool) -> Value {
    let body = json!({"devices": devices, "dry_run": is_dry});
    let response = server.call("POST", "/v1/import", Some(&body));
    assert_eq!(response.status, 200, "{}", response.text());
    let answer = response.json();
    assert_eq!(answer["results"], json!([]));
    answer["device_results"].clone()
}

fn record(user: &str, uuid: &str, hash: &str) -> Value {
    json!({"user": user, "uuid": uuid, "hash": hash})
}

fn result(status: &str, uuid: &str) -> Value {
    json!({"status": status, "uuid": uuid, "errors": []})
}

#[test]
fn an_imported_device_key_logs_in_with_its_former_login_token() {
    on_each_store(&[], |server| {
        let mut device = record("alice", DASHED, REAL_HASH);
        for (name, value) in [
            ("name", json!("My phone")),
            ("user_agent", json!("app/1")),
            ("created_at", json!("2026-01-02T03:04:05.678+01:00")),
            ("last_login", json!("2026-02-03T04:05:06Z")),
            ("is_active", json!(true)),
        ] {
            device[name] = value;
        }
        for status in ["imported", "exists"] {
            assert_eq!(import(server, json!([device]), false), json!([result(status, UUID)]));
        }
        let shown = json!({
            "uuid": UUID, "user": "alice", "name": "My phone", "created_at": "2026-01-02T02:04:05.678Z",
            "last_login": "2026-02-03T04:05:06.000Z", "is_active": true, "user_agent": "app/1",
            "origin": "django-auth-token",
        });
        assert_eq!(list(server, "").0, [shown]);
        // The first login by PBKDF2, the second by the fast hash.
        for uuid in [DASHED, UUID] {
            let token = log_in(server, uuid, &json!(REAL_LOGIN_TOKEN));
            assert_eq!([&token["user"], &token["device"]], [&json!("alice"), &json!(UUID)]);
            assert_eq!(list(server, "").0[0]["last_login"], token["created_at"]);
        }
        let rotated = server.call("POST", &format!("{DEVICES}/{UUID}/rotate"), None).json();
        assert_eq!(rotated["origin"], json!(null));
        let body = login_body(UUID, &json!(REAL_LOGIN_TOKEN));
        assert_eq!(pointers(&server.call("POST", "/v1/devices/login", Some(&body)), 401), [""; 0]);
        log_in(server, UUID, &rotated["login_token"]);
        assert_eq!(import(server, json!([device]), false), json!([result("exists", UUID)]));
    });
}

#[test]
fn the_login_token_distinguishes_users_who_share_a_device() {
    on_each_store(&[], |server| {
        let devices = json!([record("alice", "pad", HASH), record("bob", "pad", OTHER_HASH)]);
        assert_eq!(import(server, devices, false), json!(vec![result("imported", "pad"); 2]));
        for _ in 0..2 {
            for (user, login_token) in [("bob", OTHER_LOGIN_TOKEN), ("alice", LOGIN_TOKEN)] {
                assert_eq!(log_in(server, "pad", &json!(login_token))["user"], user);
            }
        }
    });
}

#[test]
fn every_refused_login_with_a_former_login_token_gets_the_same_answer() {
    on_each_store(&[], |server| {
        let native = make(server, "native");
        let [mut idle, gone] = ["idle", "gone"].map(|uuid| record("alice", uuid, HASH));
        idle["is_active"] = json!(false);
        let devices = json!([record("alice", "phone", HASH), record("alice", "used", HASH), idle, gone]);
        import(server, devices, false);
        log_in(server, "used", &json!(LOGIN_TOKEN));
        server.call("DELETE", &format!("{DEVICES}/gone"), None);
        let refused = [
            ("phone", json!(OTHER_LOGIN_TOKEN)),
            ("used", json!(OTHER_LOGIN_TOKEN)),
            ("idle", json!(LOGIN_TOKEN)),
            ("gone", json!(LOGIN_TOKEN)),
            ("unknown", json!(LOGIN_TOKEN)),
            ("native", json!(LOGIN_TOKEN)),
            ("phone", native["login_token"].clone()),
            ("phone", json!(&LOGIN_TOKEN[1..])),
            ("phone", json!(format!("{LOGIN_TOKEN} "))),
            ("phone", json!(HASH)),
        ]
        .map(|(uuid, login_token)| refused_login(server, uuid, &login_token));
        for other in &refused[1..] {
            assert_eq!(other, &refused[0]);
        }
        let events = server.call("GET", "/v1/users/alice/events", None).json();
        let told = events["events"].as_array().unwrap().iter();
        let told: Vec<_> = told.filter(|event| event["type"] == "device.refused").collect();
        let devices: Vec<_> = told.iter().map(|event| text(&event["device"])).collect();
        assert_eq!(devices, ["native", "idle", "used", "phone"], "the owner learns of it");
        log_in(server, "phone", &json!(LOGIN_TOKEN));
    });
}

#[test]
fn wrong_records_are_rejected_one_by_one() {
    on_each_store(&[], |server| {
        let with = |name: &str, value: Value| {
            let mut device = record("alice", "phone", HASH);
            device[name] = value;
            device
        };
        let devices = [
            (with("hash", json!("hunter2")), vec!["#/devices/0/hash"]),
            (with("hash", json!(HASH.replace("sha256", "sha1"))), vec!["#/devices/1/hash"]),
            (with("hash", json!(HASH.replace("1000", "10000001"))), vec!["#/devices/2/hash"]),
            (json!({}), vec!["#/devices/3/user", "#/devices/3/uuid", "#/devices/3/hash"]),
            (json!(7), vec!["#/devices/4"]),
            (with("uuid", json!("x".repeat(36))), vec!["#/devices/5/uuid"]),
            (with("created_at", json!("2999-01-01T00:00:00Z")), vec!["#/devices/6/created_at"]),
            (with("last_login", json!("yesterday")), vec!["#/devices/7/last_login"]),
            (with("login_token", json!(LOGIN_TOKEN)), vec!["#/devices/8/login_token"]),
            (with("name", json!("é".repeat(128))), vec!["#/devices/9/name"]),
            (with("name", json!("")), vec![]),
            (with("is_active", json!(null)), vec![]),
            (record("alice", "pad", HASH), vec![]),
        ];
        let records: Vec<_> = devices.iter().map(|(record, _)| record).collect();
        let dry = import(server, json!(records), true);
        assert_eq!(dry[12], result("imported", "pad"));
        assert_eq!(list(server, "").0, [Value::Null; 0]);
        let results = import(server, json!(records), false);
        for ((record, expected), result) in devices.iter().zip(results.as_array().unwrap()) {
            let errors = result["errors"].as_array().unwrap().iter();
            let found: Vec<_> = errors.map(|error| text(&error["pointer"])).collect();
            assert_eq!(&found, expected, "{record}");
            let status = if expected.is_empty() { json!(null) } else { json!("rejected") };
            assert!(status.is_null() || result["status"] == status, "{result}");
            assert!(!result.to_string().contains("hunter2"), "{result}");
        }
        let statuses: Vec<_> = (10..13).map(|at| text(&results[at]["status"])).collect();
        assert_eq!(statuses, ["imported", "exists", "imported"], "the second is the first again");
    });
}

#[test]
fn a_user_gets_no_more_devices_by_an_import_than_by_calls() {
    let settings = [("DOORWARD_MAX_DEVICES_PER_USER", "2")];
    on_each_store(&settings, |server| {
        import(server, json!([record("alice", "phone", HASH), record("alice", "pad", HASH)]), false);
        for is_dry in [true, false] {
            let third = import(server, json!([record("alice", "third", HASH)]), is_dry);
            let error = &third[0]["errors"][0];
            assert_eq!(
                (&third[0]["status"], &error["pointer"]),
                (&json!("rejected"), &json!("#/devices/0/user"))
            );
        }
        assert_eq!(list(server, "").0.len(), 2);
    });
}

#[test]
fn a_call_imports_tokens_device_keys_or_both() {
    on_each_store(&[], |server| {
        let response = server.call("POST", "/v1/import", Some(&json!({"tokens": null})));
        assert_eq!(pointers(&response, 422), ["#/tokens"]);
        let digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let token = json!({"scheme": "drf", "digest": digest, "user": "alice"});
        let both = json!({"tokens": [token], "devices": [record("bob", "phone", HASH)]});
        let answer = server.call("POST", "/v1/import", Some(&both)).json();
        assert_eq!(answer["results"][0]["status"], "imported");
        assert_eq!(answer["device_results"], json!([result("imported", "phone")]));
    });
}
