//! The JSON object of a node.

use serde::Serialize;

use super::timestamp::timestamp;
use crate::model::node_report::{NodeRates, NodeReport, ReportedNode};

/// A node by its last report. Its fields are described in docs/status.md.
#[derive(Serialize)]
pub struct NodeJson<'a> {
    id: &'a str,
    name: &'a str,
    answering: bool,
    version: &'a str,
    started_at: String,
    reported_at: String,
    age_seconds: f64,
    silent: bool,
    ready: bool,
    stopping: bool,
    faults: &'a [String],
    validations_per_second: Option<Validations>,
    tokens_per_second: Option<Tokens>,
    hit_rate: Option<f64>,
    validation_seconds: Option<Durations>,
    lease_age_seconds: Option<f64>,
    cached_tokens: Option<u64>,
}

#[derive(Serialize)]
struct Validations {
    valid: f64,
    forged: f64,
    refused: f64,
    pending: f64,
    unavailable: f64,
}

#[derive(Serialize)]
struct Tokens {
    issued: f64,
    revoked: f64,
}

#[derive(Serialize)]
struct Durations {
    median: f64,
    p99: f64,
}

impl<'a> NodeJson<'a> {
    /// Shows a node at this time. `answering` says that it is the node that answers.
    pub fn of(node: &'a ReportedNode, answering: bool, now_ms: u64) -> Self {
        let ReportedNode { id, reported_at_ms, report } = node;
        let NodeReport { rates, .. } = report;
        Self {
            id,
            name: &report.name,
            answering,
            version: &report.version,
            started_at: timestamp(reported_at_ms.saturating_sub(report.uptime_ms)),
            reported_at: timestamp(*reported_at_ms),
            age_seconds: seconds(now_ms.saturating_sub(*reported_at_ms)),
            silent: node.is_silent(now_ms),
            ready: report.is_ready,
            stopping: report.is_stopping,
            faults: &report.faults,
            validations_per_second: rates.map(validations),
            tokens_per_second: rates.map(|NodeRates { issued, revoked, .. }| Tokens {
                issued: tenths(issued),
                revoked: tenths(revoked),
            }),
            hit_rate: rates.and_then(|rates| rates.hit_rate).map(|rate| (rate * 1e4).round() / 1e4),
            validation_seconds: rates.and_then(|rates| rates.duration_seconds).map(durations),
            lease_age_seconds: report.lease_age_ms.map(seconds),
            cached_tokens: report.cached_tokens,
        }
    }
}

fn validations(rates: NodeRates) -> Validations {
    Validations {
        valid: tenths(rates.valid),
        forged: tenths(rates.forged),
        refused: tenths(rates.refused),
        pending: tenths(rates.pending),
        unavailable: tenths(rates.unavailable),
    }
}

/// Rounds to tenths of a microsecond.
fn durations((median, p99): (f64, f64)) -> Durations {
    let rounded = |seconds: f64| (seconds * 1e7).round() / 1e7;
    Durations { median: rounded(median), p99: rounded(p99) }
}

fn tenths(rate: f64) -> f64 {
    (rate * 10.0).round() / 10.0
}

fn seconds(ms: u64) -> f64 {
    ms as f64 / 1000.0
}
