//! What the callers see while Redis or the server itself goes away and comes back.

#[path = "outage/active_users.rs"]
mod active_users;
mod common;
#[path = "outage/connections.rs"]
mod connections;

use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use chrono::DateTime;
use common::http::{Client, Response};
use common::process::wait_for;
use common::redis::RedisServer;
use common::server::{
    ADMIN_KEY, Server, assert_invalid_token, assert_unavailable, bearer, identity, key, pointers, run, text,
    token_path,
};
use doorward::Clock;
use rustix::process::Signal;
use serde_json::{Value, json};

/// No answer may take longer, whatever Redis does.
const ANSWER_MS: u64 = 1_000;
/// After an outage the server is back within this by itself.
const BACK_MS: u64 = 3_000;

/// An answer that came in time.
fn prompt(ask: impl FnOnce() -> Response) -> Response {
    let clock = Clock::system();
    let from_ms = clock.boottime_ms();
    let response = ask();
    let took_ms = clock.boottime_ms() - from_ms;
    assert!(took_ms <= ANSWER_MS, "{took_ms} ms for {response:?}");
    response
}

fn status(server: &Server, path: &str) -> u16 {
    prompt(|| server.validation().get(path, &[])).status
}

/// What holds as long as Redis cannot be asked, once that has been noticed: within `noticed_ms`.
fn assert_outage(server: &Server, issued: &Value, noticed_ms: u64) {
    let (clock, authorization) = (Clock::system(), bearer(&issued["token"]));
    let headers = [("Authorization", authorization.as_str())];
    let from_ms = clock.boottime_ms();
    // What is known may pass until then; at no time is anybody logged out.
    while prompt(|| server.auth(&issued["token"])).status == 200 {
        assert!(clock.boottime_ms() - from_ms <= noticed_ms);
        thread::sleep(Duration::from_millis(20));
    }
    for path in ["/auth", "/auth/x", "/auth-optional", "/session"] {
        assert_unavailable(&prompt(|| server.validation().get(path, &headers)));
    }
    assert_unavailable(&prompt(|| server.validation().request("POST", "/logout", &headers, None)));
    let forged = [("Authorization", "Bearer dw_forged")];
    assert_invalid_token(&prompt(|| server.validation().get("/auth", &forged)));
    assert_eq!(identity(&prompt(|| server.validation().get("/auth-optional", &[])))[0], "-");
    wait_for("not ready", || (status(server, "/readyz") == 503).then_some(()));
    assert_eq!([server.admin().get("/readyz", &[]).status, status(server, "/livez")], [503, 200]);

    let (path, body) = (token_path(&issued["id"]), json!({"user": "bob", "ip": "10.0.0.1"}));
    for (method, path, body) in
        [("POST", "/v1/tokens", Some(&body)), ("GET", &path, None), ("DELETE", &path, None)]
    {
        let response = server.call(method, path, body);
        assert_eq!(pointers(&response, 503), [""; 0]);
        assert_eq!(response.header("retry-after"), Some("1"));
    }
}

/// Comes back by itself, with the token still valid.
fn assert_back(server: &Server, issued: &Value, back_ms: u64) {
    let clock = Clock::system();
    let from_ms = clock.boottime_ms();
    let is_back = || server.auth(&issued["token"]).status == 200 && status(server, "/readyz") == 200;
    wait_for("back", || is_back().then_some(()));
    let took_ms = clock.boottime_ms() - from_ms;
    assert!(took_ms <= back_ms, "{took_ms} ms");
    assert_eq!(server.token(&issued["id"])["is_active"], true);
    server.issue(json!({}));
}

#[test]
fn redis_dies_and_comes_back() {
    let mut redis = RedisServer::start_durable();
    let server = Server::on(&redis, &[]);
    let issued = server.issue(json!({}));
    identity(&server.auth(&issued["token"]));
    for _ in 0..2 {
        redis.kill();
        assert_outage(&server, &issued, 1_000);
        redis.restart();
        assert_back(&server, &issued, BACK_MS);
    }
}

