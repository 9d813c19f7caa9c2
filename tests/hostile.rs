//! Requests that nobody sends by accident: smuggling, ambiguity, garbage, forgeries.

mod common;

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Duration;

use common::http::{Client, Response};
use common::process::DEADLINE_MS;
use common::redis::RedisServer;
use common::server::{
    IDENTITY, Server, assert_invalid_token, assert_no_token, bearer, cookie, identity, on_each_store, text,
};
use doorward::Clock;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

/// Every answer on the connection until the server closes it or has nothing more to say.
///
/// The bytes are followed by a request for `/livez/last`, which is nobody's path: its 404 is the last answer where
/// the connection is kept.
fn answers_to(server: &Server, bytes: &[u8]) -> Vec<Response> {
    let mut client = server.validation();
    client.write(bytes).unwrap();
    client.write("GET /livez/last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
    std::iter::from_fn(|| client.read_response(false).ok()).collect()
}

fn statuses(answers: &[Response]) -> Vec<u16> {
    answers.iter().map(|answer| answer.status).collect()
}

#[test]
fn ambiguous_credentials_are_a_failed_login() {
    on_each_store(&[], |server| {
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
            // Cookies that are no login are cleared (tests/validation.rs).
            logout.headers.retain(|(name, _)| name != "set-cookie");
            assert_invalid_token(&logout);
            assert_eq!(identity(&server.validation().get("/auth-optional", &headers))[0], "-");
        }
        identity(&server.auth(alice));
        identity(&server.auth(bob));
    });
}

#[test]
fn paths_are_never_normalised() {
    let server = Server::start(&[]);
    let token = server.issue(json!({}))["token"].clone();
    let authorization = bearer(&token);
    for path in [
        "/auth/../logout",
        "/auth/%2e%2e/logout",
        "/auth//logout",
        "/auth/./../../logout",
        "/auth/\\..\\logout",
    ] {
        let response = server.validation().request("POST", path, &[("Authorization", &authorization)], None);
        assert_eq!(identity(&response)[0], "alice", "{path}");
    }
    for path in
        ["/x/../auth", "/./auth", "//auth", "/auth-optional/../auth\u{7f}", "/%2fauth", "/auth%2f..%2flogout"]
    {
        let response = server.validation().get(path, &[("Authorization", &authorization)]);
        assert!(
            matches!(response.status, 400 | 404) || path.starts_with("/auth-optional"),
            "{path}: {response:?}"
        );
    }
    // The form that a proxy is sent: the path counts, the authority does not.
    let absolute =
        format!("GET http://evil.example/auth HTTP/1.1\r\nHost: a\r\nAuthorization: {authorization}\r\n\r\n");
    identity(&server.validation().send(absolute));
    identity(&server.auth(&token));
}

/// RFC 9112, section 3.2.
#[test]
fn a_request_of_http_1_1_names_one_host() {
    let server = Server::start(&[]);
    for (mut client, target) in [
        (server.validation(), "/auth-optional"),
        (server.validation(), "/livez"),
        (server.admin(), "/livez"),
        (server.admin(), "/introspect"),
    ] {
        for (hosts, is_bad) in [("", true), ("Host: a\r\nhost: b\r\n", true), ("Host:\r\n", false)] {
            let response = client.send(format!("GET {target} HTTP/1.1\r\n{hosts}\r\n"));
            assert_eq!(response.status == 400, is_bad, "{target} {hosts:?}: {response:?}");
        }
    }
    let old = server.validation().send("GET /livez HTTP/1.0\r\n\r\n");
    assert_eq!(old.status, 200);
}

