//! The metrics of a node, as text for Prometheus.

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::registry::Registry;

use super::readiness::Readiness;
use crate::last_access::recorder::LastAccessCounters;
use crate::logging;
use crate::store::Store;
use crate::store::report::FaultKind;
use crate::telemetry::SpanCounters;
use crate::validation::validator::ValidationCounters;

/// The content type of the metrics (OpenMetrics 1.0).
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ValidationLabels {
    result: &'static str,
    thread: String,
}

/// The metrics of a node.
pub struct Metrics {
    registry: Registry,
    validations: Family<ValidationLabels, Counter>,
    ready: Gauge,
    readiness: Readiness,
    /// The counters of the last-access recorder.
    pub last_access: LastAccessCounters,
    /// The counter of the admin plane.
    pub admin_refusals: Counter,
    /// The counters of the export of traces.
    pub trace_spans: SpanCounters,
}

impl Metrics {
    /// Makes and registers the metrics.
    pub fn new(readiness: Readiness, store: Store) -> Self {
        let mut registry = Registry::with_prefix("doorward");
        let validations = Family::default();
        registry.register("validations", "Validations, by result and thread", validations.clone());
        let last_access = LastAccessCounters::default();
        let admin_refusals = Counter::default();
        let trace_spans = SpanCounters::default();
        for (name, help, counter) in [
            ("last_access_flushed", "Last accesses written to the store", &last_access.flushed),
            ("last_access_dropped", "Last accesses dropped because the queue was full", &last_access.dropped),
            ("last_access_failed_writes", "Writes of last accesses that failed", &last_access.failed_writes),
            ("admin_refusals", "Requests to the admin plane without a valid API key", &admin_refusals),
            ("trace_spans_exported", "Spans that the trace collector accepted", &trace_spans.exported),
            (
                "trace_spans_dropped",
                "Spans lost because the queue was full or the collector did not accept them",
                &trace_spans.dropped,
            ),
        ] {
            registry.register(name, help, counter.clone());
        }
        registry.register_collector(Box::new(CacheCollector(store)));
        registry.register_collector(Box::new(LogCollector));
        registry.register_collector(Box::new(StoreCollector(readiness.clone())));
        let ready = Gauge::default();
        registry.register("ready", "1 if this node should get traffic, else 0", ready.clone());
        Self { registry, validations, ready, readiness, last_access, admin_refusals, trace_spans }
    }

    /// Returns the counters of a validation thread.
    pub fn validation_counters(&self, thread: usize) -> ValidationCounters {
        self.counters_of(thread.to_string())
    }

    /// Returns the counters of another validator. `name` is the value of the label `thread`.
    pub fn counters_of(&self, name: String) -> ValidationCounters {
        let counter =
            |result| self.validations.get_or_create_owned(&ValidationLabels { result, thread: name.clone() });
        ValidationCounters {
            valid: counter("valid"),
            forged: counter("forged"),
            refused: counter("refused"),
            pending: counter("pending"),
            unavailable: counter("unavailable"),
        }
    }

    /// Returns the metrics as text.
    pub fn text(&self) -> String {
        self.ready.set(self.readiness.is_ready().into());
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

/// Reads the counter of the log.
#[derive(Debug)]
struct LogCollector;

impl Collector for LogCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> std::fmt::Result {
        let lost = ConstCounter::new(logging::lost_lines());
        let help = "Log lines that could not be written.";
        lost.encode(encoder.encode_descriptor("log_lines_lost", help, None, lost.metric_type())?)
    }
}

/// Reads the statistics of the near cache.
#[derive(Debug)]
struct CacheCollector(Store);

impl Collector for CacheCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> std::fmt::Result {
        let stats = self.0.cache_stats();
        for (name, help, count) in [
            ("cache_hits", "Look-ups answered from the near cache.", stats.hits),
            (
                "cache_stale_hits",
                "Look-ups answered from the near cache during stale-grace, while the store was unreachable.",
                stats.stale_hits,
            ),
            ("cache_misses", "Look-ups that read the store.", stats.misses),
            ("cache_joins", "Look-ups that waited for the store read of another look-up.", stats.joins),
            ("cache_evictions", "Entries evicted to make room for others.", stats.evictions),
            (
                "cache_invalidations",
                "Entries and pending reads discarded because the token changed.",
                stats.invalidations,
            ),
        ] {
            let counter = ConstCounter::new(count);
            counter.encode(encoder.encode_descriptor(name, help, None, counter.metric_type())?)?;
        }
        let entries = ConstGauge::new(i64::try_from(stats.entries).unwrap_or(i64::MAX));
        entries.encode(encoder.encode_descriptor(
            "cache_entries",
            "Entries in the near cache.",
            None,
            entries.metric_type(),
        )?)
    }
}

/// Reads the findings of the last probe of the store.
#[derive(Debug)]
struct StoreCollector(Readiness);

impl Collector for StoreCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> std::fmt::Result {
        let report = self.0.report();
        let faults =
            FaultKind::ALL.map(|kind| (kind.name(), report.faults.iter().any(|fault| fault.kind == kind)));
        encode_each(
            &mut encoder,
            ("store_fault", "1 if the store has a fault of this kind, else 0."),
            "kind",
            faults,
        )?;
        let tracking = (
            "tracking_live",
            "1 if this master announces changed tokens, so that its tokens may be cached, else 0.",
        );
        let tracked =
            report.masters.iter().filter_map(|master| Some((master.address.as_str(), master.is_tracked?)));
        encode_each(&mut encoder, tracking, "master", tracked)?;
        let evicting = ("redis_evicting", "1 if the maxmemory-policy of this master may evict keys, else 0.");
        let evicts = report.masters.iter().map(|master| (master.address.as_str(), master.evicts()));
        encode_each(&mut encoder, evicting, "master", evicts)
    }
}

/// Encodes a gauge of 0 or 1 for each value of a label.
fn encode_each<'a>(
    encoder: &mut DescriptorEncoder<'_>,
    (name, help): (&str, &str),
    label: &str,
    values: impl IntoIterator<Item = (&'a str, bool)>,
) -> std::fmt::Result {
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
    for (value, is_set) in values {
        ConstGauge::new(i64::from(is_set)).encode(family.encode_family(&[(label, value)])?)?;
    }
    Ok(())
}