/// An outage while nobody asked: who asks after it must not pay for the connections that broke meanwhile.
#[test]
fn an_outage_that_nobody_met_is_over_by_itself() {
    let mut redis = RedisServer::start_durable();
    let server = Server::on(&redis, &[]);
    let tokens: Vec<_> = (0..8).map(|_| server.issue(json!({}))["token"].clone()).collect();
    redis.kill();
    redis.restart();
    thread::sleep(Duration::from_millis(BACK_MS));
    // Each on a connection of its own, and so on every thread.
    for token in &tokens {
        identity(&server.auth(token));
    }
}

#[test]
fn redis_stands_still_and_goes_on() {
    let redis = RedisServer::start();
    let server = Server::on(&redis, &[]);
    let issued = server.issue(json!({}));
    identity(&server.auth(&issued["token"]));
    redis.freeze();
    // The lease, and the time to find out that there is no answer.
    assert_outage(&server, &issued, 2_000 + 1_000);
    // An ending that could not be acknowledged is in Redis's socket and may be done once it goes on: a 503 on a write
    // means "unknown". So another token tells.
    redis.thaw();
    let clock = Clock::system();
    let from_ms = clock.boottime_ms();
    wait_for("back", || (status(&server, "/readyz") == 200).then_some(()));
    let issued = server.issue(json!({}));
    assert_back(&server, &issued, BACK_MS.saturating_sub(clock.boottime_ms() - from_ms));
}

#[test]
fn the_server_starts_without_redis_and_finds_it_later() {
    let mut redis = RedisServer::start();
    redis.kill();
    let server = Server::on(&redis, &[]);
    assert_eq!([status(&server, "/livez"), status(&server, "/readyz")], [200, 503]);
    assert_unavailable(&prompt(|| server.validation().get("/auth", &[("Authorization", "Bearer dw_x")])));
    let body = json!({"user": "alice", "ip": "10.0.0.1"});
    assert_eq!(server.call("POST", "/v1/tokens", Some(&body)).status, 503);
    redis.restart();
    let clock = Clock::system();
    let from_ms = clock.boottime_ms();
    wait_for("ready", || (status(&server, "/readyz") == 200).then_some(()));
    let issued = server.issue(json!({}));
    assert_back(&server, &issued, BACK_MS.saturating_sub(clock.boottime_ms() - from_ms));
}

#[test]
fn what_was_acknowledged_survives_the_servers_death() {
    let redis = RedisServer::start();
    let mut server = Server::on(&redis, &[]);
    let (kept, ended) = (server.issue(json!({})), server.issue(json!({})));
    identity(&server.auth(&ended["token"]));
    server.end(&ended["id"]);
    server.restart();
    identity(&server.auth(&kept["token"]));
    assert_invalid_token(&server.auth(&ended["token"]));
    assert_eq!(server.token(&ended["id"])["is_active"], false);
}

/// An admin request whose body the server is waiting for, and the rest of that body.
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
    // No round of the flusher comes before the end.
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
        wait_for("nobody is let in any more", || TcpStream::connect(addr).is_err().then_some(()));
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

