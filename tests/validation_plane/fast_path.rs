//! The fast path and hyper give the same answers. A connection stays on the fast path until its first uncommon request.
//! So each request is sent twice: first on a connection, and after a request for `/livez`, which hands it to hyper.

use std::cell::RefCell;
use std::thread;

use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

use super::support::{base64, percent};
use crate::common::http::{Client, Response};
use crate::common::redis::RedisServer;
use crate::common::server::{IDENTITY, Server, bearer, cookie, identity, text};

/// The status, headers and body of an answer.
type Answer = (u16, Vec<(String, String)>, Vec<u8>);

/// Returns the answers to a request on one connection, and whether a later request was answered.
fn answers(client: &mut Client, request: &[u8]) -> Vec<Answer> {
    // Written at once: the handling of a body depends on whether it has arrived already.
    let last = b"GET /livez/last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    client.write([request, last].concat()).unwrap();
    let is_head = request.starts_with(b"HEAD ");
    let first = client.read_response(is_head).ok();
    let later = std::iter::from_fn(|| client.read_response(false).ok());
    first.into_iter().chain(later).map(|answer| (answer.status, shown(&answer), answer.body)).collect()
}

/// Returns the headers in a fixed order, without those that depend on the time.
fn shown(answer: &Response) -> Vec<(String, String)> {
    let is_time = |name: &str| name == "date" || name.eq_ignore_ascii_case(IDENTITY[6]);
    let mut shown: Vec<_> = answer.headers.iter().filter(|(name, _)| !is_time(name)).cloned().collect();
    assert!(answer.header("date").is_some(), "{answer:?}");
    shown.sort();
    shown
}

fn assert_alike(server: &Server, request: &[u8]) {
    let by_fast_path = answers(&mut server.validation(), request);
    let mut client = server.validation();
    assert_eq!(client.get("/livez", &[]).status, 200);
    let by_hyper = answers(&mut client, request);
    assert_eq!(by_fast_path, by_hyper, "{}", request.escape_ascii());
}

const METHODS: &[&str] = &["GET", "HEAD", "POST", "PUT", "OPTIONS", "DELETE", "PATCH", "TRACE", "BREW"];
const TARGETS: &[&str] = &[
    "/auth",
    "/auth/",
    "/auth/x/../y",
    "/auth?a=b",
    "/auth-optional",
    "/auth-optional/x%20y?z",
    "/check/web",
    "/check/open/x?y",
    "/check/none",
    "/check",
    "/authx",
    "/auth?/auth-optional#",
    "/auth\"",
    "/auth/\u{fc}",
    "//auth",
    "/session",
    "/livez",
    "/nowhere",
    "http://a/auth",
    "*",
    "/auth\u{7f}",
];
const VERSIONS: &[&str] = &["HTTP/1.1", "HTTP/1.1", "HTTP/1.1", "HTTP/1.0", "HTTP/1.2"];

/// Settings that make an answer depend on more than the token.
const SETTINGS: [(&str, &str); 4] = [
    ("DOORWARD_RENEWAL_EXEMPT_HEADER", "X-Exempt"),
    ("DOORWARD_CHECKS", "web:slug=web,open:slug=web+anonymous=true"),
    ("DOORWARD_COOKIE_CSRF_CHECK", "true"),
    ("DOORWARD_TRUSTED_PROXIES", "127.0.0.1"),
];

/// As above, with places of credentials besides the default ones.
const PLACES: [(&str, &str); 8] = [
    SETTINGS[0],
    SETTINGS[1],
    SETTINGS[2],
    SETTINGS[3],
    ("DOORWARD_HEADER_NAME", "X-Token"),
    ("DOORWARD_HEADER_SCHEMES", "Bearer,Token,none"),
    ("DOORWARD_FURTHER_COOKIES", "sid:decoding=percent,b64:decoding=base64"),
    (
        "DOORWARD_FOREIGN",
        "knox:scheme=knox+header-scheme=Token+cookie=old,drf:scheme=drf+header-scheme=none+cookie=sid2",
    ),
];

