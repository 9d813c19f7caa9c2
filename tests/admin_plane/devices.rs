//! Device keys over HTTP: every call, its answers and its limits.

use serde_json::{Value, json};

use super::device_calls::*;
use crate::common::server::{assert_invalid_token, identity, pointers, text, token_path};
use crate::on_each_store;

#[test]
fn a_device_key_is_created_once() {
    on_each_store(&[], |server| {
        let body = json!({"uuid": DASHED, "name": "My phone", "user_agent": "é".repeat(300)});
        let response = server.call("POST", DEVICES, Some(&body));
        assert_eq!((response.status, response.header("cache-control")), (201, Some("no-store")));
        let made = response.json();
        let login_token = text(&made["login_token"]);
        let legal = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        assert!(login_token.starts_with("dwd_") && login_token.len() == 52, "{login_token}");
        assert!(login_token.chars().all(legal), "{login_token}");
        let expected = json!({
            "uuid": UUID, "user": "alice", "name": "My phone", "created_at": made["created_at"],
            "last_login": null, "is_active": true, "user_agent": "é".repeat(256), "origin": null,
            "created": true, "login_token": made["login_token"],
        });
        assert_eq!(made, expected);

        // Both spellings name the same key, and a repeated POST does not change it.
        for uuid in [UUID, DASHED] {
            let again = server.call("POST", DEVICES, Some(&json!({"uuid": uuid, "name": "Another"})));
            let mut expected = made.clone();
            (expected["created"], expected["login_token"]) = (json!(false), json!(null));
            assert_eq!((again.status, again.json()), (200, expected));
        }
        assert_eq!(list(server, ""), (vec![without_answer(&made)], Value::Null));
        // An inactive key is not created again either.
        let path = format!("{DEVICES}/{UUID}");
        server.call("PATCH", &path, Some(&json!({"is_active": false})));
        let again = server.call("POST", DEVICES, Some(&json!({"uuid": UUID}))).json();
        let answer = json!([again["created"], again["login_token"], again["is_active"]]);
        assert_eq!(answer, json!([false, null, false]));
        // Another user can have a key of the same uuid.
        let others = server.call("POST", "/v1/users/a%2Fb%20%C3%A9/devices", Some(&json!({"uuid": UUID})));
        assert_eq!((others.status, others.json()["user"].clone()), (201, json!("a/b é")));
    });
}

#[test]
fn a_login_by_device_key_issues_an_ordinary_token_that_names_the_device() {
    on_each_store(&[], |server| {
        let made = make(server, DASHED);
        let mut body = login_body(DASHED, &made["login_token"]);
        for (name, value) in [
            ("user_agent", json!("app/1")),
            ("auth_slug", json!("mobile")),
            ("backend", json!("device")),
            ("expiration", json!(false)),
            ("idle_seconds", json!(60)),
            ("lifetime_seconds", json!(90)),
            ("related_objects", json!([{"content_type": "order", "object_id": "7"}])),
            ("set_cookie", json!(true)),
        ] {
            body[name] = value;
        }
        let response = server.call("POST", "/v1/devices/login", Some(&body));
        assert_eq!(response.status, 201, "{}", response.text());
        let token = response.json();
        assert_eq!(response.header("location"), Some(&*token_path(&token["id"])));
        for name in ["ip", "user_agent", "auth_slug", "backend", "expiration", "related_objects"] {
            assert_eq!(token[name], body[name], "{name}");
        }
        assert_eq!([&token["user"], &token["device"]], [&json!("alice"), &json!(UUID)]);
        assert!(text(&token["set_cookie"]).contains(text(&token["token"])));
        let [user, actor, id, slug, backend, device, _] =
            identity(&server.auth(&token["token"])).map(str::to_owned);
        assert_eq!([&*user, &*actor, &*id], ["alice", "alice", text(&token["id"])]);
        assert_eq!([&*slug, &*backend, &*device], ["mobile", "device", UUID]);
        assert_eq!(server.token(&token["id"])["device"], UUID);

        let (devices, _) = list(server, "");
        assert_eq!(devices[0]["last_login"], token["created_at"]);
        let second = log_in(server, UUID, &made["login_token"]);
        assert_eq!(list(server, "").0[0]["last_login"], second["created_at"]);
        identity(&server.auth(&token["token"]));
    });
}

