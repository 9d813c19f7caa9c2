//! Related objects over the admin plane: adding, removing, listing and revoking by object.

use serde_json::{Value, json};

use crate::common::server::{Server, assert_invalid_token, identity, key, pointers, text, token_path};
use crate::on_each_store;

fn object(id: &str) -> Value {
    json!({"content_type": "shop.order", "object_id": id})
}

fn related_path(token: &Value) -> String {
    format!("{}/related", token_path(&token["id"]))
}

fn found(server: &Server, path: &str) -> Vec<Value> {
    let response = server.call("GET", path, None);
    assert_eq!(response.status, 200, "{}", response.text());
    assert_eq!(response.json()["next_cursor"], Value::Null);
    response.json()["tokens"].as_array().unwrap().iter().map(|token| token["id"].clone()).collect()
}

#[test]
fn tokens_are_listed_and_revoked_by_related_object() {
    on_each_store(&[], |server| {
        let path = "/v1/related/shop.order/7/tokens";
        let by_issue = server.issue(json!({"related_objects": [object("7"), object("7"), object("8")]}));
        assert_eq!(by_issue["related_objects"], json!([object("7"), object("8")]), "each once");
        let later = server.issue(json!({"user": "bob"}));
        for _ in 0..2 {
            let response = server.call("POST", &related_path(&later), Some(&object("7")));
            assert_eq!((response.status, response.body.len()), (204, 0), "{}", response.text());
        }
        assert_eq!(server.token(&later["id"])["related_objects"], json!([object("7")]));
        assert_eq!(found(server, path), [later["id"].clone(), by_issue["id"].clone()]);
        let page = server.call("GET", &format!("{path}?limit=1"), None).json();
        assert_eq!(page["tokens"][0], server.token(&later["id"]));
        let next = format!("{path}?limit=1&cursor={}", text(&page["next_cursor"]));
        assert_eq!(found(server, &next), [by_issue["id"].clone()]);

        for _ in 0..2 {
            let response = server.call("DELETE", &related_path(&by_issue), Some(&object("7")));
            assert_eq!(response.status, 204, "{}", response.text());
        }
        assert_eq!(found(server, path), [later["id"].clone()]);
        let ended = server.call("DELETE", path, None);
        assert_eq!((ended.status, ended.json()), (200, json!({"revoked": 1})));
        assert_invalid_token(&server.auth(&later["token"]));
        identity(&server.auth(&by_issue["token"]));
        assert_eq!(server.call("DELETE", path, None).json(), json!({"revoked": 0}));
        let events = server.call("GET", "/v1/users/bob/events", None).json();
        assert_eq!(events["events"][0]["reason"], "related");
    });
}

#[test]
fn a_related_object_is_removed_from_a_token_by_its_path() {
    on_each_store(&[], |server| {
        let odd = json!({"content_type": "a/b é%", "object_id": "../?x#&"});
        let issued = server.issue(json!({"related_objects": [odd, object("7")]}));
        let delete = |rest: &str| server.call("DELETE", &format!("{}/{rest}", related_path(&issued)), None);
        for _ in 0..2 {
            let response = delete("a%2Fb%20%C3%A9%25/..%2F%3Fx%23%26");
            assert_eq!((response.status, response.body.len()), (204, 0), "{}", response.text());
            assert_eq!(server.token(&issued["id"])["related_objects"], json!([object("7")]));
        }
        assert_eq!(pointers(&delete("%2e/.."), 422), ["#/content_type", "#/object_id"]);
        assert_eq!(pointers(&delete("a/b?x=1"), 422), ["#/x"]);
        let other = server.call("GET", &format!("{}/a/b", related_path(&issued)), None);
        assert_eq!((other.status, other.header("allow")), (405, Some("DELETE")));
        server.revoke(&issued["id"]);
        pointers(&delete("shop.order/7"), 409);
        pointers(&server.call("DELETE", "/v1/tokens/AAAAAAAAAAAAAAAA/related/a/b", None), 404);
    });
}