/// Lines that take a request off the fast path, and credentials that are no token.
const PLAIN_LINES: [&str; 29] = [
    "Host: a",
    "host: b",
    "Content-Length: 0",
    "Content-Length: 5",
    "Content-Length: 00",
    "Content-Length: x",
    "Transfer-Encoding: chunked",
    "Expect: 100-continue",
    "Connection: close",
    "Connection: keep-alive",
    "Connection: Keep-Alive, x",
    "Upgrade: websocket",
    "Authorization: Basic YTpi",
    "Authorization:",
    "Authorization: Bearer",
    "Authorization: bearer  ",
    "Cookie: doorward=",
    "Cookie: a=b; doorward=x; c",
    "Cookie: \u{fc}=\u{fc}",
    "X-Exempt: 1",
    "Origin: https://evil.example",
    "origin: http://A",
    "Sec-Fetch-Site: cross-site",
    "X-Forwarded-Method: POST",
    "X-Original-Method: GET",
    "X-Forwarded-Host: evil.example",
    "X A: b",
    "no colon",
    " folded",
];

/// Header lines: credentials, and lines that take a request off the fast path.
fn lines(server: &Server) -> Vec<String> {
    let (alice, bob) =
        (server.issue(json!({"user": "ålice 100%"})), server.issue(json!({"auth_slug": "web"})));
    let (revoked, cookie_only) = (server.issue(json!({})), server.issue(json!({"allowed_header": false})));
    server.revoke(&revoked["id"]);
    let forged = format!("dw_{}", "A".repeat(48));
    let mut lines: Vec<String> = PLAIN_LINES.map(str::to_owned).into();
    for token in [&alice["token"], &bob["token"], &revoked["token"], &cookie_only["token"], &json!(forged)] {
        lines.push(format!("Authorization: {}", bearer(token)));
        lines.push(format!("AUTHORIZATION:bEaReR   {}  ", text(token)));
        lines.push(format!("Cookie: {}", cookie(token)));
        lines.push(format!("cookie: a=b;doorward=\"{}\" ; c=d", text(token)));
    }
    let imported = json!({"tokens": [{"scheme": "drf", "token": "cd".repeat(20), "user": "carol"}]});
    assert_eq!(server.call("POST", "/v1/import", Some(&imported)).status, 200);
    let [malformed, unknown, imported] =
        ["x".repeat(64), "ab".repeat(20), "cd".repeat(20)].map(Value::String);
    for token in [&alice["token"], &bob["token"], &malformed, &unknown, &imported] {
        let token = text(token);
        lines.push(format!("x-TOKEN: {token}"));
        lines.push(format!("X-Token:  token  {token}"));
        lines.push(format!("Cookie: a=b; sid={}; c", percent(token)));
        lines.push(format!("Cookie: b64={}", base64(token)));
        lines.push(format!("Cookie: old={}; sid2=\"{token}\"", percent(token)));
    }
    lines.extend(
        ["X-Token: Basic YTpi", "X-Token:", "Cookie: sid=%zz", "Cookie: b64=!; old="].map(str::to_owned),
    );
    lines
}

fn request(method: &str, target: &str, version: &str, lines: &[&str]) -> Vec<u8> {
    let lines: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
    format!("{method} {target} {version}\r\n{lines}\r\n").into_bytes()
}

#[test]
fn every_single_header_gets_the_same_answer() {
    let redis = RedisServer::start();
    let uncached = [&SETTINGS[..], &[("DOORWARD_CACHE_ENTRIES", "0")]].concat();
    let (memory, redis) = (Server::start(&SETTINGS), Server::on(&redis, &uncached));
    let elsewhere = Server::start(&PLACES);
    thread::scope(|scope| {
        for server in [&memory, &redis, &elsewhere] {
            scope.spawn(|| {
                let lines = lines(server);
                for line in &lines {
                    for target in ["/auth", "/auth-optional/x", "/check/web", "/check/open"] {
                        assert_alike(server, &request("GET", target, "HTTP/1.1", &["Host: a", line]));
                        let foreign = ["Host: a", line, "Origin: https://evil.example"];
                        assert_alike(server, &request("POST", target, "HTTP/1.1", &foreign));
                    }
                    assert_alike(server, &request("HEAD", "/auth", "HTTP/1.1", &[line, "Host: a"]));
                    assert_alike(server, &request("GET", "/auth", "HTTP/1.0", &[line]));
                }
                for target in TARGETS {
                    for method in METHODS {
                        assert_alike(server, &request(method, target, "HTTP/1.1", &["Host: a"]));
                    }
                }
                let long = format!("X-Long: {}", "a".repeat(9_000));
                assert_alike(server, &request("GET", "/auth", "HTTP/1.1", &["Host: a", &long]));
                let many = ["Host: a"].into_iter().chain(["X-A: b"; 90]).collect::<Vec<_>>();
                assert_alike(server, &request("GET", "/auth", "HTTP/1.1", &many));
                assert_alike(server, b"\r\nGET /auth HTTP/1.1\nHost: a\n\n");
            });
        }
    });
}

