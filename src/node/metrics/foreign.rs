//! Foreign token strings.

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;

use super::encode::{counters, gauge};
use crate::store::Store;

/// Reads the counters of the look-ups of aliases.
#[derive(Debug)]
pub(super) struct ForeignCollector(pub(super) Store);

impl Collector for ForeignCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> std::fmt::Result {
        let stats = self.0.alias_stats();
        let about = (
            "foreign_lookups",
            "Look-ups of foreign token strings, by result; refused ones exceeded foreign-lookups.",
        );
        let counts = [("found", stats.found), ("unknown", stats.unknown), ("refused", stats.refused)];
        counters(&mut encoder, about, counts.map(|(result, count)| ([("result", result)], count)))?;
        let help = "Foreign token strings whose tokens are remembered.";
        gauge(&mut encoder, "foreign_cache_entries", help, stats.entries as f64)
    }
}
