//! Foreign token strings.

use std::fmt;

use prometheus_client::encoding::DescriptorEncoder;

use super::encode::{counters, gauge};
use crate::store::Store;

/// Encodes the counters of the look-ups of aliases.
pub(super) fn encode(store: &Store, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let stats = store.alias_stats();
    let about = (
        "foreign_lookups",
        "Look-ups of foreign token strings, by result; refused ones exceeded foreign-lookups.",
    );
    let counts = [("found", stats.found), ("unknown", stats.unknown), ("refused", stats.refused)];
    counters(encoder, about, counts.map(|(result, count)| ([("result", result)], count)))?;
    let help = "Foreign token strings whose tokens are remembered.";
    gauge(encoder, "foreign_cache_entries", help, stats.entries as f64)
}
