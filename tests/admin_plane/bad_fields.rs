//! Invalid fields of POST and PATCH are all named, and nothing is written.

use serde_json::{Value, json};

use crate::common::redis::RedisServer;
use crate::common::server::{Server, key, pointers, token_path};

/// Every field of POST with invalid values.
fn bad_fields() -> Vec<(&'static str, Value)> {
    let mut bad = vec![
        ("user", json!("é".repeat(129))),
        ("ip", json!("")),
        ("ip", json!("1.2.3")),
        ("ip", json!("::g")),
        ("ip", json!("10.0.0.1\n")),
        ("auth_slug", json!("a".repeat(51))),
        ("auth_slug", json!("a b")),
        ("auth_slug", json!("é")),
        ("backend", json!("b".repeat(256))),
        ("related_objects", json!({})),
        ("related_objects", json!(vec![json!({"content_type": "a", "object_id": "b"}); 17])),
        ("related_objects/0", json!(["x"])),
        ("related_objects/0/object_id", json!([{"content_type": "a"}])),
        ("related_objects/0/content_type", json!([{"content_type": "a".repeat(101), "object_id": "b"}])),
        ("related_objects/0/object_id", json!([{"content_type": "a", "object_id": "b".repeat(256)}])),
        ("related_objects/0/extra", json!([{"content_type": "a", "object_id": "b", "extra": 1}])),
        ("unknown", json!(1)),
        ("token", json!("dw_x")),
        ("id", json!("x")),
        ("User", json!("x")),
    ];
    for name in ["user", "auth_slug", "backend"] {
        bad.extend(["", "-", "a\nb", "a\u{7f}", "\u{85}", "\u{1}"].map(|value| (name, json!(value))));
        bad.extend([json!(7), json!(["a"]), json!(true)].map(|value| (name, value)));
    }
    for name in ["user", "ip"] {
        bad.push((name, json!(null)));
    }
    for name in ["expiration", "allowed_cookie", "allowed_header"] {
        bad.extend([json!("true"), json!(1), json!({})].map(|value| (name, value)));
    }
    for name in ["idle_seconds", "lifetime_seconds"] {
        bad.extend(
            [json!(0), json!(-1), json!(1.5), json!("60"), json!(1e300), json!(u64::MAX)]
                .map(|value| (name, value)),
        );
    }
    for control in ["a\rb", "\u{0}", "\u{9f}"] {
        let related = json!([{"content_type": control, "object_id": "b"}]);
        bad.push(("related_objects/0/content_type", related));
        bad.push(("related_objects/0/object_id", json!([{"content_type": "a", "object_id": control}])));
    }
    bad
}

#[test]
fn each_bad_field_is_named_and_nothing_is_written() {
    let redis = RedisServer::start();
    let on_redis = Server::on(&redis, &[]);
    let issued = on_redis.issue(json!({"auth_slug": "web"}));
    let (keys, before) = (redis.keys(), on_redis.token(&issued["id"]));
    for server in [&on_redis, &Server::start(&[])] {
        let mut client = server.admin();
        for (pointer, value) in bad_fields() {
            let mut body = json!({"user": "alice", "ip": "10.0.0.1"});
            body[pointer.split('/').next().unwrap()] = value.clone();
            let response = client.request("POST", "/v1/tokens", &[key()], Some(&body));
            assert_eq!(pointers(&response, 422), [format!("#/{pointer}")], "{value}");
        }
        let missing = client.request("POST", "/v1/tokens", &[key()], Some(&json!({})));
        assert_eq!(pointers(&missing, 422), ["#/user", "#/ip"]);
        let all_at_once = json!({"user": 1, "ip": "x", "auth_slug": "-", "backend": "", "nope": 1});
        let response = client.request("POST", "/v1/tokens", &[key()], Some(&all_at_once));
        assert_eq!(pointers(&response, 422), ["#/user", "#/ip", "#/auth_slug", "#/backend", "#/nope"]);
        for not_an_object in [json!([]), json!("x"), json!(null), json!(1)] {
            let response = client.request("POST", "/v1/tokens", &[key()], Some(&not_an_object));
            assert_eq!(pointers(&response, 422), ["#"], "{not_an_object}");
        }
        assert_eq!(client.connections(), 1);
    }
    let patches = [
        ("auth_slug", json!("a b")),
        ("auth_slug", json!("-")),
        ("auth_slug", json!("")),
        ("auth_slug", json!(1)),
        ("allowed_cookie", json!("no")),
        ("allowed_header", json!(0)),
        ("is_active", json!(true)),
        ("is_active", json!("false")),
        ("user", json!("mallory")),
        ("backend", json!("x")),
        ("expires_at", json!("2100-01-01T00:00:00.000Z")),
    ];
    for (field, value) in patches {
        // A valid field in the same request is not written either.
        let good = if field == "allowed_cookie" { "allowed_header" } else { "allowed_cookie" };
        let response =
            on_redis.call("PATCH", &token_path(&issued["id"]), Some(&json!({field: value, good: false})));
        assert_eq!(pointers(&response, 422), [format!("#/{field}")], "{value}");
    }
    assert_eq!(redis.keys(), keys);
    assert_eq!(on_redis.token(&issued["id"]), before);
    assert_eq!(on_redis.list("?include=revoked").0, [before]);
}
