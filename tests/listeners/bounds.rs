//! The memory, connections and descriptors that clients can make the server use.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use serde_json::json;

use crate::common::http::Client;
use crate::common::http2::Http2;
use crate::common::process::{DEADLINE_MS, wait_for};
use crate::common::redis::RedisServer;
use crate::common::relay::Relay;
use crate::common::server::{ADMIN_KEY, Server, bearer, identity, key, run, run_in_shell, text, wait_ready};
use crate::common::stop_on_drop::StopOnDrop;

const GET_AUTH: &str = "GET /auth HTTP/1.1\r\nHost: a\r\n\r\n";

fn connect(addr: &str) -> TcpStream {
    let stream = TcpStream::connect(addr).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(DEADLINE_MS))).unwrap();
    stream
}

/// Sends many requests before reading any answer, then reads all answers. Returns the open connection.
fn pipeline(addr: &str, requests: usize) -> TcpStream {
    let mut reader = connect(addr);
    let mut writer = reader.try_clone().unwrap();
    let sender = thread::spawn(move || {
        let chunk = GET_AUTH.repeat(1_000);
        for _ in 0..requests / 1_000 {
            writer.write_all(chunk.as_bytes()).unwrap();
        }
    });
    // Gives the requests time to fill the server's buffers before the first answer is read.
    thread::sleep(Duration::from_millis(200));
    let (mut answers, mut chunk, mut tail) = (0, [0; 64 * 1024], Vec::new());
    while answers < requests {
        let count = reader.read(&mut chunk).unwrap();
        assert!(count > 0, "hung up on after {answers} answers");
        tail.extend_from_slice(&chunk[..count]);
        const STATUS: &[u8] = b"HTTP/1.1 401 ";
        answers += tail.windows(STATUS.len()).filter(|window| *window == STATUS).count();
        // Keeps a possible start of a status line.
        tail.drain(..tail.len() - (STATUS.len() - 1).min(tail.len()));
    }
    sender.join().unwrap();
    reader
}

#[test]
fn a_pipelining_connection_uses_bounded_memory() {
    const CONNECTIONS: u64 = 3;
    let mut server = Server::start(&[("DOORWARD_VALIDATION_THREADS", "1")]);
    drop(pipeline(server.listen(), 10_000));
    let before = server.process().memory_kib("VmHWM:");
    let open: Vec<_> = (0..CONNECTIONS).map(|_| pipeline(server.listen(), 100_000)).collect();
    let grown = server.process().memory_kib("VmHWM:") - before;
    // 64 KiB per busy connection, plus the allocator's chunk size.
    assert!(grown < CONNECTIONS * 64 + 4 * 1024, "{grown} KiB more at the peak");
    drop(open);
}

/// The form may contain the key, so a bounded part is read before the client is authenticated.
#[test]
fn unauthenticated_forms_use_bounded_memory() {
    const CLIENTS: u64 = 300;
    let mut server = Server::start(&[]);
    let half_sent = |head: &str| {
        let mut client = server.admin();
        client.write(format!("{head}\r\n\r\n{}", "a".repeat(60_000))).unwrap();
        client
    };
    let form = "POST /introspect HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\n";
    // These requests are refused before their body arrives.
    for (line, status) in [
        ("Content-Length: 64000", 413),
        ("Content-Length: 64000\r\nAuthorization: Bearer wrong", 401),
        ("Content-Length: 64000\r\nAuthorization: Basic YTpi", 401),
    ] {
        let answer = half_sent(&format!("{form}{line}")).read_response(false).unwrap();
        assert_eq!(answer.status, status, "{line}");
    }
    let before = server.process().memory_kib("VmRSS:");
    let small = "a".repeat(3_000);
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let mut client = server.admin();
            client.write(format!("{form}Content-Length: 4000\r\n\r\n{small}")).unwrap();
            client
        })
        .collect();
    // All forms have been read, because a later request is answered.
    assert_eq!(server.admin().get("/livez", &[]).status, 200);
    let grown = server.process().memory_kib("VmRSS:").saturating_sub(before);
    assert!(grown < CLIENTS * 64, "{grown} KiB for {CLIENTS} half-sent forms");
    drop(clients);
    // An authenticated client may send a full-size form, and a secret in a form still works.
    let (name, value) = key();
    let long = format!("token=x&a={}", "a".repeat(60_000));
    let whole = |header: &str, body: &str| {
        let length = body.len();
        server.admin().send(format!("{form}{header}Content-Length: {length}\r\n\r\n{body}")).status
    };
    assert_eq!(whole(&format!("{name}: {value}\r\n"), &long), 200);
    assert_eq!(whole("", &format!("token=x&client_id=a&client_secret={ADMIN_KEY}")), 200);
}

