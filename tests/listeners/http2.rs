//! The validation plane over cleartext HTTP/2 with prior knowledge.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use bytes::Bytes;
use rustix::process::Signal;
use serde_json::json;

use crate::common::http2::Http2;
use crate::common::process::{DEADLINE_MS, wait_for};
use crate::common::redis::RedisServer;
use crate::common::server::{
    Server, assert_invalid_token, assert_no_token, assert_unavailable, bearer, cookie, identity, text,
};

#[test]
fn http_2_gets_the_same_answers_as_http_1() {
    let directory = tempfile::tempdir().unwrap();
    let unix = format!("unix:{}", directory.path().join("doorward.sock").display());
    for listen in ["127.0.0.1:0", &unix] {
        let server = Server::start(&[("DOORWARD_LISTEN", listen), ("DOORWARD_CHECKS", "web:slug=web")]);
        let issued = server.issue(json!({"backend": "ldap"}));
        let authorization = bearer(&issued["token"]);
        let by_header = [("authorization", &*authorization)];
        let mut client = Http2::connect(server.listen());
        for method in ["GET", "HEAD", "POST", "DELETE", "PROPFIND"] {
            let response = client.request(method, "/auth/a?b=c", &by_header);
            let [user, actor, id, .., backend, _, _] = identity(&response);
            assert_eq!(
                [user, actor, id, backend],
                ["alice", "alice", text(&issued["id"]), "ldap"],
                "{method}"
            );
        }
        assert_no_token(&client.request("GET", "/auth", &[]));
        let both = [by_header[0], ("host", "localhost")];
        identity(&client.request("GET", "/auth", &both));
        for hosts in [&[("host", "evil.example")][..], &[("host", "localhost"), ("host", "localhost")]] {
            let headers = [&by_header, hosts].concat();
            assert_eq!(client.request("GET", "/auth", &headers).status, 400, "{hosts:?}");
        }
        assert_invalid_token(&client.request("GET", "/auth", &[("authorization", "Bearer x")]));
        assert_eq!(identity(&client.request("GET", "/auth-optional", &[]))[0], "-");
        assert_eq!(client.request("GET", "/check/web", &by_header).status, 403);
        assert_eq!(client.request("GET", "/check/none", &by_header).status, 404);
        assert_eq!(client.request("POST", "/livez", &[]).status, 405);
        assert_eq!(client.request("GET", "/readyz", &[]).status, 200);
        assert_eq!(client.request("GET", "/session", &by_header).json()["id"], issued["id"]);

        // Clients may split the cookie into several fields (RFC 9113, section 8.2.3).
        let cookie = cookie(&issued["token"]);
        client.set_authority("shop.example");
        let crumbs = [("cookie", "a=b"), ("cookie", &*cookie), ("origin", "https://evil.example")];
        assert_eq!(client.request("POST", "/logout", &crumbs).status, 403);
        let crumbs = [("cookie", "a=b"), ("cookie", &*cookie), ("origin", "https://shop.example")];
        assert_eq!(client.request("POST", "/logout", &crumbs).json(), json!({"ended": "token"}));
        assert_invalid_token(&client.request("GET", "/auth", &by_header));
    }
}

#[test]
fn requests_of_one_http_2_connection_run_concurrently() {
    let redis = RedisServer::start();
    let server = Server::on(&redis, &[("DOORWARD_CACHE_ENTRIES", "0")]);
    let tokens: Vec<_> = (0..100).map(|n| server.issue(json!({"user": format!("user-{n}")}))).collect();
    let mut client = Http2::connect(server.listen());
    client.request("GET", "/livez", &[]);
    // Redis is frozen: no request can be answered before all were sent.
    redis.freeze();
    let pending: Vec<_> = tokens
        .iter()
        .map(|token| {
            client.send("GET", "/auth", &[("authorization", &bearer(&token["token"]))], None).unwrap()
        })
        .collect();
    assert_no_token(&client.request("GET", "/auth", &[]));
    redis.thaw();
    for (n, pending) in pending.into_iter().enumerate() {
        assert_eq!(identity(&client.receive(pending).unwrap().0)[0], format!("user-{n}"));
    }
}

#[test]
fn request_bodies_are_not_read_over_http_2() {
    let server = Server::start(&[]);
    let authorization = bearer(&server.issue(json!({}))["token"]);
    let mut client = Http2::connect(server.listen());
    for size in [0, 1, 60_000, 1_000_000] {
        let body = Bytes::from(vec![b'x'; size]);
        let headers = [("authorization", &*authorization)];
        let pending = client.send("POST", "/auth", &headers, Some(body)).unwrap();
        identity(&client.receive(pending).unwrap().0);
    }
    identity(&client.request("GET", "/auth", &[("authorization", &authorization)]));
}

