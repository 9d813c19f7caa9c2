//! Issuing, reading, changing, listing and revoking tokens over the admin plane.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::oauth_calls::seconds;
use crate::common::process::wait_for;
use crate::common::server::{assert_invalid_token, identity, key, pointers, text, token_path};
use crate::on_each_store;

#[test]
fn a_token_is_issued_with_all_its_fields() {
    on_each_store(&[], |server| {
        let body = json!({
            "user": "alice", "ip": "2001:db8::1", "user_agent": "é".repeat(300), "auth_slug": "web-1_A",
            "backend": "ldap", "expiration": false, "allowed_cookie": false, "allowed_header": true,
            "idle_seconds": 60, "lifetime_seconds": 90,
            "related_objects": [{"content_type": "shop.order", "object_id": "7"},
                                {"content_type": "é", "object_id": "-"}],
        });
        let response = server.call("POST", "/v1/tokens", Some(&body));
        assert_eq!(response.status, 201, "{}", response.text());
        assert_eq!(response.header("content-type"), Some("application/json"));
        assert_eq!(response.header("cache-control"), Some("no-store"));
        let issued = response.json();
        assert_eq!(response.header("location"), Some(&*token_path(&issued["id"])));
        assert_eq!(text(&issued["id"]).len(), 16);
        let token = text(&issued["token"]);
        let legal = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        assert!(token.len() == 51 && token.starts_with("dw_") && token[3..].chars().all(legal), "{token}");
        assert!(token[3..].starts_with(text(&issued["id"])), "the id is in the token");
        assert_eq!(issued["last_access"], issued["created_at"]);

        let mut expected = body.clone();
        let fields = expected.as_object_mut().unwrap();
        fields.remove("idle_seconds");
        fields.remove("lifetime_seconds");
        fields.insert("user_agent".into(), "é".repeat(256).into());
        for (name, value) in [
            ("is_active", json!(true)),
            ("locked", json!(false)),
            ("origin", json!(null)),
            ("takeover", json!(null)),
            ("device", json!(null)),
            ("is_authenticated", json!(true)),
            ("origin", json!(null)),
            ("revoked_at", json!(null)),
            ("revoked_reason", json!(null)),
            ("scopes", json!([])),
        ] {
            fields.insert(name.into(), value);
        }
        for name in ["id", "token", "created_at", "last_access", "expires_at", "ends_at"] {
            fields.insert(name.into(), issued[name].clone());
        }
        assert_eq!(issued, expected);

        expected.as_object_mut().unwrap().remove("token");
        assert_eq!(server.token(&issued["id"]), expected);
        assert_eq!(server.list(""), (vec![expected], Value::Null));
        let head = server.call("HEAD", &token_path(&issued["id"]), None);
        assert_eq!((head.status, head.body.len()), (200, 0));
    });
}

#[test]
fn omitted_fields_get_their_defaults() {
    on_each_store(&[], |server| {
        let nulls = json!({"user_agent": null, "auth_slug": null, "backend": null, "expiration": null,
            "allowed_cookie": null, "allowed_header": null, "idle_seconds": null, "lifetime_seconds": null,
            "related_objects": null, "scopes": null});
        for fields in [json!({}), nulls] {
            let issued = server.issue(fields);
            let expected = json!({"user_agent": "", "auth_slug": null, "backend": null, "expiration": true,
                "allowed_cookie": true, "allowed_header": true, "related_objects": [], "scopes": [],
                "is_active": true});
            for (name, value) in expected.as_object().unwrap() {
                assert_eq!(&issued[name], value, "{name}");
            }
            identity(&server.auth(&issued["token"]));
        }
    });
}

#[test]
fn the_times_of_a_token_are_changed() {
    on_each_store(&[], |server| {
        let issued = server.issue(json!({"idle_seconds": 7200}));
        let path = token_path(&issued["id"]);
        let patch = |body: Value| server.call("PATCH", &path, Some(&body));
        let time = |token: &Value, name: &str| seconds(&token[name]);
        let created = time(&issued, "created_at");

        let shorter = patch(json!({"idle_seconds": 600})).json();
        assert!((created + 600..=created + 660).contains(&time(&shorter, "expires_at")), "{shorter}");
        assert_eq!(shorter["ends_at"], issued["ends_at"]);
        assert_eq!(shorter["last_access"], issued["last_access"], "a change is no access");
        let response = server.auth(&issued["token"]);
        assert!(identity(&response)[6].parse::<u64>().unwrap() <= 600);

        let ends_sooner = patch(json!({"lifetime_seconds": 300})).json();
        assert_eq!(time(&ends_sooner, "ends_at"), created + 300);
        assert_eq!(ends_sooner["expires_at"], ends_sooner["ends_at"]);
        let both = patch(json!({"lifetime_seconds": 8_000_000, "idle_seconds": 9_000_000.0})).json();
        assert_eq!((time(&both, "ends_at"), &both["expires_at"]), (created + 8_000_000, &both["ends_at"]));
        assert_eq!(server.token(&issued["id"]), both);

        for (body, pointer) in [
            (json!({"idle_seconds": 0}), "#/idle_seconds"),
            (json!({"lifetime_seconds": 316_224_001_u64}), "#/lifetime_seconds"),
            (json!({"lifetime_seconds": "1"}), "#/lifetime_seconds"),
        ] {
            assert_eq!(pointers(&patch(body), 422), [pointer]);
        }
        assert_eq!(server.token(&issued["id"]), both, "a refused change changes nothing");
        server.revoke(&issued["id"]);
        assert_eq!(pointers(&patch(json!({"idle_seconds": 1})), 409), [""; 0]);
    });
}

