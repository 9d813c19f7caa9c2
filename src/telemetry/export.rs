//! The export of spans: a bounded queue, and a thread that sends batches to the collector.
//!
//! Ending a span never waits: if the queue is full, because the collector is down or slow, the span is dropped and counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use opentelemetry::trace::TracerProvider as _;
use opentelemetry::{Context, InstrumentationScope, KeyValue};
use opentelemetry_otlp::{
    ExporterBuildError, Protocol, SpanExporter as OtlpExporter, WithExportConfig as _, WithHttpConfig as _,
};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracerProvider, Span, SpanData, SpanExporter,
    SpanProcessor,
};
use prometheus_client::metrics::counter::Counter;
use rand::rngs::SysError;

use super::collector::{CollectorClient, EXPORT_TIMEOUT};
use super::tracer::{RandomIds, Tracer};
use crate::clock::Clock;
use crate::entropy::Entropy;

/// The client knows the host and the base path. The path of traces is below it (OpenTelemetry's specification of the OTLP
/// exporter, "Endpoint URLs for OTLP/HTTP").
const TRACES_URL: &str = "http://collector/v1/traces";
/// The most finished spans that wait for the collector.
pub const MAX_QUEUED_SPANS: usize = 2_048;
/// The most spans of one batch.
const MAX_BATCH_SPANS: usize = 512;
/// The longest that a finished span waits for its batch.
const BATCH_DELAY: Duration = Duration::from_secs(1);
/// The longest that the stop of the server waits for the last batch.
pub const LAST_EXPORT_TIMEOUT: Duration = Duration::from_secs(1);

/// Counts what became of finished spans.
#[derive(Clone, Debug, Default)]
pub struct SpanCounters {
    /// Spans that the collector accepted.
    pub exported: Counter,
    /// Spans that were lost: the queue was full, or the collector did not accept them in time.
    pub dropped: Counter,
}

/// The running export.
pub struct TraceExport {
    provider: SdkTracerProvider,
    tracer: Tracer,
}

impl TraceExport {
    /// Starts the export to a collector. `client` sends on the current runtime.
    ///
    /// # Errors
    /// If the operating system cannot supply random bytes, or the exporter refuses an `OTEL_EXPORTER_OTLP_…` variable.
    pub fn start(
        client: CollectorClient,
        (clock, entropy): (Clock, Entropy),
        counters: SpanCounters,
    ) -> Result<Self, TraceExportError> {
        let exporter = OtlpExporter::builder()
            .with_http()
            .with_http_client(client)
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(TRACES_URL)
            .with_timeout(EXPORT_TIMEOUT)
            .build()?;
        let queued = Arc::new(AtomicUsize::new(0));
        let exporter = CountedExporter { exporter, queued: queued.clone(), counters: counters.clone() };
        let batches = BatchConfigBuilder::default()
            .with_max_queue_size(MAX_QUEUED_SPANS)
            .with_max_export_batch_size(MAX_BATCH_SPANS)
            .with_scheduled_delay(BATCH_DELAY)
            .build();
        let batches = BatchSpanProcessor::builder(exporter).with_batch_config(batches).build();
        let provider = SdkTracerProvider::builder()
            .with_resource(resource(&entropy)?)
            .with_sampler(Sampler::ParentBased(Box::new(Sampler::AlwaysOff)))
            .with_id_generator(RandomIds(entropy))
            .with_span_processor(CountedQueue { batches, queued, counters })
            .build();
        let scope = InstrumentationScope::builder("doorward").with_version(env!("CARGO_PKG_VERSION")).build();
        let tracer = Tracer::new(provider.tracer_with_scope(scope), clock);
        Ok(Self { provider, tracer })
    }

    /// Returns the tracer of all spans.
    pub fn tracer(&self) -> &Tracer {
        &self.tracer
    }

    /// Sends the spans that wait, for at most [`LAST_EXPORT_TIMEOUT`]. Later spans are lost.
    pub async fn stop(self) {
        let Self { provider, .. } = self;
        // The SDK blocks its caller. Its thread ends with the process if the collector does not answer in time.
        let stop = tokio::task::spawn_blocking(move || provider.shutdown_with_timeout(LAST_EXPORT_TIMEOUT));
        if !matches!(stop.await, Ok(Ok(()))) {
            tracing::warn!("spans not exported at shutdown");
        }
    }
}

/// Why the export cannot start.
#[derive(Debug, thiserror::Error)]
pub enum TraceExportError {
    /// The exporter refuses its settings.
    #[error("traces cannot be exported: {0}")]
    Exporter(#[from] ExporterBuildError),
    /// The operating system cannot supply random bytes.
    #[error("no randomness: {0}")]
    Randomness(#[from] SysError),
}

/// Describes this process (OpenTelemetry's conventions for resources). `OTEL_RESOURCE_ATTRIBUTES` adds more.
fn resource(entropy: &Entropy) -> Result<Resource, SysError> {
    let instance = uuid::Builder::from_random_bytes(entropy.bytes()?).into_uuid();
    let attributes = [
        KeyValue::new("service.name", "doorward"),
        KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
        KeyValue::new("service.instance.id", instance.to_string()),
    ];
    Ok(Resource::builder().with_attributes(attributes).build())
}

/// The bounded queue. It counts what it drops, which the SDK's queue behind it does not; that one is never full.
#[derive(Debug)]
struct CountedQueue {
    batches: BatchSpanProcessor,
    /// The spans that are not exported yet.
    queued: Arc<AtomicUsize>,
    counters: SpanCounters,
}

impl SpanProcessor for CountedQueue {
    fn on_start(&self, _: &mut Span, _: &Context) {}

    fn on_end(&self, span: SpanData) {
        let is_valid = span.span_context.is_valid();
        if is_valid && self.queued.fetch_add(1, Ordering::Relaxed) < MAX_QUEUED_SPANS {
            return self.batches.on_end(span);
        }
        if is_valid {
            self.queued.fetch_sub(1, Ordering::Relaxed);
        }
        self.counters.dropped.inc();
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.batches.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.batches.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.batches.set_resource(resource);
    }
}

/// The exporter, which counts what became of each batch.
#[derive(Debug)]
struct CountedExporter {
    exporter: OtlpExporter,
    queued: Arc<AtomicUsize>,
    counters: SpanCounters,
}

impl SpanExporter for CountedExporter {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let count = batch.len();
        let outcome = self.exporter.export(batch).await;
        self.queued.fetch_sub(count, Ordering::Relaxed);
        let counter = if outcome.is_ok() { &self.counters.exported } else { &self.counters.dropped };
        counter.inc_by(count as u64);
        outcome
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}