/// A body that is itself a request: it must stay a body, read or not.
#[test]
fn an_unread_body_is_not_a_request() {
    on_each_store(&[], |server| {
        let victim = server.issue(json!({}));
        let token = &victim["token"];
        let smuggled =
            format!("POST /logout HTTP/1.1\r\nHost: a\r\nAuthorization: {}\r\n\r\n", bearer(token));
        let length = smuggled.len();
        let chunked = format!("{length:x}\r\n{smuggled}\r\n0\r\n\r\n");
        for (framing, body) in [
            (format!("Content-Length: {length}"), &smuggled),
            ("Transfer-Encoding: chunked".to_owned(), &chunked),
            (format!("Content-Length: {}", length + 1_000_000), &smuggled),
            (format!("Content-Length: {length}\r\nExpect: 100-continue"), &smuggled),
            (format!("Content-Length: {length}\r\nConnection: Upgrade\r\nUpgrade: websocket"), &smuggled),
        ] {
            for path in ["/auth", "/auth-optional", "/session", "/livez", "/nowhere"] {
                let head = format!("GET {path} HTTP/1.1\r\nHost: a\r\n{framing}\r\n\r\n");
                let answers = answers_to(server, format!("{head}{body}").as_bytes());
                let statuses = statuses(&answers);
                // Its own answer, and at most that of the last request after it.
                assert!(matches!(statuses[..], [_] | [_, 404]), "{path} {framing}: {statuses:?}");
            }
        }
        // Framings that contradict each other, or none: refused, or the connection ends with the one answer.
        for framing in [
            format!("Content-Length: {length}\r\nContent-Length: 0"),
            format!("Content-Length: 0\r\nContent-Length: {length}"),
            format!("Content-Length: {length}\r\nTransfer-Encoding: chunked"),
            format!("Transfer-Encoding: chunked\r\nContent-Length: {length}"),
            "Transfer-Encoding: identity".to_owned(),
            "Transfer-Encoding: chunked, identity".to_owned(),
            "Transfer-Encoding: xchunked".to_owned(),
            format!("Content-Length: +{length}"),
            format!("Content-Length: {length}, {length}"),
            format!("Content-Length: 0x{length:x}"),
            format!("Content-Length : {length}"),
            " Content-Length: 0".to_owned(),
        ] {
            let head = format!("POST /auth HTTP/1.1\r\nHost: a\r\n{framing}\r\n\r\n");
            let answers = answers_to(server, format!("{head}{smuggled}").as_bytes());
            assert!(
                !answers.iter().any(|answer| answer.status == 200),
                "{framing}: {:?}",
                statuses(&answers)
            );
        }
        identity(&server.auth(token));
    });
}

#[test]
fn a_length_without_a_body_is_not_waited_for() {
    let server = Server::start(&[]);
    let token = server.issue(json!({}))["token"].clone();
    for framing in
        ["Content-Length: 5", "Transfer-Encoding: chunked", "Content-Length: 5\r\nExpect: 100-continue"]
    {
        let mut client = server.validation();
        let request = format!(
            "POST /auth HTTP/1.1\r\nHost: a\r\nAuthorization: {}\r\n{framing}\r\n\r\n",
            bearer(&token)
        );
        identity(&client.send(request));
    }
}

#[test]
fn malformed_heads_are_refused() {
    let server = Server::start(&[]);
    let token = server.issue(json!({}))["token"].clone();
    let good = format!("Authorization: {}", bearer(&token));
    let request = |lines: &str| format!("GET /auth HTTP/1.1\r\nHost: a\r\n{lines}\r\n\r\n").into_bytes();
    for bytes in [
        request(&format!("{good}\r\nX-A: a\0b")),
        request(&format!("{good}\r\nX-A: a\u{1}b")),
        request(&format!("{good}\r\nX-A: a\rb")),
        request(&format!("{good}\r\nX-A: a\u{7f}b")),
        request(&format!("{good}\r\nX\0A: b")),
        request(&format!("{good}\r\nX A: b")),
        request(&format!("{good}\r\n: b")),
        request(&format!("{good}\r\nno colon")),
        request(&format!("X-A: b\r\n {good}")),
        request(&good.replace("Bearer ", "Bearer \0")),
        format!("GET /auth\0 HTTP/1.1\r\n{good}\r\n\r\n").into_bytes(),
        format!("GET /auth HTTP/2.0\r\n{good}\r\n\r\n").into_bytes(),
        format!("GET /a uth HTTP/1.1\r\n{good}\r\n\r\n").into_bytes(),
        format!("G\0T /auth HTTP/1.1\r\n{good}\r\n\r\n").into_bytes(),
        b"\0\0\0\0\0\0\0\0\r\n\r\n".to_vec(),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n".to_vec(),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
    ] {
        let answers = answers_to(&server, &bytes);
        let shown = String::from_utf8_lossy(&bytes);
        let none_passed = answers.iter().all(|answer| answer.header(IDENTITY[0]).is_none());
        assert!(none_passed && matches!(statuses(&answers)[..], [] | [400]), "{shown:?}: {answers:?}");
    }
    // A bare LF ends a line for whoever is lenient (RFC 9112, section 2.2): either reading is good, a second answer
    // or a header of both is not.
    let bare = format!("GET /auth HTTP/1.1\nHost: a\n{good}\n\n");
    let answers = answers_to(&server, bare.as_bytes());
    assert!(matches!(statuses(&answers)[..], [] | [400] | [200, 404]), "{answers:?}");
    identity(&server.auth(&token));
}