/// It waits for Redis a moment before it is ready; a signal in that moment is not lost and does not kill it halfway.
#[test]
fn sigterm_while_it_starts_stops_in_order() {
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

/// An outage is told once a second, however many calls are refused meanwhile.
#[test]
fn refused_calls_are_a_line_a_second() {
    let mut redis = RedisServer::start();
    let server = Server::on(&redis, &[]);
    redis.kill();
    let mut client = server.admin();
    let refused = |client: &mut Client| {
        assert_eq!(client.get("/v1/users/alice/tokens", &[key()]).status, 503);
    };
    (0..100).for_each(|_| refused(&mut client));
    // The next line tells how many had none.
    let line = wait_for("a count", || {
        refused(&mut client);
        let log = server.log();
        log.lines()
            .find(|line| line.contains("not served") && line.contains("suppressed="))
            .map(str::to_owned)
    });
    assert!(line.contains("store unavailable") && line.contains("reason="), "{line}");
    assert!(server.log().matches("not served").count() < 100);
}

/// Each thread waits for Redis before it is ready: all at the same time.
#[test]
fn many_threads_start_side_by_side() {
    let redis = RedisServer::start();
    redis.freeze();
    let settings = [("DOORWARD_VALIDATION_THREADS", "64"), ("DOORWARD_REDIS_TIMEOUT", "1s")];
    // Waits for the ready line, less long than 64 threads would take one after the other.
    let server = Server::on(&redis, &settings);
    redis.thaw();
    wait_for("ready", || (server.validation().get("/readyz", &[]).status == 200).then_some(()));
}

/// Requests that had arrived before the signal are answered: on new connections, of which the server has accepted none,
/// and on kept ones.
#[test]
fn what_arrived_before_sigterm_is_answered() {
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
        // Of either kind: what the fast path answers, and what hyper does.
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
fn with_a_shutdown_delay_only_readiness_fails_at_first() {
    let mut server = Server::start(&[("DOORWARD_SHUTDOWN_DELAY", "3s")]);
    let issued = server.issue(json!({}));
    server.process().signal(Signal::TERM);
    wait_for("not ready", || (server.validation().get("/readyz", &[]).status == 503).then_some(()));
    // New connections, and kept ones.
    let mut client = server.validation();
    for _ in 0..3 {
        identity(&server.auth(&issued["token"]));
        assert_eq!(client.get("/livez", &[]).status, 200);
    }
    assert_eq!(client.connections(), 1);
    server.end(&issued["id"]);
    assert_eq!(server.process().wait().code(), Some(0), "{}", server.log());
}

#[test]
fn a_second_sigterm_ends_it_at_once() {
    let mut server = Server::start(&[("DOORWARD_DRAIN_TIMEOUT", "1h")]);
    let _begun = begun_request(&server);
    server.process().signal(Signal::TERM);
    server.process().wait_until("stopping", |process| process.stderr().contains("stopping"));
    assert_eq!(server.process().exit_status(), None);
    assert_ne!(server.terminate().code(), Some(0));
}

#[test]
fn a_request_that_never_ends_is_cut_off_at_the_drain_timeout() {
    let mut server = Server::start(&[("DOORWARD_DRAIN_TIMEOUT", "200ms")]);
    let _begun = begun_request(&server);
    assert_eq!(server.terminate().code(), Some(0), "{}", server.log());
}

fn check_key_is_kept(redis: &RedisServer) -> bool {
    redis.keys().iter().any(|key| key.starts_with("dw:m:"))
}

#[test]
fn nodes_agree_again_after_redis_lost_everything() {
    let redis = RedisServer::start();
    let first = Server::on(&redis, &[]);
    let lost = first.issue(json!({}));
    identity(&first.auth(&lost["token"]));
    redis.cli(&["FLUSHALL"]);
    wait_for("the node puts the check key back", || check_key_is_kept(&redis).then_some(()));
    wait_for("a lost token is refused", || (first.auth(&lost["token"]).status == 401).then_some(()));
    let second = Server::on(&redis, &[]);
    for (issuer, other) in [(&first, &second), (&second, &first)] {
        let issued = issuer.issue(json!({}));
        identity(&issuer.auth(&issued["token"]));
        identity(&other.auth(&issued["token"]));
        issuer.end(&issued["id"]);
        wait_for("ended everywhere", || (other.auth(&issued["token"]).status == 401).then_some(()));
    }
}

/// The worse order: a node that knows nothing of the lost key makes another before the old one notices.
#[test]
fn a_node_follows_a_check_key_made_behind_its_back() {
    let redis = RedisServer::start();
    let mut first = Server::on(&redis, &[]);
    first.process().freeze();
    redis.cli(&["FLUSHALL"]);
    let second = Server::on(&redis, &[]);
    first.process().thaw();
    let from_second = second.issue(json!({}));
    wait_for("the first knows the new key", || {
        (first.auth(&from_second["token"]).status == 200).then_some(())
    });
    let from_first = first.issue(json!({}));
    identity(&second.auth(&from_first["token"]));
}
