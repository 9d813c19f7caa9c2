//! All metrics of a node.

use std::sync::{Mutex, MutexGuard, PoisonError};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Metric, Registry};
use tokio::runtime::Handle;

use super::cache::CacheCollector;
use super::changes::ChangeCollector;
use super::cutoffs::CutoffCollector;
use super::encode::{counter, gauge};
use super::foreign::ForeignCollector;
use super::format::TextFormat;
use super::last_access::LastAccessCollector;
use super::live_tokens::LiveTokenCollector;
use super::process::ProcessCollector;
use super::redis::RedisCollector;
use super::replay::ReplayCollector;
use super::store::StoreCollector;
use super::validations::ValidationCollector;
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
        let (service, readiness, last_access) = (node.service(), node.readiness(), node.last_access());
        let store = service.store();
        let metrics = Self {
            registry: Mutex::default(),
            validations: node.validations().clone(),
            admin_refusals: Counter::default(),
            trace_spans: SpanCounters::default(),
        };
        metrics.registry().register_collector(Box::new(ProcessCollector));
        metrics.collect(ValidationCollector(metrics.validations.clone()));
        metrics.collect(LastAccessCollector(last_access.clone()));
        metrics.register_counters();
        metrics.register(
            "build",
            "The version of Doorward",
            Info::new([("version", env!("CARGO_PKG_VERSION"))]),
        );
        metrics.collect(CacheCollector(store.clone()));
        metrics.collect(ForeignCollector(store.clone()));
        metrics.collect(ChangeCollector(store.clone()));
        metrics.collect(RedisCollector(store.clone()));
        metrics.collect(ReplayCollector(store.clone()));
        metrics.collect(StateCollector(readiness.clone()));
        metrics.collect(StoreCollector { readiness: readiness.clone(), store: store.clone() });
        let (sampler, runtime) = (service.live_tokens().clone(), Handle::current());
        metrics.collect(LiveTokenCollector { sampler, runtime });
        metrics.collect(CutoffCollector(service.clone()));
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

    /// Registers a collector, which reads its values at each scrape. `doorward_` is put before its names.
    pub fn collect(&self, collector: impl Collector) {
        self.registry().sub_registry_with_prefix("doorward").register_collector(Box::new(collector));
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

/// Reads the readiness, and the counter of the log.
#[derive(Debug)]
struct StateCollector(Readiness);

impl Collector for StateCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> std::fmt::Result {
        let is_ready = f64::from(u8::from(self.0.is_ready()));
        gauge(&mut encoder, "ready", "1 if this node should get traffic, else 0.", is_ready)?;
        let help = "Log lines that could not be written.";
        counter(&mut encoder, "log_lines_lost", help, logging::lost_lines())
    }
}
