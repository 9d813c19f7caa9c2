//! Rotation: the grace of old secrets, concurrent rotations, and the reuse of a rotated-out secret.

use std::thread;

use doorward::internals::token_string::{TokenId, TokenKeys, TokenKind, mint_secret};
use doorward::system::Entropy;
use serde_json::{Value, json};

use super::support::{issue, listed};
use crate::common::near_cache::await_cached;
use crate::common::process::wait_for;
use crate::common::redis::RedisServer;
use crate::common::server::{
    Server, assert_invalid_token, bearer, identity, key, on_both_stores, pointers, text, token_path,
};

fn rotate(server: &Server, id: &Value) -> Value {
    let response = server.call("POST", &(token_path(id) + "/rotate"), None);
    assert_eq!(response.status, 200, "{}", response.text());
    response.json()["token"].clone()
}

fn counter(server: &Server, name: &str) -> u64 {
    let metrics = server.admin().get("/metrics", &[key()]).text();
    let line = metrics.lines().find_map(|line| line.strip_prefix(&format!("doorward_{name}_total ")));
    line.unwrap_or_else(|| panic!("no {name}")).parse().unwrap()
}

/// Returns how often clients and scripts called a command.
fn calls(redis: &RedisServer, command: &str) -> u64 {
    let stats = redis.cli(&["INFO", "commandstats"]);
    let line = stats.lines().find_map(|line| line.strip_prefix(&format!("cmdstat_{command}:calls=")));
    line.map_or(0, |line| line.split(',').next().unwrap().parse().unwrap())
}

/// Returns `count` token strings of this id with guessed secrets and valid MACs.
fn forged(redis: &RedisServer, id: &Value, count: u64) -> Vec<Value> {
    let keys = TokenKeys::from_secrets([redis.cli(&["GET", "dw:m:check-key"]).trim()]).unwrap();
    let id = TokenId::parse(text(id)).unwrap();
    let forge =
        |n| mint_secret(TokenKind::Session, &keys, id, &Entropy::seeded(n)).unwrap().token_string.into();
    (0..count).map(forge).collect()
}

#[test]
fn a_rotated_token_keeps_its_id_and_a_reused_old_secret_revokes_it() {
    on_both_stores(&[("DOORWARD_ROTATION_GRACE", "0")], |server| {
        let token = issue(server, "alice");
        let path = token_path(&token["id"]) + "/rotate";
        let response = server.call("POST", &path, None);
        assert_eq!(response.status, 200, "{}", response.text());
        let rotated = response.json();
        assert_eq!(rotated["id"], token["id"]);
        assert_ne!(rotated["token"], token["token"]);
        assert_eq!(identity(&server.auth(&rotated["token"]))[0], "alice");
        assert_invalid_token(&server.auth(&token["token"]));
        assert_invalid_token(&server.auth(&rotated["token"]));
        let shown = server.token(&token["id"]);
        assert_eq!(shown["is_active"], false);
        let told: Vec<_> = listed(server, "/v1/users/alice/events", "events")
            .iter()
            .map(|event| (text(&event["type"]).to_owned(), event["reason"].clone()))
            .collect();
        let expected = [
            ("token.revoked", json!("reuse")),
            ("token.reuse_detected", json!(null)),
            ("token.rotated", json!(null)),
            ("token.issued", json!(null)),
        ];
        assert_eq!(told, expected.map(|(kind, reason)| (kind.to_owned(), reason)));
        assert_eq!(server.call("POST", &path, None).status, 409);
        assert_eq!(server.call("POST", "/v1/tokens/AAAAAAAAAAAAAAAA/rotate", None).status, 404);
    });
}