#[test]
fn a_lifetime_that_is_over_is_refused() {
    on_each_store(&[], |server| {
        let issued = server.issue(json!({}));
        let short = server.issue(json!({"idle_seconds": 1}));
        wait_for("a second has passed since the issue", || {
            (server.call("GET", &token_path(&short["id"]), None).status == 404).then_some(())
        });
        let body = json!({"lifetime_seconds": 1, "idle_seconds": 60, "auth_slug": "late"});
        let refused = server.call("PATCH", &token_path(&issued["id"]), Some(&body));
        assert_eq!(pointers(&refused, 422), ["#/lifetime_seconds"]);
        assert_eq!(refused.json()["errors"][0]["detail"], "is over: it counts from created_at");
        identity(&server.auth(&issued["token"]));
        let shown = server.token(&issued["id"]);
        assert_eq!((&shown["auth_slug"], &shown["ends_at"]), (&Value::Null, &issued["ends_at"]));
    });
}

#[test]
fn a_token_is_changed_and_revoked() {
    on_each_store(&[], |server| {
        let issued = server.issue(json!({"auth_slug": "web"}));
        let (path, mut expected) = (token_path(&issued["id"]), issued.clone());
        expected.as_object_mut().unwrap().remove("token");
        let patch = |body: Value| {
            let response = server.call("PATCH", &path, Some(&body));
            assert_eq!(response.status, 200, "{}", response.text());
            response.json()
        };
        assert_eq!(patch(json!({})), expected);
        expected["auth_slug"] = json!("api");
        assert_eq!(patch(json!({"auth_slug": "api"})), expected);
        assert_eq!(identity(&server.auth(&issued["token"]))[3], "api", "at once");
        for (name, value) in
            [("allowed_cookie", json!(false)), ("allowed_header", json!(false)), ("auth_slug", json!(null))]
        {
            let changed = patch(json!({name: value}));
            assert_eq!(changed[name], value);
        }
        assert_invalid_token(&server.auth(&issued["token"]));
        assert_eq!(patch(json!({"allowed_header": true, "is_active": false}))["is_active"], false);
        assert_invalid_token(&server.auth(&issued["token"]));
        assert_eq!(server.token(&issued["id"])["is_active"], false, "a revoked token is still shown");

        assert_eq!(
            patch(json!({"is_active": false}))["is_active"],
            false,
            "revoking twice has no further effect"
        );
        let response = server.call("PATCH", &path, Some(&json!({"auth_slug": "late"})));
        assert_eq!(pointers(&response, 409), [""; 0]);
        for _ in 0..2 {
            let ended = server.call("DELETE", &path, None);
            assert_eq!((ended.status, ended.header("content-length")), (204, None));
        }
    });
}

#[test]
fn an_unknown_token_is_not_found() {
    on_each_store(&[], |server| {
        let unknown = server.issue(json!({}));
        server.call("DELETE", "/v1/users/alice/tokens", None);
        let id = text(&unknown["id"]);
        let other = format!("{}{}", &id[..15], if id.ends_with('A') { 'B' } else { 'A' });
        for id in [&*other, "short", &id[..15], "jE1hGDDTZBpo Upp", &"A".repeat(17), "..", "%00"] {
            let path = format!("/v1/tokens/{}", id.replace(' ', "%20"));
            for (method, body) in [("GET", None), ("DELETE", None), ("PATCH", Some(json!({})))] {
                assert_eq!(pointers(&server.call(method, &path, body.as_ref()), 404), [""; 0], "{path}");
            }
        }
    });
}