#[test]
fn a_head_that_is_too_large_gets_431() {
    let server = Server::start(&[]);
    let token = server.issue(json!({}))["token"].clone();
    let authorization = bearer(&token);
    for (name, count, length) in [("Cookie", 1, 100_000), ("X-Filler", 1, 1_000_000), ("X-Filler", 2_000, 30)]
    {
        let filler = "a".repeat(length);
        let headers: Vec<_> = (0..count)
            .map(|_| (name, filler.as_str()))
            .chain([("Authorization", authorization.as_str())])
            .collect();
        for mut client in [server.validation(), server.admin()] {
            assert_eq!(client.get("/auth", &headers).status, 431, "{name} {count} {length}");
        }
    }
    let long_path = format!("/auth/{}", "a".repeat(100_000));
    assert!(matches!(server.validation().get(&long_path, &[]).status, 414 | 431));
    // What browsers do send is no problem.
    let cookies = format!("a={}; {}", "b".repeat(8_000), cookie(&token));
    identity(&server.validation().get("/auth", &[("Cookie", &cookies)]));
}

#[test]
fn slow_clients_hold_up_nobody_and_are_hung_up_on() {
    let server = Server::start(&[("DOORWARD_IDLE_TIMEOUT", "1s"), ("DOORWARD_VALIDATION_THREADS", "1")]);
    let token = server.issue(json!({}))["token"].clone();
    let started = |addr: &str| -> Client {
        let mut client = Client::new(addr);
        client.write("GET /auth HTTP/1.1\r\nHost: a\r\nX-A: ").unwrap();
        client
    };
    let mut slow: Vec<_> = (0..50).map(|_| started(server.listen())).collect();
    slow.push(started(server.admin_listen()));
    let mut client = server.validation();
    let mut answered = 0;
    let clock = Clock::system();
    let from_ms = clock.boottime_ms();
    // Each gives a byte now and then, which must not keep it alive for ever.
    while clock.boottime_ms() - from_ms < 1_500 {
        slow.iter_mut().for_each(|client| client.write("a").unwrap());
        assert_eq!(identity(&client.get("/auth", &[("Authorization", &bearer(&token))]))[0], "alice");
        answered += 1;
    }
    assert!(answered > 10, "{answered}");
    for client in &mut slow {
        // Hung up on, with a 408 or without.
        match client.read_response(false) {
            Ok(response) => assert_eq!(response.status, 408, "{response:?}"),
            Err(_) => assert!(clock.boottime_ms() - from_ms < DEADLINE_MS),
        }
    }
}

