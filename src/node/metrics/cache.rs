//! The near cache.

use std::fmt;

use prometheus_client::encoding::DescriptorEncoder;

use super::encode::{counter, gauge};
use crate::store::Store;

/// Encodes the statistics of the near cache.
pub(super) fn encode(store: &Store, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let stats = store.cache_stats();
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
        counter(encoder, name, help, count)?;
    }
    gauge(encoder, "cache_entries", "Entries in the near cache.", stats.entries as f64)
}