#[test]
fn every_combination_of_headers_gets_the_same_answer() {
    combine(&Server::start(&SETTINGS));
}

#[test]
fn every_combination_of_places_gets_the_same_answer() {
    combine(&Server::start(&PLACES));
}

fn combine(server: &Server) {
    let lines = lines(server);
    let picked = proptest::collection::vec(proptest::sample::select(lines), 0..5);
    let parts = (
        proptest::sample::select(METHODS),
        proptest::sample::select(TARGETS),
        proptest::sample::select(VERSIONS),
        picked,
        0..4_u8,
    );
    let config = Config { cases: 600, failure_persistence: None, ..Config::default() };
    TestRunner::new(config)
        .run(&parts, |(method, target, version, lines, hosts)| {
            let host = (hosts > 0).then_some("Host: a");
            let lines: Vec<_> = host.into_iter().chain(lines.iter().map(String::as_str)).collect();
            assert_alike(server, &request(method, target, version, &lines));
            Ok(())
        })
        .unwrap();
}

/// Pipelined requests: cached ones, ones that wait for the store, and one for hyper between them.
#[test]
fn pipelined_requests_are_answered_in_order() {
    let redis = RedisServer::start();
    let server = Server::on(&redis, &[("DOORWARD_CACHE_ENTRIES", "0")]);
    let tokens: Vec<_> = (0..20).map(|n| server.issue(json!({"user": format!("user-{n}")}))).collect();
    for hyper_from in [0, 7, 20] {
        let mut client = server.validation();
        let mut all = String::new();
        for (n, token) in tokens.iter().enumerate() {
            if n == hyper_from {
                all += "GET /livez HTTP/1.1\r\nHost: a\r\n\r\n";
            }
            all += "GET /auth HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer x\r\n\r\n";
            let authorization = bearer(&token["token"]);
            all += &format!("GET /auth HTTP/1.1\r\nHost: a\r\nAuthorization: {authorization}\r\n\r\n");
        }
        // In chunks that end anywhere.
        for piece in all.as_bytes().chunks(997) {
            client.write(piece).unwrap();
        }
        for n in 0..tokens.len() {
            if n == hyper_from {
                assert!(client.read_response(false).unwrap().header("x-auth-user").is_none());
            }
            assert_eq!(client.read_response(false).unwrap().status, 401);
            assert_eq!(identity(&client.read_response(false).unwrap())[0], format!("user-{n}"));
        }
        assert_eq!(client.connections(), 1);
    }
}

/// A client that has closed its sending side is still answered.
#[test]
fn a_half_closed_connection_gets_its_answers() {
    use std::io::{Read as _, Write as _};
    let server = Server::start(&[]);
    let mut stream = std::net::TcpStream::connect(server.listen()).unwrap();
    let plain = "GET /auth HTTP/1.1\r\nHost: a\r\n\r\n";
    stream.write_all(format!("{plain}{plain}{}", &plain[..9]).as_bytes()).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut answers = String::new();
    stream.read_to_string(&mut answers).unwrap();
    assert_eq!(answers.matches("HTTP/1.1 401 ").count(), 2, "{answers}");
}

/// During a shutdown, a pending answer announces the close, and idle connections are closed at once.
#[test]
fn a_drained_connection_closes_after_its_answer() {
    let mut server = Server::start(&[("DOORWARD_DRAIN_TIMEOUT", "20s")]);
    let started = RefCell::new(server.validation());
    started.borrow_mut().write("GET /auth HTTP/1.1\r\nHost: a\r\n").unwrap();
    let (mut idle, mut fresh) = (server.validation(), server.validation());
    assert_eq!(idle.get("/auth", &[]).status, 401);
    fresh.write("").unwrap();
    // All connections are served by now: each thread accepts its connections in order.
    for _ in 0..8 {
        assert_eq!(server.validation().get("/auth", &[]).status, 401);
    }
    server.process().signal(rustix::process::Signal::TERM);
    for client in [&mut idle, &mut fresh] {
        assert!(client.read_response(false).is_err(), "hung up on");
    }
    let mut started = started.into_inner();
    started.write("\r\n").unwrap();
    let answer = started.read_response(false).unwrap();
    assert_eq!((answer.status, answer.header("connection")), (401, Some("close")));
    assert!(server.process().wait().success());
}