#[test]
fn a_rotation_returns_the_browsers_cookie_if_asked() {
    on_both_stores(&[("DOORWARD_COOKIE_NAME", "sid")], |server| {
        let rotate = |token: &Value, body: Value| {
            server.call("POST", &(token_path(&token["id"]) + "/rotate"), Some(&body))
        };
        let token = issue(server, "alice");
        for body in [json!({}), json!({"set_cookie": false}), json!({"set_cookie": null})] {
            assert_eq!(rotate(&token, body).json().get("set_cookie"), None);
        }
        let rotated = rotate(&token, json!({"set_cookie": true})).json();
        let line = |secret: &Value, age: &str| {
            format!("sid={}; Path=/{age}; Secure; HttpOnly; SameSite=Lax", text(secret))
        };
        assert_eq!(rotated["set_cookie"], line(&rotated["token"], ""));
        let sent = text(&rotated["set_cookie"]).split(';').next().unwrap();
        identity(&server.validation().get("/auth", &[("cookie", sent)]));

        // The cookie of a preserved token lasts until the absolute expiry, so its `Max-Age` decreases.
        let preserved =
            server.issue(json!({"expiration": false, "idle_seconds": 90, "lifetime_seconds": 900}));
        let rotated = rotate(&preserved, json!({"set_cookie": true})).json();
        let (start, rest) = text(&rotated["set_cookie"]).split_once("; Max-Age=").unwrap();
        let (seconds, end) = rest.split_once(';').unwrap();
        assert_eq!(format!("{start};{end}"), line(&rotated["token"], ""));
        assert!((91..=900).contains(&seconds.parse::<u32>().unwrap()), "{seconds}");

        let header_only = server.issue(json!({"allowed_cookie": false}));
        assert_eq!(pointers(&rotate(&header_only, json!({"set_cookie": true})), 422), ["#/set_cookie"]);
        assert_eq!(pointers(&rotate(&token, json!({"set_cookie": 1, "x": 1})), 422), ["#/set_cookie", "#/x"]);
        assert_eq!(rotate(&json!({"id": "AAAAAAAAAAAAAAAA"}), json!({"set_cookie": true})).status, 404);
        let path = token_path(&header_only["id"]) + "/rotate";
        let form = format!(
            "POST {path} HTTP/1.1\r\nHost: a\r\n{}: {}\r\nContent-Type: application/x-www-form-urlencoded\r\n\
             Content-Length: 15\r\n\r\nset_cookie=true",
            key().0,
            key().1
        );
        assert_eq!(server.admin().send(form).status, 415);
        assert_eq!(server.auth(&header_only["token"]).status, 200, "none of these requests has rotated it");
        assert_eq!(
            server.call("GET", "/v1/users/alice/events", None).json()["events"][0]["type"],
            "token.issued"
        );
    });
}

#[test]
fn both_secrets_work_within_the_grace_and_reuse_can_be_tolerated() {
    let settings = [("DOORWARD_REUSE_ENDS_TOKEN", "false")];
    on_both_stores(&settings, |server| {
        let token = issue(server, "alice");
        let path = token_path(&token["id"]) + "/rotate";
        let rotated = server.call("POST", &path, None).json();
        for secret in [&token["token"], &rotated["token"]] {
            assert_eq!(server.auth(secret).status, 200);
        }
    });
    let settings = [("DOORWARD_REUSE_ENDS_TOKEN", "false"), ("DOORWARD_ROTATION_GRACE", "0")];
    on_both_stores(&settings, |server| {
        let token = issue(server, "alice");
        let path = token_path(&token["id"]) + "/rotate";
        let rotated = server.call("POST", &path, None).json();
        assert_invalid_token(&server.auth(&token["token"]));
        assert_eq!(server.auth(&rotated["token"]).status, 200, "the new one works on");
    });
}

#[test]
fn a_node_that_cached_the_old_secret_accepts_the_new_one() {
    let redis = RedisServer::start();
    let (one, other) = (Server::on(&redis, &[]), Server::on(&redis, &[]));
    for _ in 0..20 {
        let token = issue(&one, "alice");
        // Both nodes have cached the token.
        assert_eq!(one.auth(&token["token"]).status, 200);
        assert_eq!(other.auth(&token["token"]).status, 200);
        let rotated = one.call("POST", &(token_path(&token["id"]) + "/rotate"), None).json();
        // This holds whether or not the other node has heard of the rotation.
        assert_eq!(other.auth(&rotated["token"]).status, 200);
        assert_eq!(one.auth(&rotated["token"]).status, 200);
        assert_eq!(one.token(&token["id"])["is_active"], true);
    }
}

#[test]
fn concurrent_rotations_on_two_nodes_log_no_user_out() {
    let redis = RedisServer::start();
    // Long enough for all rotations on a busy machine.
    let settings = [("DOORWARD_ROTATION_GRACE", "5s")];
    let nodes = [Server::on(&redis, &settings), Server::on(&redis, &settings)];
    let rotate_at_once = |tabs: usize| {
        let token = issue(&nodes[0], "alice");
        let answers: Vec<_> = thread::scope(|scope| {
            let tab = |tab| {
                scope.spawn({
                    let (nodes, id) = (&nodes, &token["id"]);
                    move || rotate(&nodes[tab % 2], id)
                })
            };
            let tabs: Vec<_> = (0..tabs).map(tab).collect();
            tabs.into_iter().map(|tab| tab.join().unwrap()).collect()
        });
        (token, answers)
    };
    let browsers = [2, 4, 4].map(rotate_at_once);
    // This grace began last, so all earlier ones have ended, too.
    let last = issue(&nodes[0], "clock");
    rotate(&nodes[0], &last["id"]);
    wait_for("the grace is over", || (nodes[1].auth(&last["token"]).status == 401).then_some(()));
    for (token, answers) in &browsers {
        // Whichever answer the browser kept, and whichever node it asks.
        for answer in answers {
            for node in &nodes {
                assert_eq!(identity(&node.auth(answer))[0], "alice", "{} tabs", answers.len());
            }
        }
        assert_eq!(nodes[0].token(&token["id"])["is_active"], true);
    }
}