/// What comes after a request must not hold up its answer.
#[test]
fn half_a_next_request_holds_up_nothing() {
    let server = Server::start(&[]);
    for rest in ["G", "GET /auth HTTP/1.1\r\nHost: a\r\n", "\0", "\r\n"] {
        let mut client = server.validation();
        client.write(format!("GET /auth HTTP/1.1\r\nHost: a\r\n\r\n{rest}")).unwrap();
        assert_no_token(&client.read_response(false).unwrap());
    }
    // Nor what is still waited for: the body of a second request.
    let (name, key) = common::server::key();
    let mut client = server.admin();
    let waits =
        format!("POST /v1/tokens HTTP/1.1\r\nHost: a\r\n{name}: {key}\r\nContent-Type: application/json\r\n");
    client
        .write(format!("GET /livez HTTP/1.1\r\nHost: a\r\n\r\n{waits}Content-Length: 9\r\n\r\n{{"))
        .unwrap();
    assert_eq!(client.read_response(false).unwrap().status, 200);
}

/// Who asks and never reads is made to wait: the answers must not pile up in the server.
#[test]
fn a_client_that_reads_no_answers_is_held_up() {
    const MUCH_BYTES: usize = 20_000_000;
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("validation.sock");
    let server = Server::start(&[("DOORWARD_LISTEN", &format!("unix:{}", socket.display()))]);
    let mut stream = UnixStream::connect(&socket).unwrap();
    stream.set_write_timeout(Some(Duration::from_secs(1))).unwrap();
    let requests = "GET /auth HTTP/1.1\r\nHost: a\r\n\r\n".repeat(1_000);
    let mut written = 0;
    while let Ok(count) = stream.write(requests.as_bytes()) {
        written += count;
        assert!(written < MUCH_BYTES, "{written} bytes of requests taken, no answer read");
    }
    assert_eq!(server.validation().get("/livez", &[]).status, 200, "others are not");
}

#[test]
fn nothing_leaks_from_one_request_into_the_next() {
    on_each_store(&[], |server| {
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

/// How often Redis was asked for something that looking at a token takes, by a command or in a script. Scripts themselves
/// are not counted: the inspection of the store runs one that reads nothing.
fn lookups(redis: &RedisServer) -> u64 {
    let calls = |line: &str| line.split_once("calls=")?.1.split(',').next()?.parse::<u64>().ok();
    redis
        .cli(&["INFO", "commandstats"])
        .lines()
        .filter(|line| {
            ["hmget", "hget", "hgetall", "exists"]
                .iter()
                .any(|name| line.starts_with(&format!("cmdstat_{name}:")))
        })
        .filter_map(calls)
        .sum()
}

#[test]
fn forged_tokens_cost_no_command() {
    let redis = RedisServer::start();
    let server = Server::on(&redis, &[]);
    let issued = server.issue(json!({}));
    let token = text(&issued["token"]);
    let mut client = server.validation();
    let before = lookups(&redis);
    for number in 0..2_000 {
        // A known id with a guessed secret, and a guessed id.
        let forged = if number % 2 == 0 {
            format!("{}{number:035}", &token[..16])
        } else {
            format!("dw_{number:048}")
        };
        assert_invalid_token(&client.get("/auth", &[("Authorization", &format!("Bearer {forged}"))]));
    }
    assert_eq!(lookups(&redis), before);
    identity(&server.auth(&issued["token"]));
    assert!(lookups(&redis) > before, "what is counted is what a look-up takes");
}

#[test]
fn random_bytes_are_never_a_server_error() {
    let (redis, memory) = (RedisServer::start(), Server::start(&[]));
    let on_redis = Server::on(&redis, &[]);
    let token = text(&memory.issue(json!({}))["token"]).to_owned();
    // Bytes that a header value may hold, loose or in the shape of a token.
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

/// Random bytes as whole requests, on both planes: 4xx or hung up on.
#[test]
fn random_requests_are_never_a_server_error() {
    let server = Server::start(&[]);
    let path = "[/a-z0-9%.?=&{}\"~-]{0,40}";
    let method = "[A-Z]{1,8}";
    let body = proptest::collection::vec(any::<u8>(), 0..200);
    let config = Config { cases: 300, failure_persistence: None, ..Config::default() };
    let clients = std::cell::RefCell::new([server.validation(), server.admin()]);
    TestRunner::new(config)
        .run(&(method, path, body, any::<bool>()), |(method, path, body, has_type)| {
            let (name, key) = common::server::key();
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
