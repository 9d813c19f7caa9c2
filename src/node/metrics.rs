//! What is counted, and its Prometheus text.

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
use crate::validation::validator::ValidationCounters;

/// The content type of the text (OpenMetrics 1.0).
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
    /// Handed to the flusher.
    pub last_access: LastAccessCounters,
    /// Handed to the admin plane.
    pub admin_refusals: Counter,
}

impl Metrics {
    /// All at zero.
    pub fn new(readiness: Readiness, store: Store) -> Self {
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
        let admin_refusals = Counter::default();
        registry.register(
            "admin_refusals",
            "Requests to the admin plane without good credentials",
            admin_refusals.clone(),
        );
        registry.register_collector(Box::new(CacheCollector(store)));
        registry.register_collector(Box::new(LogCollector));
        registry.register_collector(Box::new(StoreCollector(readiness.clone())));
        let ready = Gauge::default();
        registry.register("ready", "1 while this node should get traffic", ready.clone());
        Self { registry, validations, ready, readiness, last_access, admin_refusals }
    }

    /// The counters of a validation thread.
    pub fn validation_counters(&self, thread: usize) -> ValidationCounters {
        self.counters_of(thread.to_string())
    }

    /// The counters of a validator that is not a validation thread's; `name` stands in the thread's place.
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

    /// The text that Prometheus reads.
    pub fn text(&self) -> String {
        self.ready.set(self.readiness.is_ready().into());
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

/// Asks the log of this process.
#[derive(Debug)]
struct LogCollector;

impl Collector for LogCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> std::fmt::Result {
        let lost = ConstCounter::new(logging::lost_lines());
        let help = "Log lines that could not be written";
        lost.encode(encoder.encode_descriptor("log_lines_lost", help, None, lost.metric_type())?)
    }
}

/// Asks the near cache when it is asked.
#[derive(Debug)]
struct CacheCollector(Store);

impl Collector for CacheCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> std::fmt::Result {
        let stats = self.0.cache_stats();
        for (name, help, count) in [
            ("cache_hits", "Look-ups answered from the near cache", stats.hits),
            (
                "cache_stale_hits",
                "Look-ups answered in the grace while the store could not be asked",
                stats.stale_hits,
            ),
            ("cache_misses", "Look-ups that read the store", stats.misses),
            ("cache_joins", "Look-ups that waited for another's read", stats.joins),
            ("cache_evictions", "Entries that made room for others", stats.evictions),
            ("cache_invalidations", "Entries and reads taken out by a change", stats.invalidations),
        ] {
            let counter = ConstCounter::new(count);
            counter.encode(encoder.encode_descriptor(name, help, None, counter.metric_type())?)?;
        }
        let entries = ConstGauge::new(i64::try_from(stats.entries).unwrap_or(i64::MAX));
        entries.encode(encoder.encode_descriptor(
            "cache_entries",
            "Entries held now",
            None,
            entries.metric_type(),
        )?)
    }
}

/// Tells what the last look at the store found.
#[derive(Debug)]
struct StoreCollector(Readiness);

impl Collector for StoreCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> std::fmt::Result {
        let report = self.0.report();
        let faults =
            FaultKind::ALL.map(|kind| (kind.name(), report.faults.iter().any(|fault| fault.kind == kind)));
        encode_each(
            &mut encoder,
            ("store_fault", "1 while the store has a fault of this kind"),
            "kind",
            faults,
        )?;
        let tracking =
            ("tracking_live", "1 while changes at this master are heard, so that its tokens are cached");
        let tracked =
            report.masters.iter().filter_map(|master| Some((master.address.as_str(), master.is_tracked?)));
        encode_each(&mut encoder, tracking, "master", tracked)?;
        let evicting = ("redis_evicting", "1 while maxmemory-policy lets this master evict keys");
        let evicts = report.masters.iter().map(|master| (master.address.as_str(), master.evicts()));
        encode_each(&mut encoder, evicting, "master", evicts)
    }
}

/// One gauge of 0 or 1 for each value of a label.
fn encode_each<'a>(
    encoder: &mut DescriptorEncoder<'_>,
    (name, help): (&str, &str),
    label: &str,
    values: impl IntoIterator<Item = (&'a str, bool)>,
) -> std::fmt::Result {
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
    for (value, is) in values {
        ConstGauge::new(i64::from(is)).encode(family.encode_family(&[(label, value)])?)?;
    }
    Ok(())
}
