//! What this node remembers, and what it has merged. Absent on the embedded store.

use std::fmt;

use prometheus_client::encoding::DescriptorEncoder;

use super::encode::{counter, counters, gauge, gauges, seconds};
use crate::store::Store;

/// Encodes the sizes and the counters of the store's memory.
pub(super) fn encode(store: &Store, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let Some((size, merged, masters)) = store.replay_stats() else { return Ok(()) };
    let about = ("replay_entries", "Acknowledged changes that this node remembers, by kind.");
    let kinds = [("revocations", size.revocations), ("endings", size.endings), ("changes", size.changes)];
    gauges(encoder, about, kinds.map(|(kind, count)| ([("kind", kind)], count as f64)))?;
    let help = "Memory of the remembered changes.";
    gauge(encoder, "replay_bytes", help, size.change_bytes as f64)?;
    let help = "Remembered changes that were forgotten early because there were too many.";
    counter(encoder, "replay_forgotten", help, size.forgotten)?;
    let about = ("replay_waiting_masters", "Masters that this node waits for: it merges, or others may.");
    let waiting = [("merging", masters.merging), ("settling", masters.settling)];
    gauges(encoder, about, waiting.map(|(state, count)| ([("state", state)], count as f64)))?;
    let help = "Merges of remembered changes into a master's data.";
    counter(encoder, "replay_merges", help, merged.merges)?;
    let help = "Time that the merges took.";
    seconds(encoder, "replay_merge_seconds", help, merged.took_ms as f64 / 1e3)?;
    let about = ("replay_merged", "Remembered changes that were merged, by what that did.");
    let outcomes = merged.counts.by_outcome();
    counters(encoder, about, outcomes.map(|(outcome, count)| ([("outcome", outcome)], count as u64)))
}