/// Sends half a request, which occupies a connection until its timeout.
fn silent(addr: &str) -> Client {
    let mut client = Client::new(addr);
    client.write("GET /auth HTTP/1.1\r\nHost: a\r\n").unwrap();
    client
}

#[test]
fn a_full_listener_closes_idle_connections_for_new_requests() {
    const MAX: usize = 20;
    let server = Server::start(&[("DOORWARD_MAX_CONNECTIONS", "20")]);
    let authorization = bearer(&server.issue(json!({}))["token"]);
    let (mut kept, mut kept_admin) = (server.validation(), server.admin());
    assert_eq!(kept.get("/livez", &[]).status, 200);
    assert_eq!(kept_admin.get("/livez", &[]).status, 200);
    let mut flood = Vec::new();
    for _ in 0..3 {
        flood.extend((0..MAX).map(|_| silent(server.listen())));
        flood.extend((0..MAX).map(|_| silent(server.admin_listen())));
        identity(&server.validation().get("/auth", &[("Authorization", &authorization)]));
        for mut client in [server.validation(), server.admin()] {
            assert_eq!(client.get("/livez", &[]).status, 200);
            assert_eq!(client.get("/readyz", &[]).status, 200);
        }
        server.issue(json!({}));
        let mut healthcheck = run(&["healthcheck"], &[("DOORWARD_LISTEN", server.listen())]);
        assert_eq!(healthcheck.wait().code(), Some(0), "{}", healthcheck.log());
    }
    // Connections that completed a request are closed last.
    for client in [&mut kept, &mut kept_admin] {
        assert_eq!(client.get("/livez", &[]).status, 200);
        assert_eq!(client.connections(), 1);
    }
    assert!(flood[0].read_response(false).is_err(), "the oldest connection was closed");
}

/// Requests that their clients never finish do not lock other clients out.
#[test]
fn a_full_listener_closes_stuck_requests_for_new_ones() {
    const STUCK: usize = 40;
    let server = Server::start(&[("DOORWARD_MAX_CONNECTIONS", "20"), ("DOORWARD_REQUEST_TIMEOUT", "60s")]);
    let half_form = |addr: &str| {
        let mut client = Client::new(addr);
        let head = "POST /introspect HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n";
        client.write(format!("{head}Content-Type: application/x-www-form-urlencoded\r\n\r\ntoken=")).unwrap();
        client
    };
    let _forms: Vec<_> = (0..STUCK).map(|_| half_form(server.admin_listen())).collect();
    // :method GET, :scheme http, :path /session, :authority a, authorization.
    let authorization = bearer(&server.issue(json!({}))["token"]);
    let head =
        [b"\x82\x86\x04\x08/session\x01\x01a\x0f\x08", [authorization.len() as u8].as_slice()].concat();
    let head = [&head, authorization.as_bytes()].concat();
    // SETTINGS_INITIAL_WINDOW_SIZE is 0, so the server cannot send the bodies of its answers.
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\x06\x04\0\0\0\0\0\0\x04\0\0\0\0";
    let request = [preface, [0, 0, head.len() as u8, 1, 5, 0, 0, 0, 1].as_slice(), &head].concat();
    let unread = |addr: &str| {
        let mut client = connect(addr);
        client.write_all(&request).unwrap();
        client
    };
    let _unread: Vec<_> = (0..STUCK).map(|_| unread(server.listen())).collect();
    for mut client in [server.validation(), server.admin()] {
        assert_eq!(client.get("/livez", &[]).status, 200);
        assert_eq!(client.get("/readyz", &[]).status, 200);
    }
}