#[test]
fn an_oversized_http_2_head_is_rejected() {
    let server = Server::start(&[]);
    let mut client = Http2::connect(server.listen());
    let long = "a".repeat(15_000);
    let pending =
        client.send("GET", "/auth", &[("x-a", &*long), ("x-b", &*long), ("x-c", &*long)], None).unwrap();
    // A client that respects the server's settings may refuse to send it.
    match client.receive(pending) {
        Ok((response, _)) => assert_eq!(response.status, 431),
        Err(error) => assert!(error.is_reset() || error.is_library(), "{error}"),
    }
    assert_no_token(&client.request("GET", "/auth", &[("x-a", &long), ("x-b", &long)]));
}

#[test]
fn an_unreachable_store_is_a_503_over_http_2() {
    let mut redis = RedisServer::start();
    let server = Server::on(&redis, &[("DOORWARD_CACHE_ENTRIES", "0")]);
    let authorization = bearer(&server.issue(json!({}))["token"]);
    let mut client = Http2::connect(server.listen());
    identity(&client.request("GET", "/auth", &[("authorization", &authorization)]));
    redis.kill();
    assert_unavailable(&client.request("GET", "/auth", &[("authorization", &authorization)]));
}

#[test]
fn a_shutdown_finishes_pending_http_2_requests() {
    let redis = RedisServer::start();
    let settings = [("DOORWARD_CACHE_ENTRIES", "0"), ("DOORWARD_DRAIN_TIMEOUT", "20s")];
    let mut server = Server::on(&redis, &settings);
    let authorization = bearer(&server.issue(json!({}))["token"]);
    let (mut idle, mut busy) = (Http2::connect(server.listen()), Http2::connect(server.listen()));
    assert_no_token(&idle.request("GET", "/auth", &[]));
    redis.freeze();
    let pending = busy.send("GET", "/auth", &[("authorization", &authorization)], None).unwrap();
    // The request has arrived, because a later one is answered.
    assert_no_token(&busy.request("GET", "/auth", &[]));
    server.process().signal(Signal::TERM);
    idle.ended().expect("a GOAWAY without an error");
    redis.thaw();
    identity(&busy.receive(pending).unwrap().0);
    busy.ended().expect("a GOAWAY without an error");
    assert!(server.process().wait().success());
}

#[test]
fn a_silent_http_2_connection_is_closed() {
    // Long enough to send the request in time on a busy machine.
    let server = Server::start(&[("DOORWARD_IDLE_TIMEOUT", "2s")]);
    let mut client = Http2::connect(server.listen());
    assert_no_token(&client.request("GET", "/auth", &[]));
    // The server does not wait for further writes of this client, so a write may fail.
    drop(client.ended());
    // The client gets a GOAWAY without an error.
    let mut stream = raw(&server);
    stream.write_all(&[PREFACE, &frame(SETTINGS, 0, 0, &[])].concat()).unwrap();
    let told = frames(&mut stream).into_iter().rfind(|(kind, _)| *kind == GOAWAY).expect("a GOAWAY");
    assert_eq!(told.1[4..8], [0; 4], "NO_ERROR (RFC 9113, section 7)");
    // A connection that never gets beyond the preface is closed, too.
    let mut stream = raw(&server);
    stream.write_all(&PREFACE[..20]).unwrap();
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).unwrap();
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;

fn raw(server: &Server) -> TcpStream {
    let stream = TcpStream::connect(server.listen()).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(DEADLINE_MS))).unwrap();
    stream
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// Reads frames until the connection ends; returns kind and payload of each.
fn frames(stream: &mut TcpStream) -> Vec<(u8, Vec<u8>)> {
    let (mut bytes, mut frames) = (Vec::new(), Vec::new());
    // A reset counts as the end, too.
    let _ = stream.read_to_end(&mut bytes);
    let mut rest = &bytes[..];
    while let Some((head, after)) = rest.split_at_checked(9) {
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let (payload, after) = after.split_at(length);
        frames.push((head[3], payload.to_vec()));
        rest = after;
    }
    frames
}

/// `GET /auth`: the method from HPACK's static table, the path as a literal (RFC 7541).
fn get_auth(stream: u32) -> Vec<u8> {
    const END_STREAM_AND_HEADERS: u8 = 5;
    frame(1, END_STREAM_AND_HEADERS, stream, b"\x82\x86\x04\x05/auth\x01\x01a")
}

