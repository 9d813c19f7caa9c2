//! All metrics of a node.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Metric, Registry};
use tokio::runtime::Handle;

use super::encode::{counter, gauge};
use super::format::TextFormat;
use super::{
    cache, changes, cutoffs, foreign, last_access, live_tokens, process, redis, replay, store, validations,
};
use crate::logging;
use crate::node::readiness::Readiness;
use crate::node::running::Node;
use crate::telemetry::SpanCounters;
use crate::validation::counters::AllValidations;

/// The metrics of a node.
pub struct Metrics {
    registry: Mutex<Registry>,
    /// The counters of all validators.
    pub validations: AllValidations,
    /// Requests to the admin plane without valid credentials.
    pub admin_refusals: Counter,
    /// The counters of the export of traces.
    pub trace_spans: SpanCounters,
}

impl Metrics {
    /// Makes and registers the metrics of a node that has just started, on its runtime.
    pub fn of(node: &Node) -> Self {
        let (service, readiness) = (node.service(), node.readiness());
        let metrics = Self {
            registry: Mutex::default(),
            validations: node.validations().clone(),
            admin_refusals: Counter::default(),
            trace_spans: SpanCounters::default(),
        };
        metrics.registry().register_collector(Box::new(Collected((), process::encode)));
        metrics.collect(metrics.validations.clone(), validations::encode);
        metrics.collect(node.last_access().clone(), last_access::encode);
        metrics.register_counters();
        metrics.register(
            "build",
            "The version of Doorward",
            Info::new([("version", env!("CARGO_PKG_VERSION"))]),
        );
        for encode in [cache::encode, foreign::encode, changes::encode, redis::encode, replay::encode] {
            metrics.collect(service.store().clone(), encode);
        }
        metrics.collect(readiness.clone(), encode_state);
        metrics.collect((readiness.clone(), service.store().clone()), store::encode);
        metrics.collect((service.live_tokens().clone(), Handle::current()), live_tokens::encode);
        metrics.collect(service.clone(), cutoffs::encode);
        metrics
    }

    fn register_counters(&self) {
        for (name, help, counter) in [
            ("admin_refusals", "Requests to the admin plane without a valid API key", &self.admin_refusals),
            ("trace_spans_exported", "Spans that the trace collector accepted", &self.trace_spans.exported),
            (
                "trace_spans_dropped",
                "Spans lost because the queue was full or the collector did not accept them",
                &self.trace_spans.dropped,
            ),
        ] {
            self.register(name, help, counter.clone());
        }
    }

    /// Registers a metric. `doorward_` is put before its name; `help` is without its full stop.
    pub fn register(&self, name: &str, help: &str, metric: impl Metric) {
        self.registry().sub_registry_with_prefix("doorward").register(name, help, metric);
    }

    /// Registers metrics that `encode` reads from `source` at each scrape. `doorward_` is put before their names.
    pub fn collect<T: Send + Sync + 'static>(&self, source: T, encode: Encode<T>) {
        let collector = Box::new(Collected(source, encode));
        self.registry().sub_registry_with_prefix("doorward").register_collector(collector);
    }

    /// Returns the metrics as text.
    pub fn text(&self, format: TextFormat) -> String {
        format.encode(&self.registry())
    }

    /// Locked to register and for a scrape, never for a request.
    fn registry(&self) -> MutexGuard<'_, Registry> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Encodes what it reads from a source.
type Encode<T> = fn(&T, &mut DescriptorEncoder<'_>) -> fmt::Result;

/// A source of metrics, and what encodes them at each scrape.
struct Collected<T>(T, Encode<T>);

impl<T> fmt::Debug for Collected<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Collected")
    }
}

impl<T: Send + Sync + 'static> Collector for Collected<T> {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let Self(source, encode) = self;
        encode(source, &mut encoder)
    }
}

/// Encodes the readiness, and the counter of the log.
fn encode_state(readiness: &Readiness, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let is_ready = f64::from(u8::from(readiness.is_ready()));
    gauge(encoder, "ready", "1 if this node should get traffic, else 0.", is_ready)?;
    let help = "Log lines that could not be written.";
    counter(encoder, "log_lines_lost", help, logging::lost_lines())
}
