//! Erasing users over the admin plane, and locking them on several nodes.

use serde_json::{Value, json};

use crate::common::feed::FeedReader;
use crate::common::process::wait_for;
use crate::common::redis::RedisServer;
use crate::common::server::{
    Server, assert_invalid_token, identity, on_both_stores, pointers, text, token_path,
};

const ALICE: &str = "/v1/users/alice";

fn erase(server: &Server, path: &str) {
    let response = server.call("DELETE", path, None);
    assert_eq!((response.status, response.body.len()), (204, 0), "{}", response.text());
}

fn listed(server: &Server, path: &str, name: &str) -> Vec<Value> {
    server.call("GET", path, None).json()[name].as_array().unwrap().clone()
}

/// Asserts that the feed has an event of each erased object, and at last of the user.
fn assert_feed_shows_erasure(feed: &mut FeedReader) {
    let events: Vec<_> = (0..4).map(|_| feed.event()).collect();
    let shown = |(_, kind, data): &(String, String, Value)| {
        (kind.clone(), data["reason"].clone(), data["user"].clone(), data["actor"].clone())
    };
    let expected = [
        ("takeover.ended", json!("erased")),
        ("token.revoked", json!("erased")),
        ("device.ended", Value::Null),
        ("user.erased", Value::Null),
    ];
    let by = |(kind, reason): (&str, Value)| {
        (kind.to_owned(), reason, json!("alice"), events[0].2["actor"].clone())
    };
    assert_eq!(events.iter().map(shown).collect::<Vec<_>>(), expected.map(by));
    assert!(text(&events[3].2["actor"]).starts_with("key:"));
}

#[test]
fn a_user_is_erased_with_everything_and_may_come_back() {
    on_both_stores(&[], |server| {
        let object = json!({"content_type": "shop.order", "object_id": "7"});
        let live = server.issue(json!({"related_objects": [object]}));
        let revoked = server.issue(json!({}));
        let others = server.issue(json!({"user": "bob"}));
        for token in [&live, &revoked] {
            let takeover = json!({"user": "bob"});
            let path = format!("{}/takeover", token_path(&token["id"]));
            assert_eq!(server.call("POST", &path, Some(&takeover)).status, 201);
        }
        let device = json!({"uuid": "phone"});
        let made = server.call("POST", &format!("{ALICE}/devices"), Some(&device)).json();
        server.revoke(&revoked["id"]);
        identity(&server.auth(&live["token"]));
        let mut feed = FeedReader::open(server, None);

        erase(server, ALICE);
        assert_invalid_token(&server.auth(&live["token"]));
        for token in [&live, &revoked] {
            assert_eq!(server.call("GET", &token_path(&token["id"]), None).status, 404);
            let takeovers = format!("{}/takeovers", token_path(&token["id"]));
            assert_eq!(server.call("GET", &takeovers, None).status, 404);
        }
        for (path, name) in [
            ("/v1/users/alice/tokens?include=revoked", "tokens"),
            ("/v1/users/alice/devices", "devices"),
            ("/v1/users/alice/events", "events"),
            ("/v1/users/bob/takeovers", "takeovers"),
            ("/v1/related/shop.order/7/tokens", "tokens"),
        ] {
            assert_eq!(listed(server, path, name), [] as [Value; 0], "{path}");
        }
        let login = json!({"uuid": "phone", "login_token": made["login_token"], "ip": "::1"});
        assert_eq!(server.call("POST", "/v1/devices/login", Some(&login)).status, 401);
        identity(&server.auth(&others["token"]));

        assert_feed_shows_erasure(&mut feed);
        erase(server, ALICE);
        let again = server.issue(json!({}));
        identity(&server.auth(&again["token"]));
        assert_eq!(listed(server, &format!("{ALICE}/events"), "events").len(), 1);
        erase(server, "/v1/users/nobody%2F%C3%A9");
    });
}