/// The server drops answers for which the client opens no window, even if it sends further requests.
#[test]
fn undeliverable_answers_close_the_connection() {
    const INITIAL_WINDOW_SIZE: u16 = 4;
    let server = Server::start(&[("DOORWARD_IDLE_TIMEOUT", "2s")]);
    let authorization = bearer(&server.issue(json!({}))["token"]);
    let mut stream = raw(&server);
    let no_window = [&INITIAL_WINDOW_SIZE.to_be_bytes()[..], &0_u32.to_be_bytes()].concat();
    let mut bytes = [PREFACE, &frame(SETTINGS, 0, 0, &no_window)].concat();
    let length = u8::try_from(authorization.len()).unwrap();
    let session =
        [b"\x82\x86\x04\x08/session\x01\x01a\x0f\x08".as_slice(), &[length], authorization.as_bytes()]
            .concat();
    for n in 0..100 {
        bytes.extend(frame(1, 5, 2 * n + 1, &session));
    }
    stream.write_all(&bytes).unwrap();
    let mut reader = stream.try_clone().unwrap();
    let revoked = std::thread::spawn(move || frames(&mut reader));
    let mut next = 201;
    wait_for("the end", || {
        // Answers without a body need no window and are still sent.
        let _ = stream.write_all(&get_auth(next));
        next += 2;
        std::thread::sleep(Duration::from_millis(20));
        revoked.is_finished().then_some(())
    });
    let frames = revoked.join().unwrap();
    let sessions = frames.iter().filter(|(kind, payload)| *kind == 0 && !payload.is_empty()).count();
    assert_eq!(sessions, 0, "no window");
    assert_no_token(&Http2::connect(server.listen()).request("GET", "/auth", &[]));
}

#[test]
fn rapid_resets_close_the_connection() {
    let server = Server::start(&[]);
    let mut stream = raw(&server);
    let mut bytes = [PREFACE, &frame(SETTINGS, 0, 0, &[])].concat();
    for n in 0..200 {
        const RST_STREAM: u8 = 3;
        bytes.extend(get_auth(2 * n + 1));
        bytes.extend(frame(RST_STREAM, 0, 2 * n + 1, &8_u32.to_be_bytes()));
    }
    stream.write_all(&bytes).unwrap();
    let frames = frames(&mut stream);
    let goaway = frames.iter().find(|(kind, _)| *kind == GOAWAY).expect("a GOAWAY");
    assert_eq!(goaway.1[4..8], 11_u32.to_be_bytes(), "ENHANCE_YOUR_CALM");
    assert_no_token(&Http2::connect(server.listen()).request("GET", "/auth", &[]));
}

#[test]
fn settings_announce_the_limits_and_a_broken_preface_is_rejected() {
    let server = Server::start(&[]);
    let mut stream = raw(&server);
    stream.write_all(&[PREFACE, &frame(SETTINGS, 0, 0, &[]), &frame(9, 0, 0, &[])].concat()).unwrap();
    let frames = frames(&mut stream);
    let (kind, settings) = &frames[0];
    assert_eq!(*kind, SETTINGS);
    let value = |wanted: u16| {
        let pair = settings.chunks(6).find(|pair| pair[..2] == wanted.to_be_bytes()).expect("told");
        u32::from_be_bytes(pair[2..].try_into().unwrap())
    };
    const MAX_CONCURRENT_STREAMS: u16 = 3;
    const MAX_HEADER_LIST_SIZE: u16 = 6;
    assert_eq!((value(MAX_CONCURRENT_STREAMS), value(MAX_HEADER_LIST_SIZE)), (256, 32 * 1024));

    // HTTP/2 can only start a connection, and needs the whole preface.
    let mut client = server.validation();
    assert_no_token(&client.get("/auth", &[]));
    assert!(client.try_send(PREFACE).is_err(), "hung up on");
    let mut stream = raw(&server);
    stream.write_all(b"PRI * HTTP/2.1\r\nHost: a\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP/1.1 2"), "{}", answer.escape_ascii());
    // The admin plane does not speak HTTP/2.
    assert!(server.admin().try_send(PREFACE).is_err(), "hung up on");
}

/// A shutdown does not wait for clients that never acknowledge the GOAWAY.
#[test]
fn a_shutdown_closes_idle_http_2_connections_that_do_not_acknowledge() {
    let mut server = Server::start(&[("DOORWARD_DRAIN_TIMEOUT", "1h")]);
    let mut client = TcpStream::connect(server.listen()).unwrap();
    client.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").unwrap();
    // The server's SETTINGS arrive, so the connection is HTTP/2.
    client.read_exact(&mut [0; 9]).unwrap();
    assert_eq!(server.terminate().code(), Some(0));
    assert!(!server.log().contains("connections cut off"), "{}", server.log());
}
