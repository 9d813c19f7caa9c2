//! Random bytes and random requests never cause a server error.

use std::thread;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

use crate::common::redis::RedisServer;
use crate::common::server::{Server, text};

#[test]
fn random_bytes_never_cause_a_server_error() {
    let (redis, memory) = (RedisServer::start(), Server::start(&[]));
    let on_redis = Server::on(&redis, &[]);
    let token = text(&memory.issue(json!({}))["token"]).to_owned();
    // Bytes allowed in a header value, random or in the shape of a token.
    let loose = proptest::collection::vec(prop_oneof![0x20..=0x7eu8, 0x80..=0xffu8, Just(b'\t')], 0..300);
    let shaped = proptest::collection::vec(proptest::char::ranges(vec!['A'..='Z', '-'..='-'].into()), 48)
        .prop_map(|chars| format!("dw_{}", String::from_iter(chars)).into_bytes());
    let cut = (0..token.len(), any::<u8>()).prop_map(move |(at, byte)| {
        let mut bytes = token.clone().into_bytes();
        bytes[at] = byte.max(0x21) | 0x80;
        bytes
    });
    let strategy = (prop_oneof![loose, shaped, cut], any::<bool>(), any::<bool>());
    thread::scope(|scope| {
        for server in [&memory, &on_redis] {
            let strategy = &strategy;
            scope.spawn(move || {
                let config = Config { cases: 500, failure_persistence: None, ..Config::default() };
                let client = std::cell::RefCell::new(server.validation());
                TestRunner::new(config)
                    .run(strategy, |(bytes, by_cookie, is_logout)| {
                        let line: &[u8] =
                            if by_cookie { b"Cookie: doorward=" } else { b"Authorization: Bearer " };
                        let head = if is_logout { "POST /logout" } else { "GET /auth" };
                        let head = format!("{head} HTTP/1.1\r\nHost: a\r\n");
                        let request = [head.as_bytes(), line, &bytes, b"\r\n\r\n"].concat();
                        prop_assert_eq!(client.borrow_mut().send(request).status, 401);
                        Ok(())
                    })
                    .unwrap();
            });
        }
    });
}

/// Random bytes as requests on both planes: each gets a 4xx or a closed connection.
#[test]
fn random_requests_never_cause_a_server_error() {
    let server = Server::start(&[]);
    let path = "[/a-z0-9%.?=&{}\"~-]{0,40}";
    let method = "[A-Z]{1,8}";
    let body = proptest::collection::vec(any::<u8>(), 0..200);
    let config = Config { cases: 300, failure_persistence: None, ..Config::default() };
    let clients = std::cell::RefCell::new([server.validation(), server.admin()]);
    TestRunner::new(config)
        .run(&(method, path, body, any::<bool>()), |(method, path, body, has_type)| {
            let (name, key) = crate::common::server::key();
            let content_type = if has_type { "Content-Type: application/json\r\n" } else { "" };
            let prefix = ["/v1/tokens", "/v1/users/", "/"][path.len() % 3];
            let head = format!(
                "{method} {prefix}{path} HTTP/1.1\r\nHost: a\r\n{name}: {key}\r\n{content_type}Content-Length: {}\r\n\r\n",
                body.len()
            );
            for client in clients.borrow_mut().iter_mut() {
                client.disconnect();
                let response = client.send([head.as_bytes(), &body].concat());
                prop_assert!(response.status < 500, "{:?}", response);
            }
            Ok(())
        })
        .unwrap();
    assert_eq!(server.validation().get("/livez", &[]).status, 200);
    let _: Value = server.issue(json!({}));
}