#[test]
fn a_leaked_token_key_does_not_let_a_forger_revoke_tokens() {
    let redis = RedisServer::start();
    let server = Server::on(&redis, &[("DOORWARD_ROTATION_GRACE", "0")]);
    let token = issue(&server, "alice");
    let present = rotate(&server, &token["id"]);
    for string in forged(&redis, &token["id"], 10) {
        assert_invalid_token(&server.auth(&string));
        let found = server.call("POST", "/v1/validate", Some(&json!({"tokens": [string]}))).json();
        assert_eq!(found["results"][0]["is_active"], false);
        assert_eq!(server.auth(&present).status, 200);
    }
    assert_eq!(server.token(&token["id"])["is_active"], true);
    let events = listed(&server, "/v1/users/alice/events", "events");
    assert!(events.iter().all(|event| event["type"] != "token.reuse_detected"), "{events:?}");
    // A rotated-out secret is distinguished from a guessed one, and revokes the token.
    assert_invalid_token(&server.auth(&token["token"]));
    assert_invalid_token(&server.auth(&present));
}

#[test]
fn a_replayed_secret_costs_no_store_read_and_evicts_nothing() {
    let redis = RedisServer::start();
    let settings = [
        ("DOORWARD_ROTATION_GRACE", "0"),
        ("DOORWARD_REUSE_ENDS_TOKEN", "false"),
        // The script that writes accesses reads tokens too, so the interval is longer than the test.
        ("DOORWARD_FLUSH_INTERVAL", "1m"),
    ];
    let server = Server::on(&redis, &settings);
    let token = issue(&server, "alice");
    let mut secrets = vec![token["token"].clone()];
    // The first secrets are no longer remembered.
    secrets.extend((0..10).map(|_| rotate(&server, &token["id"])));
    let present = secrets.pop().unwrap();
    secrets.push(forged(&redis, &token["id"], 1).remove(0));
    await_cached(&server, &present);
    let replay = |times: usize| {
        for secret in &secrets {
            let request =
                format!("GET /auth HTTP/1.1\r\nHost: a\r\nAuthorization: {}\r\n\r\n", bearer(secret));
            let mut client = server.validation();
            client.write(request.repeat(times)).unwrap();
            for _ in 0..times {
                assert_invalid_token(&client.read_response(false).unwrap());
            }
        }
        let body = json!({"tokens": secrets});
        let results = server.call("POST", "/v1/validate", Some(&body)).json()["results"].clone();
        assert!(results.as_array().unwrap().iter().all(|result| result["is_active"] == false));
    };
    replay(1);
    let (before, misses) = (calls(&redis, "hmget"), counter(&server, "cache_misses"));
    replay(20);
    assert_eq!(server.auth(&present).status, 200);
    assert_eq!(calls(&redis, "hmget"), before, "no replay was read, and the owner's record was at hand");
    assert_eq!(counter(&server, "cache_misses"), misses);
}

#[test]
fn a_wrong_secret_causes_one_store_read_and_evicts_nothing() {
    let redis = RedisServer::start();
    let server = Server::on(&redis, &[("DOORWARD_FLUSH_INTERVAL", "1m")]);
    let token = issue(&server, "alice");
    await_cached(&server, &token["token"]);
    let before = calls(&redis, "hmget");
    for (n, string) in (1..).zip(forged(&redis, &token["id"], 5)) {
        for _ in 0..3 {
            assert_invalid_token(&server.auth(&string));
            assert_eq!(server.auth(&token["token"]).status, 200);
        }
        assert_eq!(calls(&redis, "hmget") - before, n);
    }
}

#[test]
fn a_forged_token_string_is_not_a_cache_hit() {
    let redis = RedisServer::start();
    let server = Server::on(&redis, &[]);
    let token = issue(&server, "alice");
    await_cached(&server, &token["token"]);
    let mut string = text(&token["token"]).to_owned();
    let last = if string.pop() == Some('A') { 'B' } else { 'A' };
    string.push(last);
    let before = counter(&server, "cache_hits");
    for _ in 0..50 {
        assert_invalid_token(&server.auth(&json!(string)));
    }
    server.call("POST", "/v1/validate", Some(&json!({"tokens": vec![string; 50]})));
    assert_eq!(counter(&server, "cache_hits"), before);
    assert_eq!(server.auth(&token["token"]).status, 200);
    assert_eq!(counter(&server, "cache_hits"), before + 1);
}