#[test]
fn every_refused_login_gets_the_same_answer() {
    on_each_store(&[], |server| {
        let (phone, pad) = (make(server, UUID), make(server, "pad"));
        let (gone, idle) = (make(server, "gone"), make(server, "idle"));
        server.call("DELETE", &format!("{DEVICES}/gone"), None);
        server.call("PATCH", &format!("{DEVICES}/idle"), Some(&json!({"is_active": false})));
        let token = server.issue(json!({}))["token"].clone();
        let good = text(&phone["login_token"]);
        let forged = format!("{}{}", &good[..51], if good.ends_with('A') { 'B' } else { 'A' });
        let refused = [
            ("pad", &phone["login_token"]),
            ("unknown", &phone["login_token"]),
            (UUID, &pad["login_token"]),
            ("gone", &gone["login_token"]),
            ("idle", &idle["login_token"]),
            (UUID, &json!(forged)),
            (UUID, &json!(good.replacen("dwd_", "dw_", 1))),
            (UUID, &token),
            (UUID, &json!("")),
            (UUID, &json!("dwd_é\u{0}")),
            (UUID, &json!("x".repeat(10_000))),
        ]
        .map(|(uuid, login_token)| refused_login(server, uuid, login_token));
        for other in &refused[1..] {
            assert_eq!(other, &refused[0]);
        }
        assert_eq!(server.list("?include=revoked").0.len(), 1, "no token was issued");
        assert!(list(server, "").0.iter().all(|device| device["last_login"].is_null()));
        log_in(server, UUID, &phone["login_token"]);
    });
}

#[test]
fn deactivating_or_deleting_a_device_key_revokes_its_tokens() {
    on_each_store(&[], |server| {
        let made = make(server, UUID);
        let path = format!("{DEVICES}/{DASHED}");
        let other = server.issue(json!({}));
        let patch = |body: Value| {
            let response = server.call("PATCH", &path, Some(&body));
            assert_eq!(response.status, 200, "{}", response.text());
            response.json()
        };
        let mut expected = without_answer(&made);
        assert_eq!(patch(json!({})), expected);
        for name in [json!("Phone"), json!("-"), json!(null)] {
            expected["name"] = name.clone();
            assert_eq!(patch(json!({"name": name})), expected);
        }
        let token = log_in(server, UUID, &made["login_token"]);
        identity(&server.auth(&token["token"]));
        expected["last_login"] = token["created_at"].clone();
        (expected["is_active"], expected["name"]) = (json!(false), json!("Lost"));
        assert_eq!(patch(json!({"is_active": false, "name": "Lost"})), expected);
        assert_invalid_token(&server.auth(&token["token"]));
        assert_eq!(server.token(&token["id"])["is_active"], false);
        expected["is_active"] = json!(true);
        assert_eq!(patch(json!({"is_active": true})), expected);
        assert_invalid_token(&server.auth(&token["token"]));

        let token = log_in(server, UUID, &made["login_token"]);
        let removed = server.call("DELETE", &path, None);
        assert_eq!((removed.status, removed.header("content-length")), (204, None));
        assert_invalid_token(&server.auth(&token["token"]));
        identity(&server.auth(&other["token"]));
        assert_eq!(list(server, "").0, [Value::Null; 0]);
        for (method, body) in [("DELETE", None), ("PATCH", Some(json!({"is_active": false})))] {
            for path in [&*path, "/v1/users/bob/devices/x", "/v1/users/alice/devices/-"] {
                assert_eq!(pointers(&server.call(method, path, body.as_ref()), 404), [""; 0], "{path}");
            }
        }
        let anew = make(server, UUID);
        assert_ne!(anew["login_token"], made["login_token"]);
    });
}

#[test]
fn devices_are_listed_in_pages_newest_first() {
    on_each_store(&[], |server| {
        let mut made: Vec<_> =
            (0..60).map(|n| without_answer(&make(server, &format!("{}.é {n}", n * 7 % 60)))).collect();
        made.sort_by_key(|device| {
            (std::cmp::Reverse(text(&device["created_at"]).to_owned()), text(&device["uuid"]).to_owned())
        });
        assert_eq!(list(server, "?limit=1000"), (made.clone(), Value::Null));
        assert_eq!(list(server, "").0, made[..50], "the default limit");
        for limit in [1, 7, 60] {
            let (mut paged, mut cursor) = (Vec::new(), String::new());
            loop {
                let (page, next) = list(server, &format!("?limit={limit}{cursor}"));
                assert!(page.len() == limit || next.is_null(), "{limit}");
                paged.extend(page);
                let Some(next) = next.as_str() else { break };
                cursor = format!("&cursor={next}");
            }
            assert_eq!(paged, made, "{limit}");
        }
        let head = server.call("HEAD", DEVICES, None);
        assert_eq!((head.status, head.body.len()), (200, 0));
        let nobodys = server.call("GET", "/v1/users/nobody/devices", None).json();
        assert_eq!(nobodys, json!({"devices": [], "next_cursor": null}));
    });
}