#[test]
fn a_batch_shows_a_new_related_object_at_once() {
    on_each_store(&[], |server| {
        let issued = server.issue(json!({}));
        let shown = || {
            let body = json!({"tokens": [issued["token"]]});
            server.call("POST", "/v1/validate", Some(&body)).json()["results"][0]["related_objects"].clone()
        };
        assert_eq!(shown(), json!([]));
        server.call("POST", &related_path(&issued), Some(&object("7")));
        assert_eq!(shown(), json!([object("7")]));
        server.call("DELETE", &related_path(&issued), Some(&object("7")));
        assert_eq!(shown(), json!([]));
    });
}

/// Only the store holds the record then and changes it in place, so a batch must not keep an earlier rendering of it.
#[test]
fn a_batch_without_access_shows_every_acknowledged_change() {
    on_each_store(&[("DOORWARD_RENEWAL_EXEMPT_HEADER", "X-Exempt")], |server| {
        let issued = server.issue(json!({}));
        let shown = || {
            let body = json!({"tokens": [issued["token"]]});
            let headers = [key(), ("X-Exempt", "1")];
            let response = server.admin().request("POST", "/v1/validate", &headers, Some(&body));
            response.json()["results"][0].clone()
        };
        for slug in ["a", "b"] {
            server.call("PATCH", &token_path(&issued["id"]), Some(&json!({"auth_slug": slug})));
            assert_eq!(shown()["auth_slug"], slug);
        }
        for id in ["7", "8"] {
            server.call("POST", &related_path(&issued), Some(&object(id)));
            assert_eq!(shown(), server.token(&issued["id"]));
        }
    });
}

#[test]
fn related_objects_are_percent_encoded_in_paths() {
    on_each_store(&[], |server| {
        let odd = json!({"content_type": "a/b é%", "object_id": "../?x#&"});
        let issued = server.issue(json!({"related_objects": [odd]}));
        let path = "/v1/related/a%2Fb%20%C3%A9%25/..%2F%3Fx%23%26/tokens";
        assert_eq!(found(server, path), [issued["id"].clone()]);
        assert_eq!(server.call("DELETE", path, None).json(), json!({"revoked": 1}));
    });
}

#[test]
fn impossible_changes_of_related_objects_are_rejected() {
    on_each_store(&[("DOORWARD_MAX_TOKENS_PER_OBJECT", "1")], |server| {
        let issued = server.issue(json!({"related_objects": [object("1")]}));
        let path = related_path(&issued);
        for method in ["POST", "DELETE"] {
            let call = |body: Value| server.call(method, &path, Some(&body));
            assert_eq!(pointers(&call(json!({})), 422), ["#/content_type", "#/object_id"]);
            let bad = json!({"content_type": "", "object_id": "a\n", "x": 1});
            assert_eq!(pointers(&call(bad), 422), ["#/content_type", "#/object_id", "#/x"]);
            pointers(&server.call(method, "/v1/tokens/AAAAAAAAAAAAAAAA/related", Some(&object("1"))), 404);
        }
        for method in ["GET", "DELETE"] {
            let call = |path: &str| server.call(method, path, None);
            let long = "a".repeat(256);
            assert_eq!(pointers(&call("/v1/related//%00/tokens"), 422), ["#/content_type", "#/object_id"]);
            assert_eq!(pointers(&call(&format!("/v1/related/a/{long}/tokens")), 422), ["#/object_id"]);
            assert_eq!(pointers(&call("/v1/related/a/b/tokens?x=1"), 422), ["#/x"]);
            pointers(&call("/v1/related/%ff/b/tokens"), 404);
        }
        // The object has reached its limit of one token.
        let body = json!({"user": "bob", "ip": "10.0.0.1", "related_objects": [object("1")]});
        pointers(&server.call("POST", "/v1/tokens", Some(&body)), 409);
        let other = server.issue(json!({}));
        pointers(&server.call("POST", &related_path(&other), Some(&object("1"))), 409);
        server.revoke(&issued["id"]);
        pointers(&server.call("POST", &path, Some(&object("2"))), 409);
        pointers(&server.call("DELETE", &path, Some(&object("1"))), 409);
        assert_eq!(server.call("POST", &related_path(&other), Some(&object("1"))).status, 204);
        let without_key = server.admin().request("GET", "/v1/related/a/b/tokens", &[], None);
        pointers(&without_key, 401);
    });
}
