//! A node's reports about itself, in the store, where every node can read them; and the reports of the others.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::rngs::SysError;

use super::readiness::Readiness;
use super::tally::Tally;
use crate::clock::ClockReading;
use crate::entropy::Entropy;
use crate::model::node_report::{NODE_NAME_MAX_CHARS, NodeRates, NodeReport, ReportedNode};
use crate::service::Service;
use crate::store::Store;
use crate::validation::counters::AllValidations;

/// The pause between two reports, and the interval of their rates.
const REPORT_INTERVAL: Duration = Duration::from_secs(2);

/// Writes a node's reports, and reads those of all nodes.
pub struct Reporter {
    service: Arc<Service>,
    readiness: Readiness,
    validations: AllValidations,
    /// Random: a node that starts again is another one.
    id: String,
    name: String,
    started: ClockReading,
    /// What the node did in the last interval.
    rates: ArcSwapOption<NodeRates>,
}

/// The nodes of a store.
pub struct KnownNodes {
    /// By their names.
    pub nodes: Vec<ReportedNode>,
    /// Whether the reports of the others could be read.
    pub is_complete: bool,
    /// The time of this list, by the store's clock.
    pub now_ms: u64,
}

impl Reporter {
    /// Makes the reporter of a node that has just started. An empty name stands for the name of the host.
    ///
    /// # Errors
    /// If the operating system cannot supply random bytes.
    pub fn new(
        service: Arc<Service>,
        readiness: Readiness,
        validations: AllValidations,
        name: &str,
        entropy: &Entropy,
    ) -> Result<Self, SysError> {
        let id = URL_SAFE_NO_PAD.encode(entropy.bytes::<9>()?);
        let name = if name.is_empty() { host_name() } else { name.to_owned() };
        let started = service.clock().reading();
        Ok(Self { service, readiness, validations, id, name, started, rates: ArcSwapOption::empty() })
    }

    /// The random name of this run of the node.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns the milliseconds since the node's start.
    pub fn uptime_ms(&self) -> u64 {
        self.service.clock().elapsed_ns(self.started) / 1_000_000
    }

    /// Returns the nodes of the store: this one as it is now, and the others by their last reports.
    pub async fn nodes(&self) -> KnownNodes {
        let now_ms = self.service.clock().now_ms();
        let own = ReportedNode { id: self.id.clone(), reported_at_ms: now_ms, report: self.report() };
        // The monitor reports a store that cannot be reached.
        let read = self.service.store().node_reports(now_ms).await;
        let is_complete = read.is_ok();
        let others = read.unwrap_or_default().into_iter().filter(|node| node.id != self.id);
        let mut nodes: Vec<_> = others.chain([own]).collect();
        nodes.sort_by(|a, b| (&a.report.name, &a.id).cmp(&(&b.report.name, &b.id)));
        KnownNodes { nodes, is_complete, now_ms }
    }

    /// Writes a report at once, and then after each interval. Ends with its runtime.
    pub async fn run(self: Arc<Self>) -> Infallible {
        let mut before = self.tally();
        loop {
            // A report that is lost is made good by the next one. The monitor reports a store that cannot be reached.
            let now_ms = self.service.clock().now_ms();
            let _ = self.service.store().report_node(&self.id, &self.report(), now_ms).await;
            tokio::time::sleep(REPORT_INTERVAL).await;
            let now = self.tally();
            self.rates.store(now.rates_since(&before).map(Arc::new));
            before = now;
        }
    }

    /// Removes the node's report, once its worker has ended. A stop does not wait for a store that is away.
    pub async fn remove(&self) {
        if self.readiness.report().are_all_masters_unreachable() {
            return;
        }
        let now_ms = self.service.clock().now_ms();
        // A report that stays is dropped once it is old.
        let _ = self.service.store().remove_node_report(&self.id, now_ms).await;
    }

    fn report(&self) -> NodeReport {
        let (store, report) = (self.service.store(), self.readiness.report());
        let has_cache = !matches!(store, Store::Memory(_));
        NodeReport {
            name: self.name.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            uptime_ms: self.uptime_ms(),
            is_ready: self.readiness.is_ready(),
            is_stopping: self.readiness.is_draining(),
            faults: kinds(report.faults.iter().map(|fault| fault.kind.name())),
            lease_age_ms: store.lease_ages_ms().into_iter().map(|(_, age_ms)| age_ms).max(),
            cached_tokens: has_cache.then(|| store.cache_stats().entries as u64),
            rates: self.rates.load_full().map(|rates| *rates),
        }
    }

    fn tally(&self) -> Tally {
        Tally::of(self.service.store(), &self.validations, self.service.clock())
    }
}

/// Returns each kind once: several servers may have the same fault.
fn kinds(names: impl Iterator<Item = &'static str>) -> Vec<String> {
    let mut kinds: Vec<String> = names.map(str::to_owned).collect();
    // They are sorted by kind.
    kinds.dedup();
    kinds
}

/// Returns the name of this machine, as `uname -n` shows it, as far as a node's name may have it.
fn host_name() -> String {
    let uname = rustix::system::uname();
    let name = uname.nodename().to_string_lossy();
    name.chars().filter(char::is_ascii_graphic).take(NODE_NAME_MAX_CHARS).collect()
}
