//! Ambiguous credentials, forged tokens, and the independence of requests on one connection.

use serde_json::json;

use crate::common::http::Response;
use crate::common::redis::RedisServer;
use crate::common::server::{
    Server, assert_invalid_token, assert_no_token, bearer, cookie, identity, on_both_stores, text,
};

#[test]
fn ambiguous_credentials_are_refused() {
    on_both_stores(&[], |server| {
        let (alice, bob) = (server.issue(json!({})), server.issue(json!({"user": "bob"})));
        let (alice, bob) = (&alice["token"], &bob["token"]);
        let authorization = |value: String| ("Authorization", value);
        let cookies = |value: String| ("Cookie", value);
        for headers in [
            vec![authorization(bearer(alice)), authorization(bearer(alice))],
            vec![authorization(bearer(alice)), authorization(bearer(bob))],
            vec![authorization(bearer(alice)), authorization("Basic YTpi".into())],
            vec![authorization("Basic YTpi".into()), authorization(bearer(alice)), cookies(cookie(bob))],
            vec![authorization(format!("{}, {}", bearer(alice), bearer(bob)))],
            vec![cookies(cookie(alice)), cookies(cookie(bob))],
            vec![cookies(format!("{}; {}", cookie(alice), cookie(bob)))],
            vec![cookies(format!("{}; doorward=", cookie(alice)))],
        ] {
            let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
            assert_invalid_token(&server.validation().get("/auth", &headers));
            let mut logout = server.validation().request("POST", "/logout", &headers, None);
            // Logout clears invalid cookies (auth.rs).
            logout.headers.retain(|(name, _)| name != "set-cookie");
            assert_invalid_token(&logout);
            assert_eq!(identity(&server.validation().get("/auth-optional", &headers))[0], "-");
        }
        identity(&server.auth(alice));
        identity(&server.auth(bob));
    });
}

#[test]
fn requests_of_one_connection_are_independent() {
    on_both_stores(&[], |server| {
        let (alice, bob) =
            (server.issue(json!({})), server.issue(json!({"user": "bob", "auth_slug": "web"})));
        let requests = [
            (format!("Authorization: {}\r\n", bearer(&alice["token"])), Some(["alice", "-"])),
            (String::new(), None),
            (format!("Cookie: {}\r\n", cookie(&bob["token"])), Some(["bob", "web"])),
            ("Authorization: Bearer dw_x\r\n".to_owned(), None),
        ];
        let check = |response: &Response, expected: Option<[&str; 2]>| match expected {
            Some([user, slug]) => {
                let shown = identity(response);
                assert_eq!([shown[0], shown[1], shown[3]], [user, user, slug]);
            }
            None if response.header("www-authenticate").unwrap().contains("error") => {
                assert_invalid_token(response)
            }
            None => assert_no_token(response),
        };
        let bytes = |headers: &str| format!("GET /auth HTTP/1.1\r\nHost: a\r\n{headers}\r\n");
        let mut client = server.validation();
        for (headers, expected) in requests.iter().cycle().take(200) {
            check(&client.send(bytes(headers)), *expected);
        }
        for _ in 0..10 {
            let pipelined: String =
                requests.iter().cycle().take(20).map(|(headers, _)| bytes(headers)).collect();
            client.write(pipelined).unwrap();
            for (_, expected) in requests.iter().cycle().take(20) {
                check(&client.read_response(false).unwrap(), *expected);
            }
        }
        assert_eq!(client.connections(), 1);
    });
}

/// Returns how many commands of a look-up Redis ran, inside scripts or not. Scripts themselves are not counted: the
/// store inspection runs one that reads nothing. Each node reads the cut-offs by HGETALL twice a second.
fn lookups(redis: &RedisServer) -> u64 {
    let calls = |line: &str| line.split_once("calls=")?.1.split(',').next()?.parse::<u64>().ok();
    redis
        .cli(&["INFO", "commandstats"])
        .lines()
        .filter(|line| {
            ["hmget", "hget", "exists"].iter().any(|name| line.starts_with(&format!("cmdstat_{name}:")))
        })
        .filter_map(calls)
        .sum()
}

#[test]
fn forged_tokens_cause_no_redis_command() {
    let redis = RedisServer::start();
    let server = Server::on(&redis, &[]);
    let issued = server.issue(json!({}));
    let token = text(&issued["token"]);
    let mut client = server.validation();
    let before = lookups(&redis);
    for number in 0..2_000 {
        // An existing id with a guessed secret, and a guessed id.
        let forged = if number % 2 == 0 {
            format!("{}{number:035}", &token[..16])
        } else {
            format!("dw_{number:048}")
        };
        assert_invalid_token(&client.get("/auth", &[("Authorization", &format!("Bearer {forged}"))]));
    }
    assert_eq!(lookups(&redis), before);
    identity(&server.auth(&issued["token"]));
    assert!(lookups(&redis) > before, "a look-up runs the counted commands");
}
