//! A collector that is down, slow or busy costs spans, and nothing else.

use std::net::TcpListener;

use serde_json::json;

use crate::common::collector::{Collector, traceparent};
use crate::common::ports::Port;
use crate::common::process::wait_for;
use crate::common::server::{Server, bearer, identity, key};
use crate::common::upstream::Reply;

/// Sends sampled requests, which must be answered, and stops the server, which must end well.
fn serve_and_stop(endpoint: &str) -> Server {
    let mut server = Server::start(&[("DOORWARD_OTLP_ENDPOINT", endpoint)]);
    let token = bearer(&server.issue(json!({}))["token"]);
    let parent = traceparent("00f067aa0ba902b7");
    let mut client = server.validation();
    for _ in 0..10 {
        identity(&client.get("/auth", &[("authorization", &token), ("traceparent", &parent)]));
    }
    assert_eq!(server.terminate().code(), Some(0), "{}", server.log());
    server
}

#[test]
fn an_unreachable_collector_is_logged() {
    // The port is ours, and nobody listens on it.
    let port = Port::reserve();
    let server = serve_and_stop(&format!("http://127.0.0.1:{}", port.number()));
    let log = server.log();
    let lines: Vec<_> =
        log.lines().filter(|line| line.contains("trace collector does not take spans")).collect();
    assert_eq!(lines.len(), 1, "{log}");
    assert!(lines[0].contains("WARN") && lines[0].contains("refused"), "{log}");
}

#[test]
fn a_silent_collector_does_not_keep_the_server_from_stopping() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = serve_and_stop(&format!("http://{}", silent.local_addr().unwrap()));
    assert!(server.log().contains("spans not exported at shutdown"), "{}", server.log());
}

#[test]
fn a_busy_collector_does_not_keep_the_server_from_stopping() {
    let collector = Collector::answering(|_| Reply::new(503, &[("retry-after", "3600")], ""));
    let server = serve_and_stop(&collector.url());
    assert!(!collector.requests().is_empty());
    assert!(server.log().contains("status 503"), "{}", server.log());
}

#[test]
fn lost_and_exported_spans_are_counted() {
    let metric = |server: &Server, line: &str| {
        wait_for(line, || {
            let metrics = server.admin().get("/metrics", &[key()]).text();
            metrics.lines().any(|shown| shown == line).then_some(())
        });
    };
    let parent = traceparent("00f067aa0ba902b7");
    let refusing = Collector::answering(|_| Reply::new(400, &[], ""));
    let server = Server::start(&[("DOORWARD_OTLP_ENDPOINT", &refusing.url())]);
    server.validation().get("/auth", &[("traceparent", &parent)]);
    metric(&server, "doorward_trace_spans_dropped_total 1");
    metric(&server, "doorward_trace_spans_exported_total 0");

    let accepting = Collector::start();
    let server = Server::start(&[("DOORWARD_OTLP_ENDPOINT", &accepting.url())]);
    server.validation().get("/auth", &[("traceparent", &parent)]);
    metric(&server, "doorward_trace_spans_exported_total 1");
    metric(&server, "doorward_trace_spans_dropped_total 0");
}
