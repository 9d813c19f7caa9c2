//! What a node reports about itself to the other nodes of its store.

/// The most nodes whose reports are kept. One more drops the report that is oldest.
pub const MAX_REPORTED_NODES: usize = 128;
/// Characters of a node's name.
pub const NODE_NAME_MAX_CHARS: usize = 64;
/// A report is kept for so long after it was written.
pub const REPORT_KEPT_MS: u64 = 300_000;
/// A node whose last report is older than this is silent: it was killed, or cannot reach the store.
pub const SILENT_AFTER_MS: u64 = 10_000;

/// A node's report about itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NodeReport {
    /// The setting `node-name`, or the name of its host.
    pub name: String,
    /// Its version of Doorward.
    pub version: String,
    /// The time since its start.
    pub uptime_ms: u64,
    /// Whether it should get traffic.
    pub is_ready: bool,
    /// Whether it is stopping.
    pub is_stopping: bool,
    /// The kinds of faults that it found when it last inspected the store, worst first. Another version may know other kinds.
    pub faults: Vec<String>,
    /// The age of the near cache's oldest lease; `None` without one.
    pub lease_age_ms: Option<u64>,
    /// The entries of its near cache; `None` on the embedded store, which has none.
    pub cached_tokens: Option<u64>,
    /// Its figures; `None` until it has run for one interval.
    pub rates: Option<NodeRates>,
}

/// What a node did in the last interval, by the second.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct NodeRates {
    /// Validations of valid tokens.
    pub valid: f64,
    /// Validations of malformed and forged strings.
    pub forged: f64,
    /// Refused validations.
    pub refused: f64,
    /// Validations of tokens whose second factor is still to be shown.
    pub pending: f64,
    /// Validations that could not ask the store.
    pub unavailable: f64,
    /// Tokens issued.
    pub issued: f64,
    /// Tokens revoked.
    pub revoked: f64,
    /// The share of look-ups that the near cache answered, from 0 to 1; `None` without a look-up.
    pub hit_rate: Option<f64>,
    /// The median and the 99th percentile of the durations of validations, in seconds; `None` without a validation.
    pub duration_seconds: Option<(f64, f64)>,
}

/// The report of a node, as the store keeps it.
#[derive(Clone, Debug, PartialEq)]
pub struct ReportedNode {
    /// The random name of this run of the node.
    pub id: String,
    /// When the report was written, by the store's clock.
    pub reported_at_ms: u64,
    /// The report.
    pub report: NodeReport,
}

impl ReportedNode {
    /// Whether the report is still kept.
    pub fn is_kept(&self, now_ms: u64) -> bool {
        now_ms < self.reported_at_ms.saturating_add(REPORT_KEPT_MS)
    }

    /// Whether the node should have written a later report by now.
    pub fn is_silent(&self, now_ms: u64) -> bool {
        now_ms > self.reported_at_ms.saturating_add(SILENT_AFTER_MS)
    }
}