#[test]
fn a_users_tokens_are_listed_in_pages_newest_first() {
    on_each_store(&[], |server| {
        let mut client = server.admin();
        let mut issued = Vec::new();
        for number in 0..120 {
            let body = json!({"user": "alice", "ip": "10.0.0.1", "backend": format!("b{number}")});
            issued.push(client.request("POST", "/v1/tokens", &[key()], Some(&body)).json());
        }
        server.issue(json!({"user": "bob"}));
        issued.sort_by_key(|token| {
            (std::cmp::Reverse(text(&token["created_at"]).to_owned()), token["id"].to_string())
        });
        // Tokens of one millisecond are ordered by the bytes of their ids, an order that base64url does not preserve.
        let ids =
            |tokens: &[Value]| tokens.iter().map(|token| text(&token["id"]).to_owned()).collect::<Vec<_>>();
        let times = |tokens: &[Value]| -> Vec<String> {
            tokens.iter().map(|token| text(&token["created_at"]).to_owned()).collect()
        };
        let all_ids: BTreeSet<_> = ids(&issued).into_iter().collect();

        let (all, next) = server.list("?limit=1000");
        assert_eq!((times(&all), next), (times(&issued), Value::Null));
        assert_eq!(ids(&all).into_iter().collect::<BTreeSet<_>>(), all_ids);
        assert_eq!(server.list("").0, all[..50], "the default limit");
        for limit in [1, 7, 50, 60, 119, 120] {
            let (mut paged, mut cursor) = (Vec::new(), String::new());
            loop {
                let (page, next) = server.list(&format!("?limit={limit}{cursor}"));
                assert!(page.len() == limit || next.is_null(), "{limit}");
                paged.extend(page);
                let Some(next) = next.as_str() else { break };
                cursor = format!("&cursor={next}");
            }
            assert_eq!(paged, all, "{limit}");
        }

        server.revoke(&all[3]["id"]);
        let (live, _) = server.list("?limit=1000");
        assert_eq!(live.len(), 119);
        let (with_ended, _) = server.list("?limit=1000&include=revoked");
        assert_eq!(ids(&with_ended), ids(&all));
        assert_eq!(with_ended[3]["is_active"], false);
        assert_eq!(
            server.call("GET", "/v1/users/nobody/tokens", None).json(),
            json!({"tokens": [], "next_cursor": null})
        );
    });
}

#[test]
fn all_tokens_of_a_user_are_revoked_together() {
    on_each_store(&[], |server| {
        let user = "a/b é%";
        let path = "/v1/users/a%2Fb%20%C3%A9%25/tokens";
        let tokens: Vec<_> = (0..5).map(|_| server.issue(json!({"user": user}))).collect();
        let other = server.issue(json!({"user": "bob"}));
        server.revoke(&tokens[4]["id"]);
        let revoke = |query: &str| server.call("DELETE", &format!("{path}{query}"), None);
        let kept = format!("?except={}", text(&tokens[1]["id"]));
        let response = revoke(&kept);
        assert_eq!((response.status, response.json()), (200, json!({"revoked": 3})));
        assert_eq!(revoke(&kept).json(), json!({"revoked": 0}));
        for (at, token) in tokens.iter().enumerate() {
            if at == 1 {
                assert_eq!(
                    identity(&server.auth(&token["token"]))[0],
                    "a%2Fb%20%C3%A9%25".replace("%2F", "/")
                );
            } else {
                assert_invalid_token(&server.auth(&token["token"]));
            }
        }
        let of_another = format!("?except={}", text(&other["id"]));
        assert_eq!(revoke(&of_another).json(), json!({"revoked": 1}), "another's token spares nothing");
        identity(&server.auth(&other["token"]));
        assert_eq!(revoke("").json(), json!({"revoked": 0}));
    });
}

#[test]
fn a_cursor_is_valid_for_its_own_listing_only() {
    on_each_store(&[], |server| {
        for user in ["alice", "bob"] {
            for _ in 0..3 {
                let related = json!([{"content_type": "order", "object_id": user}]);
                server.issue(json!({"user": user, "related_objects": related}));
            }
        }
        let page = |path: &str, cursor: &str| {
            let response = server.call("GET", &format!("{path}?limit=2&cursor={cursor}"), None);
            (response.status == 200).then(|| response.json()).ok_or_else(|| pointers(&response, 422))
        };
        let count = |page: &Value| page["tokens"].as_array().unwrap().len();
        let (alice, bob) = ("/v1/users/alice/tokens", "/v1/users/bob/tokens");
        let first = page(alice, "").unwrap();
        assert_eq!(count(&first), 2, "an empty cursor is the first page");
        let cursor = text(&first["next_cursor"]);
        let rest = page(alice, cursor).unwrap();
        assert_eq!((count(&rest), &rest["next_cursor"]), (1, &Value::Null));
        for other in
            [bob, "/v1/related/order/alice/tokens", "/v1/users/alice/devices", "/v1/users/alice/takeovers"]
        {
            assert_eq!(page(other, cursor), Err(vec!["#/cursor".into()]), "{other}");
        }
        let objects = page("/v1/related/order/alice/tokens", "").unwrap();
        let cursor = text(&objects["next_cursor"]);
        assert_eq!(count(&page("/v1/related/order/alice/tokens", cursor).unwrap()), 1);
        assert!(page("/v1/related/order/bob/tokens", cursor).is_err() && page(alice, cursor).is_err());
    });
}
