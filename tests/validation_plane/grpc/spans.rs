//! A sampled check becomes a span.

use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use serde_json::json;

use super::messages::*;
use crate::common::collector::{Collector, TRACE, traceparent};
use crate::common::http2::Http2;
use crate::common::server::{Server, bearer};

/// An Envoy that traces names its own span in the metadata of the call. The request has the `traceparent` of its client.
#[test]
fn a_sampled_check_is_a_span_below_the_call_or_else_below_the_request() {
    let collector = Collector::start();
    let server = Server::start(&[GRPC, ("DOORWARD_OTLP_ENDPOINT", &collector.url())]);
    let token = bearer(&server.issue(json!({}))["token"]);
    let mut client = Http2::connect(server.grpc_listen());
    let (of_request, of_call) = (traceparent("00000000000000a1"), traceparent("00000000000000a2"));
    let request = Request {
        headers: vec![("authorization", &token), ("traceparent", &of_request)],
        source: "203.0.113.9",
        ..Request::default()
    };
    let mut check = |metadata: Option<&str>| {
        let mut headers = vec![("content-type", "application/grpc"), ("te", "trailers")];
        headers.extend(metadata.map(|parent| ("traceparent", parent)));
        let pending = client.send("POST", CHECK, &headers, Some(framed(&request.message()))).unwrap();
        assert_eq!(client.receive(pending).unwrap().0.status, 200);
    };
    check(None);
    check(Some(&of_call));
    let spans = collector.spans_until("00000000000000a2");
    assert_eq!(
        spans.iter().map(|span| &*span.parent).collect::<Vec<_>>(),
        ["00000000000000a1", "00000000000000a2"]
    );
    for span in spans {
        assert_eq!((&*span.trace, span.kind, span.status), (TRACE, SpanKind::Server, 0));
        assert_eq!(span.name, &CHECK[1..]);
        assert_eq!(
            span.all_attributes(),
            [
                ("client.address", "203.0.113.9"),
                ("doorward.result", "valid"),
                ("doorward.source", "cache"),
                ("rpc.method", &CHECK[1..]),
                ("rpc.response.status_code", "OK"),
                ("rpc.system.name", "grpc"),
            ]
        );
    }
}