#[test]
fn the_limits_on_device_keys_and_tokens_are_enforced() {
    let settings = [
        ("DOORWARD_MAX_DEVICES_PER_USER", "2"),
        ("DOORWARD_MAX_TOKENS_PER_USER", "1"),
        ("DOORWARD_OVER_LIMIT", "refuse-new"),
    ];
    on_each_store(&settings, |server| {
        let phone = make(server, "phone");
        make(server, "pad");
        let third = || server.call("POST", DEVICES, Some(&json!({"uuid": "third"})));
        assert_eq!(pointers(&third(), 409), [""; 0]);
        assert_eq!(list(server, "").0.len(), 2);
        server.call("DELETE", &format!("{DEVICES}/pad"), None);
        assert_eq!(third().status, 201);

        let token = log_in(server, "phone", &phone["login_token"]);
        let second =
            server.call("POST", "/v1/devices/login", Some(&login_body("phone", &phone["login_token"])));
        assert_eq!(pointers(&second, 409), [""; 0]);
        let (devices, _) = list(server, "");
        let phone = devices.iter().find(|device| device["uuid"] == "phone").unwrap();
        assert_eq!(phone["last_login"], token["created_at"], "not changed");
    });
}

#[test]
fn each_bad_field_is_named_and_nothing_is_written() {
    on_each_store(&[], |server| {
        let made = make(server, UUID);
        let long = "é".repeat(33);
        for (body, expected) in [
            (json!({}), vec!["#/uuid"]),
            (json!({"uuid": null}), vec!["#/uuid"]),
            (json!({"uuid": ""}), vec!["#/uuid"]),
            (json!({"uuid": "-"}), vec!["#/uuid"]),
            (json!({"uuid": long}), vec!["#/uuid"]),
            (json!({"uuid": "a\nb"}), vec!["#/uuid"]),
            (json!({"uuid": 7}), vec!["#/uuid"]),
            (json!({"uuid": format!("{{{UUID}}}")}), vec!["#/uuid"]),
            (json!({"uuid": "x", "name": "é".repeat(128)}), vec!["#/name"]),
            (json!({"uuid": "x", "name": "a\u{85}"}), vec!["#/name"]),
            (json!({"uuid": "x", "user_agent": 1}), vec!["#/user_agent"]),
            (json!({"uuid": "x", "is_active": true, "user": "bob"}), vec!["#/is_active", "#/user"]),
        ] {
            assert_eq!(pointers(&server.call("POST", DEVICES, Some(&body)), 422), expected, "{body}");
        }
        let path = format!("{DEVICES}/{UUID}");
        for (body, expected) in [
            (json!({"is_active": "no", "name": "written?"}), vec!["#/is_active"]),
            (json!({"name": 1, "is_active": false}), vec!["#/name"]),
            (json!({"uuid": "x", "is_active": false}), vec!["#/uuid"]),
        ] {
            assert_eq!(pointers(&server.call("PATCH", &path, Some(&body)), 422), expected, "{body}");
        }
        assert_eq!(list(server, "").0, [without_answer(&made)]);
        assert_eq!(server.list("?include=revoked").0, [Value::Null; 0]);
    });
}

#[test]
fn each_bad_field_of_a_login_is_named_and_no_token_is_issued() {
    on_each_store(&[], |server| {
        let made = make(server, UUID);
        let (login_token, long) = (&made["login_token"], "é".repeat(33));
        for (body, expected) in [
            (json!({}), vec!["#/uuid", "#/login_token", "#/ip"]),
            (json!({"uuid": UUID, "login_token": 1, "ip": "x"}), vec!["#/login_token", "#/ip"]),
            (json!({"uuid": long, "login_token": login_token, "ip": "::1"}), vec!["#/uuid"]),
            (json!({"uuid": UUID, "login_token": login_token, "ip": "::1", "user": "bob"}), vec!["#/user"]),
            (
                json!({"uuid": UUID, "login_token": login_token, "ip": "::1", "idle_seconds": 0, "device": "x"}),
                vec!["#/idle_seconds", "#/device"],
            ),
        ] {
            let response = server.call("POST", "/v1/devices/login", Some(&body));
            assert_eq!(pointers(&response, 422), expected, "{body}");
        }
        assert_eq!(server.list("?include=revoked").0, [Value::Null; 0]);
    });
}