/// A deleted key is announced as a changed one is, so no near cache keeps the token.
#[test]
fn every_node_refuses_the_tokens_of_an_erased_user() {
    let redis = RedisServer::start();
    let (one, other) = (Server::on(&redis, &[]), Server::on(&redis, &[]));
    let token = one.issue(json!({}));
    let taken_over = one.issue(json!({"user": "bob"}));
    let path = format!("{}/takeover", token_path(&taken_over["id"]));
    assert_eq!(one.call("POST", &path, Some(&json!({"user": "alice"}))).status, 201);
    for server in [&one, &other] {
        identity(&server.auth(&token["token"]));
        assert_eq!(identity(&server.auth(&taken_over["token"]))[0], "alice");
    }
    erase(&one, ALICE);
    assert_invalid_token(&one.auth(&token["token"]));
    assert_eq!(identity(&one.auth(&taken_over["token"]))[0], "bob");
    wait_for("the other node hears of the erasure", || {
        let is_refused = other.auth(&token["token"]).status == 401;
        (is_refused && identity(&other.auth(&taken_over["token"]))[0] == "bob").then_some(())
    });
    assert_invalid_token(&other.auth(&token["token"]));
}

/// A flag is a change of the token, so no near cache keeps it as it was.
#[test]
fn every_node_refuses_the_tokens_of_a_locked_user() {
    let redis = RedisServer::start();
    let (one, other) = (Server::on(&redis, &[]), Server::on(&redis, &[]));
    let token = one.issue(json!({}));
    let lock = format!("{ALICE}/lock");
    for server in [&one, &other] {
        identity(&server.auth(&token["token"]));
    }
    assert_eq!(one.call("PUT", &lock, None).status, 204);
    assert_invalid_token(&one.auth(&token["token"]));
    wait_for("the other node hears of the lock", || {
        (other.auth(&token["token"]).status == 401).then_some(())
    });
    assert_eq!(other.call("GET", &lock, None).json(), json!({"locked": true}));
    assert_eq!(other.call("DELETE", &lock, None).status, 204);
    identity(&other.auth(&token["token"]));
    wait_for("the first node hears of the unlock", || {
        (one.auth(&token["token"]).status == 200).then_some(())
    });
}

#[test]
fn a_bad_erasure_erases_nothing() {
    on_both_stores(&[], |server| {
        let token = server.issue(json!({}));
        for (path, pointer) in
            [("/v1/users/%2e%2e", "#/user"), ("/v1/users/-", "#/user"), ("/v1/users/alice?x=1", "#/x")]
        {
            assert_eq!(pointers(&server.call("DELETE", path, None), 422), [pointer], "{path}");
        }
        let wrong = server.call("POST", ALICE, Some(&json!({})));
        assert_eq!((wrong.status, wrong.header("allow")), (405, Some("DELETE")));
        identity(&server.auth(&token["token"]));
    });
}

#[test]
fn an_erasure_needs_the_scope_of_all_that_it_erases() {
    let (full, lacking) = ("a-key-that-may-erase-0123456789-abcd", "a-key-that-may-not-erase-0123456789");
    let hash = |key: &str| doorward::internals::config::hash_key(key).unwrap();
    let api_keys =
        format!("full:tokens+takeovers+devices:{},less:tokens+devices:{}", hash(full), hash(lacking));
    let server = Server::start(&[("DOORWARD_API_KEYS", &api_keys)]);
    let token = server.issue(json!({}));
    let erase_with = |key: &str| {
        let head = format!("DELETE {ALICE} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {key}\r\n\r\n");
        server.admin().send(head)
    };
    let refused = erase_with(lacking);
    assert_eq!(pointers(&refused, 403), [""; 0]);
    assert_eq!(refused.json()["detail"], "the API key lacks the scope takeovers");
    identity(&server.auth(&token["token"]));
    assert_eq!(erase_with(full).status, 204);
    assert_invalid_token(&server.auth(&token["token"]));
}
