//! Calls to Redis are child spans of the request that waits for them.

use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use serde_json::json;

use crate::common::collector::{Collector, Span, TRACE, traceparent};
use crate::common::redis::RedisServer;
use crate::common::server::{Server, bearer, key};

/// Returns the server span below this parent, and its children.
fn tree(collector: &Collector, parent: &str) -> (Span, Vec<Span>) {
    let spans = collector.spans_until(parent);
    let root = spans.iter().find(|span| span.parent == parent).unwrap().clone();
    let children: Vec<_> = spans.into_iter().filter(|span| span.parent == root.id).collect();
    for child in &children {
        assert_eq!((&*child.trace, child.kind), (TRACE, SpanKind::Client));
        assert_eq!(child.attribute("db.system.name"), "redis");
        assert!(root.started_ns <= child.started_ns && child.ended_ns <= root.ended_ns, "{root:?} {child:?}");
    }
    (root, children)
}

#[test]
fn a_look_up_is_a_child_of_its_request_and_a_cached_token_has_none() {
    let (redis, collector) = (RedisServer::start(), Collector::start());
    let token = bearer(&Server::on(&redis, &[]).issue(json!({}))["token"]);
    for first in ["/readyz", "/auth"] {
        // Another node, whose cache is empty. After /readyz, hyper answers.
        let server = Server::on(&redis, &[("DOORWARD_OTLP_ENDPOINT", &collector.url())]);
        let mut client = server.validation();
        assert!([200, 401].contains(&client.get(first, &[]).status));
        let read = if first == "/auth" { "00000000000000a1" } else { "00000000000000b1" };
        let cached = if first == "/auth" { "00000000000000a2" } else { "00000000000000b2" };
        for parent in [read, cached] {
            let headers = [("authorization", &*token), ("traceparent", &*traceparent(parent))];
            assert_eq!(client.get("/auth", &headers).status, 200);
        }
        let (root, children) = tree(&collector, read);
        assert_eq!(
            (root.attribute("doorward.source"), root.attribute("doorward.result")),
            ("store", "valid")
        );
        assert_eq!(children.iter().map(|child| &*child.name).collect::<Vec<_>>(), ["HMGET"]);
        assert_eq!((children[0].attribute("db.operation.name"), children[0].status), ("HMGET", 0));
        let (root, children) = tree(&collector, cached);
        assert_eq!((root.attribute("doorward.source"), children.len()), ("cache", 0));
    }
}

#[test]
fn a_call_to_a_redis_that_is_down_fails_with_its_request() {
    let (mut redis, collector) = (RedisServer::start(), Collector::start());
    let token = bearer(&Server::on(&redis, &[]).issue(json!({}))["token"]);
    let server = Server::on(&redis, &[("DOORWARD_OTLP_ENDPOINT", &collector.url())]);
    redis.kill();
    let headers = [("authorization", &*token), ("traceparent", &*traceparent("00000000000000a1"))];
    assert_eq!(server.validation().get("/auth", &headers).status, 503);
    let (root, children) = tree(&collector, "00000000000000a1");
    assert_eq!((root.status, root.attribute("error.type")), (2, "503"));
    assert_eq!(
        (root.attribute("doorward.result"), root.attribute("http.response.status_code")),
        ("unavailable", "503")
    );
    assert!(!children.is_empty());
    for child in children {
        assert_eq!((child.status, child.attribute("error.type")), (2, "unavailable"));
    }
}

#[test]
fn the_store_operations_of_an_admin_call_are_its_children() {
    let (redis, collector) = (RedisServer::start(), Collector::start());
    let server = Server::on(&redis, &[("DOORWARD_OTLP_ENDPOINT", &collector.url())]);
    let body = json!({"user": "alice", "ip": "203.0.113.7"});
    let headers = [key(), ("traceparent", &*traceparent("00000000000000a1"))];
    assert_eq!(server.admin().request("POST", "/v1/tokens", &headers, Some(&body)).status, 201);
    let (root, children) = tree(&collector, "00000000000000a1");
    assert_eq!(root.name, "POST /v1/tokens");
    assert_eq!(children.iter().map(|child| &*child.name).collect::<Vec<_>>(), ["redis"]);
}