#[test]
fn each_bad_part_of_a_path_or_a_query_is_named() {
    on_each_store(&[], |server| {
        let made = make(server, UUID);
        let path = format!("{DEVICES}/{UUID}");
        for (method, path, expected) in [
            ("GET", format!("{DEVICES}?limit=0&cursor=x&x=1"), vec!["#/limit", "#/cursor", "#/x"]),
            ("GET", "/v1/users/-/devices".into(), vec!["#/user"]),
            ("DELETE", format!("{path}?x=1"), vec!["#/x"]),
            ("DELETE", "/v1/users/-/devices/x".into(), vec!["#/user"]),
            ("POST", format!("{DEVICES}?uuid=x"), vec!["#/uuid"]),
        ] {
            assert_eq!(pointers(&server.call(method, &path, None), 422), expected, "{method} {path}");
        }
        assert_eq!(list(server, "").0, [without_answer(&made)]);
    });
}

#[test]
fn every_spelling_of_a_uuid_names_the_same_device() {
    on_each_store(&[], |server| {
        let forms = [
            UUID.to_owned(),
            UUID.to_uppercase(),
            DASHED.to_lowercase(),
            DASHED.to_owned(),
            format!("{{{DASHED}}}"),
            format!("urn:uuid:{DASHED}"),
        ];
        let make = |uuid: &str| {
            let body = json!({"uuid": uuid});
            server.call("POST", "/v1/users/alice/devices", Some(&body))
        };
        let made = make(&forms[0]).json();
        for form in &forms {
            let again = make(form);
            assert_eq!((again.status, &again.json()["uuid"]), (200, &json!(UUID)), "{form}");
            let login = json!({"uuid": form, "login_token": made["login_token"], "ip": "::1"});
            let token = server.call("POST", "/v1/devices/login", Some(&login));
            assert_eq!((token.status, &token.json()["device"]), (201, &json!(UUID)), "{form}");
            let path = format!("/v1/users/alice/devices/{}", form.replace('{', "%7B").replace('}', "%7D"));
            let device = server.call("PATCH", &path, Some(&json!({})));
            let shown = server.call("GET", &path, None);
            assert_eq!((device.status, shown.status), (200, 200), "{form}");
            assert_eq!((&shown.json(), &shown.json()["uuid"]), (&device.json(), &json!(UUID)), "{form}");
        }
        for other in ["Phone", &UUID.to_uppercase()[..31]] {
            assert_eq!(make(other).json()["uuid"], other);
        }
    });
}

#[test]
fn a_device_key_gets_a_new_login_token() {
    on_each_store(&[], |server| {
        let made = make(server, UUID);
        let path = format!("{DEVICES}/{DASHED}/rotate");
        let before = log_in(server, UUID, &made["login_token"]);
        let response = server.call("POST", &path, None);
        assert_eq!((response.status, response.header("cache-control")), (200, Some("no-store")));
        let rotated = response.json();
        let mut expected = made.clone();
        expected.as_object_mut().unwrap().remove("created");
        expected["last_login"] = before["created_at"].clone();
        expected["login_token"] = rotated["login_token"].clone();
        assert_eq!(rotated, expected);
        let [old, new] = [&made, &rotated].map(|answer| text(&answer["login_token"]));
        assert!(new.starts_with("dwd_") && new.len() == 52 && new != old, "{new}");
        // The public part names the device key; the secret is another.
        assert_eq!((&new[..20], new[20..] == old[20..]), (&old[..20], false));
        let body = login_body(UUID, &made["login_token"]);
        assert_eq!(pointers(&server.call("POST", "/v1/devices/login", Some(&body)), 401), [""; 0]);
        log_in(server, UUID, &rotated["login_token"]);
        identity(&server.auth(&before["token"]));

        for path in [&*path.replace("alice", "bob"), "/v1/users/alice/devices/unknown/rotate"] {
            assert_eq!(pointers(&server.call("POST", path, None), 404), [""; 0], "{path}");
        }
        let extra = server.call("POST", &path, Some(&json!({"uuid": UUID})));
        assert_eq!(pointers(&extra, 422), ["#/uuid"]);
        server.call("PATCH", &format!("{DEVICES}/{UUID}"), Some(&json!({"is_active": false})));
        let inactive = server.call("POST", &path, None);
        assert_eq!(pointers(&inactive, 409), [""; 0]);
        assert!(inactive.text().contains("device-inactive"), "{}", inactive.text());
    });
}
