//! What is counted, and its Prometheus text.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::last_access::LastAccessCounters;
use crate::readiness::Readiness;
use crate::validator::ValidationCounters;

/// The content type of the text (OpenMetrics 1.0).
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ValidationLabels {
    result: &'static str,
    thread: usize,
}

/// The metrics of a node.
pub struct Metrics {
    registry: Registry,
    validations: Family<ValidationLabels, prometheus_client::metrics::counter::Counter>,
    ready: Gauge,
    readiness: Readiness,
    /// Handed to the flusher.
    pub last_access: LastAccessCounters,
}

impl Metrics {
    /// All at zero.
    pub fn new(readiness: Readiness) -> Self {
        let mut registry = Registry::with_prefix("doorward");
        let validations = Family::default();
        registry.register("validations", "Validations by result and thread", validations.clone());
        let last_access = LastAccessCounters::default();
        for (name, help, counter) in [
            ("last_access_flushed", "Accesses written to the store", &last_access.flushed),
            ("last_access_dropped", "Accesses lost because the queue was full", &last_access.dropped),
            (
                "last_access_failed_writes",
                "Writes of accesses that the store refused",
                &last_access.failed_writes,
            ),
        ] {
            registry.register(name, help, counter.clone());
        }
        let ready = Gauge::default();
        registry.register("ready", "1 while this node should get traffic", ready.clone());
        Self { registry, validations, ready, readiness, last_access }
    }

    /// The counters of a validation thread.
    pub fn validation_counters(&self, thread: usize) -> ValidationCounters {
        let counter = |result| self.validations.get_or_create_owned(&ValidationLabels { result, thread });
        ValidationCounters {
            valid: counter("valid"),
            forged: counter("forged"),
            refused: counter("refused"),
            unavailable: counter("unavailable"),
        }
    }

    /// The text that Prometheus reads.
    pub fn text(&self) -> String {
        self.ready.set(self.readiness.is_ready().into());
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}
