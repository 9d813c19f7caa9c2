//! A collector that is down, slow or busy costs spans, and nothing else.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::sync::atomic::{AtomicUsize, Ordering};

use doorward::internals::telemetry::export::MAX_QUEUED_SPANS;
use serde_json::json;

use crate::common::collector::{Collector, traceparent};
use crate::common::ports::Port;
use crate::common::process::wait_for;
use crate::common::server::{Server, bearer, identity, key};
use crate::common::upstream::Reply;

/// Sends sampled requests, which must be answered, before and after the log has this text. Then stops the server, which
/// must end well although spans wait.
fn serve_and_stop(endpoint: &str, sign: &str) -> Server {
    let mut server = Server::start(&[("DOORWARD_OTLP_ENDPOINT", endpoint)]);
    let token = bearer(&server.issue(json!({}))["token"]);
    let parent = traceparent("00f067aa0ba902b7");
    let mut client = server.validation();
    let mut send_some = || {
        for _ in 0..10 {
            identity(&client.get("/auth", &[("authorization", &token), ("traceparent", &parent)]));
        }
    };
    send_some();
    server.process().wait_until(sign, |process| process.log().contains(sign));
    send_some();
    assert_eq!(server.terminate().code(), Some(0), "{}", server.log());
    server
}

#[test]
fn an_unreachable_collector_is_logged() {
    // The port is reserved, and no process listens on it.
    let port = Port::reserve();
    let sign = "trace collector does not take spans";
    let server = serve_and_stop(&format!("http://127.0.0.1:{}", port.number()), sign);
    let log = server.log();
    let lines: Vec<_> = log.lines().filter(|line| line.contains(sign)).collect();
    assert_eq!(lines.len(), 1, "{log}");
    assert!(lines[0].contains("WARN") && lines[0].contains("refused"), "{log}");
}

#[test]
fn a_silent_collector_does_not_keep_the_server_from_stopping() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = serve_and_stop(&format!("http://{}", silent.local_addr().unwrap()), "ready");
    server.wait_for_log("spans not exported at shutdown");
}

#[test]
fn a_busy_collector_does_not_keep_the_server_from_stopping() {
    let collector = Collector::answering(|_| Reply::new(503, &[("retry-after", "3600")], ""));
    let server = serve_and_stop(&collector.url(), "status 503");
    assert!(!collector.requests().is_empty(), "{}", server.log());
}

/// Waits until the metrics have this line.
fn await_metric(server: &Server, line: &str) {
    wait_for(line, || {
        let metrics = server.admin().get("/metrics", &[key()]).text();
        metrics.lines().any(|shown| shown == line).then_some(())
    });
}

/// Starts a server with this collector, and sends it one sampled request.
fn traced(endpoint: &str) -> Server {
    let server = Server::start(&[("DOORWARD_OTLP_ENDPOINT", endpoint)]);
    server.validation().get("/auth", &[("traceparent", &traceparent("00f067aa0ba902b7"))]);
    server
}

#[test]
fn lost_and_exported_spans_are_counted() {
    let refusing = Collector::answering(|_| Reply::new(400, &[], ""));
    let server = traced(&refusing.url());
    await_metric(&server, "doorward_trace_spans_dropped_total 1");
    await_metric(&server, "doorward_trace_spans_exported_total 0");
    assert_eq!(refusing.requests().len(), 1, "a batch that was refused is not sent again");

    let accepting = Collector::start();
    let server = traced(&accepting.url());
    await_metric(&server, "doorward_trace_spans_exported_total 1");
    await_metric(&server, "doorward_trace_spans_dropped_total 0");
}

#[test]
fn a_batch_is_sent_again_to_a_collector_that_was_busy() {
    let attempts = AtomicUsize::new(0);
    let collector = Collector::answering(move |_| match attempts.fetch_add(1, Ordering::Relaxed) {
        0 => Reply::new(503, &[("retry-after", "0")], ""),
        _ => Reply::new(200, &[], ""),
    });
    let server = traced(&collector.url());
    await_metric(&server, "doorward_trace_spans_exported_total 1");
    await_metric(&server, "doorward_trace_spans_dropped_total 0");
    assert_eq!(collector.requests().len(), 2);
}

#[test]
fn a_collector_may_be_on_a_unix_socket() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("otlp.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let server = traced(&format!("unix:{}", path.display()));
    let (mut stream, _) = listener.accept().unwrap();
    let mut head = [0; 20];
    stream.read_exact(&mut head).unwrap();
    assert_eq!(head.escape_ascii().to_string(), "POST /v1/traces HTTP");
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
    await_metric(&server, "doorward_trace_spans_exported_total 1");
}

/// The first batch waits for the silent collector, and further spans queue behind it.
#[test]
fn a_full_queue_drops_spans_and_delays_no_request() {
    const REQUESTS: usize = 3_000;
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", silent.local_addr().unwrap());
    let server = Server::start(&[("DOORWARD_OTLP_ENDPOINT", &endpoint)]);
    let request =
        format!("GET /auth HTTP/1.1\r\nHost: a\r\ntraceparent: {}\r\n\r\n", traceparent("00f067aa0ba902b7"));
    let mut client = server.validation();
    for _ in 0..REQUESTS {
        assert_eq!(client.send(&request).status, 401);
    }
    wait_for("dropped spans", || {
        let metrics = server.admin().get("/metrics", &[key()]).text();
        let dropped =
            metrics.lines().find_map(|line| line.strip_prefix("doorward_trace_spans_dropped_total "));
        (dropped?.parse::<usize>().unwrap() >= REQUESTS - MAX_QUEUED_SPANS).then_some(())
    });
}