#[test]
fn a_low_descriptor_limit_leaves_room_for_redis_and_the_admin_plane() {
    let redis = RedisServer::start();
    let url = redis.url();
    let settings = [
        ("DOORWARD_LISTEN", "127.0.0.1:0"),
        ("DOORWARD_ADMIN_LISTEN", "127.0.0.1:0"),
        ("DOORWARD_ADMIN_KEY", ADMIN_KEY),
        ("DOORWARD_REDIS_URL", &url),
        ("DOORWARD_VALIDATION_THREADS", "2"),
    ];
    let mut process = run_in_shell("ulimit -n 256; exec \"$0\"", &settings);
    let (listen, admin_listen) = wait_ready(&mut process);
    process.wait_until("warned", |process| {
        let log = process.stderr();
        log.lines().any(|line| line.contains("open files limit") && line.contains("limit=256"))
    });
    let _idle: Vec<_> = (0..600).map(|n| connect([&listen, &admin_listen][n % 2])).collect();
    let issue = || {
        let body = json!({"user": "alice", "ip": "203.0.113.7"});
        let response = Client::new(&admin_listen).request("POST", "/v1/tokens", &[key()], Some(&body));
        (response.status == 201).then(|| response.json())
    };
    let issued = issue().expect("a login");
    let authorization = bearer(&issued["token"]);
    // Redis closes its clients' connections; the node reconnects in spite of the idle connections.
    redis.cli(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
    wait_for("a login after the cut", issue);
    wait_for("a check after the cut", || {
        let answer = Client::new(&listen).get("/auth", &[("Authorization", &authorization)]);
        (answer.status == 200).then_some(())
    });
    let path = format!("/v1/tokens/{}", text(&issued["id"]));
    assert_eq!(Client::new(&admin_listen).request("DELETE", &path, &[key()], None).status, 204);
    assert!(!process.stderr().contains("not accepted"), "{}", process.log());
}

#[test]
fn the_open_files_limit_is_raised_to_the_hard_limit() {
    let settings = [("DOORWARD_LISTEN", "127.0.0.1:0"), ("DOORWARD_ADMIN_LISTEN", "127.0.0.1:0")];
    let mut process = run_in_shell("ulimit -S -n 100; ulimit -H -n 900; exec \"$0\"", &settings);
    wait_ready(&mut process);
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", process.pid())).unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    assert_eq!(line.split_whitespace().filter(|word| *word == "900").count(), 2, "{line}");
}

/// Concurrent listings leave Redis connections for logins and revocations.
#[test]
fn listings_use_at_most_half_of_the_redis_connections() {
    const CONNECTIONS: usize = 16;
    let redis = RedisServer::start();
    let server = Server::on(&redis, &[("DOORWARD_REDIS_CONNECTIONS", "16")]);
    let mut client = server.admin();
    for n in 0..300 {
        let token = json!({"user": format!("user-{n}"), "ip": "203.0.113.7"});
        let issued = client.request("POST", "/v1/tokens", &[key()], Some(&token)).json();
        let path = format!("/v1/tokens/{}/takeover", text(&issued["id"]));
        assert_eq!(client.request("POST", &path, &[key()], Some(&json!({"user": "root"}))).status, 201);
    }
    let connected = || redis.cli(&["CLIENT", "LIST"]).lines().filter(|line| line.contains("addr=")).count();
    let before = connected();
    thread::scope(|scope| {
        for _ in 0..20 {
            scope.spawn(|| {
                let mut client = server.admin();
                for path in ["takeovers", "tokens", "devices", "events"].repeat(5) {
                    let limit = if path == "takeovers" { "?limit=1000" } else { "" };
                    let path = format!("/v1/users/root/{path}{limit}");
                    assert_eq!(client.get(&path, &[key()]).status, 200);
                }
            });
        }
    });
    // Half of the pool, plus one connection each for readiness and last accesses.
    let grown = connected() - before;
    assert!(grown <= CONNECTIONS / 2 + 2, "{grown} more connections");
}

/// A revocation gets a connection, and the node stays ready, however busy the pool and slow Redis are.
#[test]
fn revocations_always_get_a_redis_connection() {
    const READERS: usize = 100;
    let redis = RedisServer::start();
    let relay = Relay::slow(&format!("127.0.0.1:{}", redis.port()), Duration::from_millis(50));
    let url = format!("redis://{}", relay.addr());
    let server = Server::start(&[
        ("DOORWARD_REDIS_URL", &url),
        ("DOORWARD_REDIS_CONNECTIONS", "1"),
        ("DOORWARD_REDIS_TIMEOUT", "5s"),
    ]);
    let tokens: Vec<_> = (0..4)
        .map(|_| {
            server.issue(json!({"related_objects": [
                {"content_type": "order", "object_id": "7"},
            ]}))
        })
        .collect();
    // Scripts share a connection; a listing has one of its own.
    let read = "/v1/users/alice/tokens";
    let (refused, is_done) = (AtomicUsize::new(0), AtomicBool::new(false));
    thread::scope(|scope| {
        let _over = StopOnDrop(&is_done);
        for _ in 0..READERS {
            scope.spawn(|| {
                let mut client = server.admin();
                while !is_done.load(Ordering::SeqCst) {
                    if client.get(read, &[key()]).status == 503 {
                        refused.fetch_add(1, Ordering::SeqCst);
                    }
                }
            });
        }
        wait_for("readers that wait in vain", || (refused.load(Ordering::SeqCst) > 0).then_some(()));
        let mut client = server.admin();
        let mut revoke = |method, path: &str, body| client.request(method, path, &[key()], body).status;
        let path = |n: usize| format!("/v1/tokens/{}", text(&tokens[n]["id"]));
        let statuses = [
            revoke("DELETE", &path(1), None),
            revoke("PATCH", &path(2), Some(&json!({"is_active": false}))),
            revoke("DELETE", "/v1/related/order/7/tokens", None),
            revoke("DELETE", "/v1/users/alice/tokens", None),
        ];
        let is_ready = client.get("/readyz", &[]).status;
        assert_eq!((statuses, is_ready), ([204, 200, 200, 200], 200));
    });
}

/// An unauthenticated gRPC client makes the server use bounded memory.
#[test]
fn half_sent_grpc_messages_are_bounded_for_each_connection() {
    const CONNECTIONS: usize = 3;
    const STREAMS: usize = 90;
    const CALL: (&str, &[(&str, &str)]) =
        ("/envoy.service.auth.v3.Authorization/Check", &[("content-type", "application/grpc")]);
    let mut server = Server::start(&[
        ("DOORWARD_GRPC_LISTEN", "127.0.0.1:0"),
        ("DOORWARD_REQUEST_TIMEOUT", "20s"),
        ("DOORWARD_VALIDATION_THREADS", "1"),
    ]);
    let before = server.process().memory_kib("VmHWM:");
    let part = Bytes::from(vec![0; 200 * 1024]);
    let mut clients: Vec<_> = (0..CONNECTIONS).map(|_| Http2::connect(server.grpc_listen())).collect();
    let calls: Vec<Vec<_>> = clients
        .iter_mut()
        .map(|client| (0..STREAMS).map(|_| client.half_send(CALL.0, CALL.1, part.clone()).unwrap()).collect())
        .collect();
    let (mut denied, mut timed_out) = (0, 0);
    for (client, calls) in clients.iter().zip(calls) {
        for (pending, stream) in calls {
            let (response, _) = client.receive(pending).unwrap();
            match response.header("grpc-status") {
                // A denial whose HTTP status is 503.
                None if response.body.windows(3).any(|window| window == [0x08, 0xf7, 0x03]) => denied += 1,
                // DEADLINE_EXCEEDED
                Some("4") => timed_out += 1,
                other => panic!("{other:?} {response:?}"),
            }
            drop(stream);
        }
    }
    assert!(denied > CONNECTIONS * STREAMS / 2 && timed_out > 0, "{denied} denied, {timed_out} timed out");
    let grown = server.process().memory_kib("VmHWM:") - before;
    // 1 MiB of messages each, as much again for growing buffers, and the overhead of a process's first connections.
    assert!(grown < 24 * 1024, "{grown} KiB more for {CONNECTIONS} connections");
}
