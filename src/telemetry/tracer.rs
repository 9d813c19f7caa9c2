//! Starts spans.

use std::borrow::Cow;
use std::fmt;
use std::time::{Duration, SystemTime};

use opentelemetry::trace::{
    Span as _, SpanBuilder, SpanContext, SpanKind, Status, TraceContextExt as _, Tracer as _,
};
use opentelemetry::{Context, KeyValue, SpanId, TraceId, Value};
use opentelemetry_sdk::trace::{IdGenerator, SdkTracer, Span};

use crate::clock::Clock;
use crate::entropy::Entropy;

/// Starts spans. Cheap to clone; all clones share one queue.
#[derive(Clone)]
pub struct Tracer {
    sdk: SdkTracer,
    clock: Clock,
}

impl Tracer {
    pub(super) fn new(sdk: SdkTracer, clock: Clock) -> Self {
        Self { sdk, clock }
    }

    /// Starts a span below a sampled parent.
    pub fn start(
        &self,
        name: impl Into<Cow<'static, str>>,
        kind: SpanKind,
        parent: &SpanContext,
    ) -> OpenSpan {
        let started = SystemTime::UNIX_EPOCH + Duration::from_micros(self.clock.wall_us());
        let began_us = self.clock.boottime_us();
        let builder = SpanBuilder::from_name(name).with_kind(kind).with_start_time(started);
        let parent = Context::new().with_remote_span_context(parent.clone());
        let span = self.sdk.build_with_context(builder, &parent);
        OpenSpan { span, tracer: self.clone(), started, began_us }
    }
}

/// A span that has not ended. It ends when it is dropped, also if its request is abandoned.
pub struct OpenSpan {
    span: Span,
    pub(super) tracer: Tracer,
    started: SystemTime,
    began_us: u64,
}

impl OpenSpan {
    /// Sets an attribute. Attributes leave this process: never pass a secret or a user.
    pub fn set(&mut self, key: &'static str, value: impl Into<Value>) {
        self.span.set_attribute(KeyValue::new(key, value));
    }

    /// Marks the span as failed, with an `error.type` of few possible values.
    pub fn fail(&mut self, error_type: impl Into<Value>) {
        self.set("error.type", error_type);
        self.span.set_status(Status::error(""));
    }

    pub(super) fn context(&self) -> &SpanContext {
        self.span.span_context()
    }
}

impl Drop for OpenSpan {
    fn drop(&mut self) {
        // The wall clock may jump, so the monotonic clock measures the duration.
        let took_us = self.tracer.clock.boottime_us().saturating_sub(self.began_us);
        self.span.end_with_timestamp(self.started + Duration::from_micros(took_us));
    }
}

/// Draws the ids of spans. Without randomness, an id is invalid, and the queue drops its span.
#[derive(Clone)]
pub(super) struct RandomIds(pub(super) Entropy);

impl fmt::Debug for RandomIds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RandomIds")
    }
}

impl IdGenerator for RandomIds {
    fn new_trace_id(&self) -> TraceId {
        self.0.bytes().map_or(TraceId::INVALID, TraceId::from_bytes)
    }

    fn new_span_id(&self) -> SpanId {
        self.0.bytes().map_or(SpanId::INVALID, SpanId::from_bytes)
    }
}

tokio::task_local! {
    static ACTIVE: ActiveSpan;
}

struct ActiveSpan {
    tracer: Tracer,
    context: SpanContext,
}

/// Does work for a span: what it starts by [`client_span`] becomes a child of `span`.
pub async fn within<T>(span: &OpenSpan, work: impl Future<Output = T>) -> T {
    let active = ActiveSpan { tracer: span.tracer.clone(), context: span.context().clone() };
    ACTIVE.scope(active, work).await
}

/// Starts the span of a call to another server, below the active span. `None` without an active span.
pub fn client_span(name: &'static str) -> Option<Box<OpenSpan>> {
    ACTIVE.try_with(|active| Box::new(active.tracer.start(name, SpanKind::Client, &active.context))).ok()
}
