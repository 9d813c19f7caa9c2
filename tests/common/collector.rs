//! A collector of traces in the test process: it decodes what OTLP over HTTP brings.

use std::collections::BTreeMap;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use prost::Message;

use super::process::wait_for;
use super::tls::Identity;
use super::upstream::{Recorded, Reply, Upstream};

/// The trace of every [`traceparent`].
pub const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// A running collector; stops on drop.
pub struct Collector(Upstream);

/// An exported span.
#[derive(Clone, Debug)]
pub struct Span {
    pub trace: String,
    pub id: String,
    pub parent: String,
    pub state: String,
    pub name: String,
    pub kind: SpanKind,
    pub attributes: BTreeMap<String, String>,
    /// 2 is an error.
    pub status: i32,
    pub started_ns: u64,
    pub ended_ns: u64,
    pub resource: BTreeMap<String, String>,
}

impl Span {
    /// Returns an attribute, or an empty text.
    pub fn attribute(&self, name: &str) -> &str {
        self.attributes.get(name).map_or("", String::as_str)
    }

    /// Returns all attributes, sorted by name.
    pub fn all_attributes(&self) -> Vec<(&str, &str)> {
        self.attributes.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
    }
}

impl Collector {
    /// Starts a collector that accepts everything.
    pub fn start() -> Self {
        Self::answering(|_| Reply::new(200, &[("content-type", "application/x-protobuf")], ""))
    }

    /// Starts a collector that answers as `answer` says.
    pub fn answering(answer: impl Fn(&Recorded) -> Reply + Send + Sync + 'static) -> Self {
        Self(Upstream::answering(answer))
    }

    /// Starts a collector that accepts everything, over TLS.
    pub fn start_tls(identity: &Identity) -> Self {
        Self(Upstream::answering_tls(identity, |_| Reply::new(200, &[], "")))
    }

    /// `127.0.0.1:PORT`
    pub fn addr(&self) -> String {
        self.0.addr()
    }

    /// Returns the setting that names it.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr())
    }

    /// Returns the requests so far.
    pub fn requests(&self) -> Vec<Recorded> {
        self.0.requests()
    }

    /// Returns the spans so far, in the order in which they ended.
    pub fn spans(&self) -> Vec<Span> {
        self.requests().iter().flat_map(|request| spans(&request.body)).collect()
    }

    /// Waits for a span below this parent, and returns all spans so far.
    pub fn spans_until(&self, parent: &str) -> Vec<Span> {
        wait_for("the span", || {
            let spans = self.spans();
            spans.iter().any(|span| span.parent == parent).then_some(spans)
        })
    }
}

/// Returns a sampled `traceparent` of [`TRACE`] with this parent.
pub fn traceparent(parent: &str) -> String {
    format!("00-{TRACE}-{parent}-01")
}

fn spans(body: &[u8]) -> Vec<Span> {
    let request = ExportTraceServiceRequest::decode(body).expect("spans in protobuf");
    let mut found = Vec::new();
    for group in request.resource_spans {
        let resource = texts(&group.resource.unwrap_or_default().attributes);
        for span in group.scope_spans.into_iter().flat_map(|scope| scope.spans) {
            found.push(Span {
                trace: hex(&span.trace_id),
                id: hex(&span.span_id),
                parent: hex(&span.parent_span_id),
                kind: span.kind(),
                attributes: texts(&span.attributes),
                status: span.status.map_or(0, |status| status.code),
                state: span.trace_state,
                name: span.name,
                started_ns: span.start_time_unix_nano,
                ended_ns: span.end_time_unix_nano,
                resource: resource.clone(),
            });
        }
    }
    found
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn texts(attributes: &[KeyValue]) -> BTreeMap<String, String> {
    let text = |value: &Option<AnyValue>| match value.as_ref().and_then(|value| value.value.as_ref()) {
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::IntValue(number)) => number.to_string(),
        other => panic!("an attribute of another type: {other:?}"),
    };
    attributes.iter().map(|attribute| (attribute.key.clone(), text(&attribute.value))).collect()
}
