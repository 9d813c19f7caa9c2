//! SIGTERM: the order of the shutdown, and the requests that are pending.

use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use chrono::DateTime;
use doorward::system::Clock;
use rustix::process::Signal;
use serde_json::json;

use crate::common::http::Client;
use crate::common::process::wait_for;
use crate::common::recovery::{await_ready, await_unready};
use crate::common::redis::RedisServer;
use crate::common::server::{ADMIN_KEY, Server, bearer, identity, key, run, text};

/// Sends an admin request without the end of its body; returns the client and the missing bytes.
fn begun_request(server: &Server) -> (Client, &'static str) {
    let (start, rest) = (r#"{"user": "late", "#, r#""ip": "10.0.0.1"}"#);
    let (name, key) = key();
    let head = format!(
        "POST /v1/tokens HTTP/1.1\r\nHost: a\r\n{name}: {key}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nExpect: 100-continue\r\n\r\n",
        start.len() + rest.len()
    );
    let mut client = server.admin();
    client.write(head).unwrap();
    assert_eq!(client.read_response(false).unwrap().status, 100);
    client.write(start).unwrap();
    (client, rest)
}

#[test]
fn sigterm_stops_in_order() {
    let redis = RedisServer::start();
    // The flush interval is longer than the test.
    let mut server =
        Server::on(&redis, &[("DOORWARD_FLUSH_INTERVAL", "1m"), ("DOORWARD_TOUCH_RESOLUTION", "0")]);
    let issued = server.issue(json!({}));
    thread::sleep(Duration::from_millis(5));
    let accessed_ms = i64::try_from(Clock::system().now_ms()).unwrap();
    let mut idle = server.validation();
    identity(&idle.get("/auth", &[("Authorization", &bearer(&issued["token"]))]));
    assert_eq!(server.token(&issued["id"])["last_access"], issued["created_at"], "not written yet");
    let (mut begun, rest) = begun_request(&server);
    let (listen, admin_listen) = (server.listen().to_owned(), server.admin_listen().to_owned());

    server.process().signal(Signal::TERM);
    assert!(idle.read_response(false).is_err(), "an idle connection is closed");
    for addr in [&listen, &admin_listen] {
        wait_for("no connection is accepted any more", || TcpStream::connect(addr).is_err().then_some(()));
    }
    assert_eq!(server.process().exit_status(), None, "the request at hand is waited for");
    begun.write(rest).unwrap();
    let answer = begun.read_response(false).unwrap();
    assert_eq!((answer.status, answer.json()["user"].as_str()), (201, Some("late")));
    drop(begun);
    assert_eq!(server.process().wait().code(), Some(0), "{}", server.log());

    let next = Server::on(&redis, &[]);
    let last_access = next.token(&issued["id"])["last_access"].clone();
    assert!(DateTime::parse_from_rfc3339(text(&last_access)).unwrap().timestamp_millis() >= accessed_ms);
    identity(&next.auth(&answer.json()["token"]));
}

/// While the server waits for Redis at start-up, a signal is neither lost nor fatal.
#[test]
fn sigterm_during_start_up_stops_in_order() {
    let (redis, dir) = (RedisServer::start(), tempfile::tempdir().unwrap());
    redis.freeze();
    let sockets = ["validation.sock", "admin.sock"].map(|name| dir.path().join(name));
    let [listen, admin_listen] = sockets.each_ref().map(|path| format!("unix:{}", path.display()));
    let mut process = run(
        &[],
        &[
            ("DOORWARD_LISTEN", &listen),
            ("DOORWARD_ADMIN_LISTEN", &admin_listen),
            ("DOORWARD_ADMIN_KEY", ADMIN_KEY),
            ("DOORWARD_REDIS_URL", &redis.url()),
        ],
    );
    process.wait_until("bound", |_| sockets.iter().all(|path| path.exists()));
    process.signal(Signal::TERM);
    assert_eq!(process.wait().code(), Some(0), "{}", process.log());
    assert!(!sockets.iter().any(|path| path.exists()));
}

/// All threads wait for Redis at the same time.
#[test]
fn validation_threads_start_in_parallel() {
    let redis = RedisServer::start();
    redis.freeze();
    let settings = [("DOORWARD_VALIDATION_THREADS", "64"), ("DOORWARD_REDIS_TIMEOUT", "1s")];
    // Waits for the ready line for less time than 64 threads would take in sequence.
    let server = Server::on(&redis, &settings);
    redis.thaw();
    await_ready(&server);
}

/// Requests that arrived before the signal are answered, on connections not yet accepted and on idle ones.
#[test]
fn requests_that_arrived_before_sigterm_are_answered() {
    let mut server = Server::start(&[]);
    let mut kept: Vec<_> =
        (0..10).map(|n| if n % 2 == 0 { server.validation() } else { server.admin() }).collect();
    for client in &mut kept {
        assert_eq!(client.get("/livez", &[]).status, 200);
    }
    server.process().freeze();
    let fresh = (0..60).map(|n| if n % 2 == 0 { server.validation() } else { server.admin() });
    let mut clients: Vec<_> = kept.into_iter().chain(fresh).collect();
    for (n, client) in clients.iter_mut().enumerate() {
        // Requests for the fast path and for hyper.
        let path = if n % 3 == 0 { "/auth" } else { "/livez" };
        client.write(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n")).unwrap();
    }
    server.process().signal(Signal::TERM);
    server.process().thaw();
    for (n, client) in clients.iter_mut().enumerate() {
        let answer = client.read_response(false).unwrap_or_else(|error| panic!("client {n}: {error}"));
        assert!([200, 401, 404].contains(&answer.status), "client {n}: {answer:?}");
    }
    assert_eq!(server.process().wait().code(), Some(0), "{}", server.log());
}

#[test]
fn during_the_shutdown_delay_only_readiness_fails() {
    let mut server = Server::start(&[("DOORWARD_SHUTDOWN_DELAY", "3s")]);
    let issued = server.issue(json!({}));
    server.process().signal(Signal::TERM);
    await_unready(&server);
    // New and idle connections.
    let mut client = server.validation();
    for _ in 0..3 {
        identity(&server.auth(&issued["token"]));
        assert_eq!(client.get("/livez", &[]).status, 200);
    }
    assert_eq!(client.connections(), 1);
    server.revoke(&issued["id"]);
    assert_eq!(server.process().wait().code(), Some(0), "{}", server.log());
}

#[test]
fn a_second_sigterm_stops_at_once() {
    let mut server = Server::start(&[("DOORWARD_DRAIN_TIMEOUT", "1h")]);
    let _begun = begun_request(&server);
    server.process().signal(Signal::TERM);
    server.process().wait_until("stopping", |process| process.stderr().contains("stopping"));
    assert_eq!(server.process().exit_status(), None);
    assert_ne!(server.terminate().code(), Some(0));
}

#[test]
fn an_unfinished_request_is_aborted_at_the_drain_timeout() {
    let mut server = Server::start(&[("DOORWARD_DRAIN_TIMEOUT", "200ms")]);
    let _begun = begun_request(&server);
    assert_eq!(server.terminate().code(), Some(0), "{}", server.log());
}
