//! Token keys: rolled over two nodes, replacing the store's own key, and invalid keys in the store.

use serde_json::{Value, json};

use super::support::issue;
use crate::common::recovery::{await_heard, await_ready, await_unready, ready};
use crate::common::redis::RedisServer;
use crate::common::server::{Server, assert_invalid_token, assert_unavailable, identity, text};

const ONE: &str = "the-first-token-key-of-the-tests-0123456789";
const TWO: &str = "the-second-token-key-of-the-tests-0123456789";
const SHARED_KEY: &str = "dw:m:check-key";

fn node(redis: &RedisServer, keys: &str) -> Server {
    Server::on(redis, &[("DOORWARD_TOKEN_KEYS", keys)])
}

/// Rolls lists of keys over two nodes, one restart per step. At each step each node issues a token, and all tokens so
/// far must be valid on both.
fn roll(redis: &RedisServer, mut tokens: Vec<Value>, mut nodes: [Server; 2], steps: &[(usize, &str)]) {
    for (at, keys) in steps {
        nodes[*at] = node(redis, keys);
        tokens.extend(nodes.iter().map(|node| issue(node, "alice")["token"].clone()));
        for token in &tokens {
            for node in &nodes {
                assert_eq!(identity(&node.auth(token))[0], "alice", "after {at} got {keys}");
            }
        }
    }
}

#[test]
fn token_keys_are_rolled_over_two_nodes_without_a_refusal() {
    let redis = RedisServer::start();
    let (appended, moved) = (format!("{ONE},{TWO}"), format!("{TWO},{ONE}"));
    let nodes = [node(&redis, ONE), node(&redis, ONE)];
    let tokens = nodes.iter().map(|node| issue(node, "alice")["token"].clone()).collect();
    roll(&redis, tokens, nodes, &[(0, &appended), (1, &appended), (0, &moved), (1, &moved)]);
}

#[test]
fn the_stores_key_is_replaced_over_two_nodes_without_a_refusal() {
    let redis = RedisServer::start();
    let nodes = [Server::on(&redis, &[]), Server::on(&redis, &[])];
    let shared = redis.cli(&["GET", SHARED_KEY]).trim().to_owned();
    let (appended, moved) = (format!("{shared},{ONE}"), format!("{ONE},{shared}"));
    let tokens = nodes.iter().map(|node| issue(node, "alice")["token"].clone()).collect();
    roll(
        &redis,
        tokens,
        nodes,
        &[(0, &appended), (1, &appended), (0, &moved), (1, &moved), (0, ONE), (1, ONE)],
    );
}

#[test]
fn the_stores_key_verifies_tokens_until_it_is_deleted() {
    let redis = RedisServer::start();
    let before = {
        let server = Server::on(&redis, &[]);
        [issue(&server, "alice"), issue(&server, "alice")]
    };
    let server = node(&redis, ONE);
    for token in &before {
        assert_eq!(identity(&server.auth(&token["token"]))[0], "alice");
    }
    let after = issue(&server, "alice");
    redis.cli(&["DEL", SHARED_KEY]);
    await_heard(&server, &before[0]);
    assert_invalid_token(&server.auth(&before[1]["token"]));
    assert_eq!(server.auth(&after["token"]).status, 200);
    assert_eq!(redis.cli(&["EXISTS", SHARED_KEY]).trim(), "0", "the key is not created again");
}

#[test]
fn no_token_is_called_forged_before_the_stores_key_is_known() {
    let mut redis = RedisServer::start_durable();
    let tokens = {
        let (shared, own) = (Server::on(&redis, &[]), node(&redis, ONE));
        [issue(&shared, "alice"), issue(&own, "alice")]
    };
    redis.kill();
    let server = node(&redis, ONE);
    for token in &tokens {
        assert_unavailable(&server.auth(&token["token"]));
    }
    let validated = server.call("POST", "/v1/validate", Some(&json!({"tokens": [tokens[0]["token"]]})));
    assert_eq!(validated.status, 503, "{}", validated.text());
    let login = json!({"uuid": "phone", "ip": "::1", "login_token": text(&tokens[0]["token"]).replacen("dw_", "dwd_", 1)});
    assert_eq!(server.call("POST", "/v1/devices/login", Some(&login)).status, 503);
    assert_invalid_token(&server.auth(&json!("dw_malformed")));
    redis.restart();
    await_ready(&server);
    for token in &tokens {
        assert_eq!(identity(&server.auth(&token["token"]))[0], "alice");
    }
    // From now on, a string that no key verifies is forged.
    let stranger = issue(&Server::start(&[]), "alice");
    assert_invalid_token(&server.auth(&stranger["token"]));
}

#[test]
fn an_empty_or_short_store_key_is_rejected() {
    let redis = RedisServer::start();
    let good = "a-shared-key-of-the-tests-0123456789-abcdefgh";
    for bad in ["", "short", &"k".repeat(31), &" ".repeat(43)] {
        redis.cli(&["SET", SHARED_KEY, good]);
        let running = Server::on(&redis, &[]);
        let token = issue(&running, "alice");
        redis.cli(&["SET", SHARED_KEY, bad]);
        for keys in ["", ONE] {
            let server = node(&redis, keys);
            assert_eq!(ready(&server), 503, "{bad:?}");
            assert_unavailable(&server.auth(&token["token"]));
            assert_eq!(
                redis.cli(&["GET", SHARED_KEY]).trim_end_matches('\n'),
                bad,
                "the bad key is not replaced"
            );
        }
        await_unready(&running);
        assert_eq!(running.auth(&token["token"]).status, 200, "valid by the previous key");
        redis.cli(&["SET", SHARED_KEY, good]);
        await_ready(&running);
    }
}

#[test]
fn the_log_names_the_defect_of_the_stores_key() {
    let redis = RedisServer::start();
    let server = Server::on(&redis, &[]);
    redis.cli(&["SET", SHARED_KEY, "hunter2"]);
    server.wait_for_log("32 to 1024 characters");
    assert!(server.log().contains("m:check-key") && !server.log().contains("hunter2"), "{}", server.log());
}
