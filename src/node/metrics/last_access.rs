//! The writes of last accesses, and the age of the oldest access that is not written to the store.

use std::fmt;

use prometheus_client::encoding::DescriptorEncoder;

use super::encode::{counter, gauge};
use crate::last_access::LastAccess;

/// Encodes the counters and the age of the recorder of accesses.
pub(super) fn encode(last_access: &LastAccess, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let counters = last_access.counters();
    let help = "Last accesses written to the store.";
    counter(encoder, "last_access_flushed", help, counters.flushed.get())?;
    let help = "Last accesses dropped because the queue was full.";
    counter(encoder, "last_access_dropped", help, counters.dropped.get())?;
    let help = "Writes of last accesses that failed.";
    counter(encoder, "last_access_failed_writes", help, counters.failed_writes.get())?;
    let help = "Age of the oldest access that is not written to the store.";
    gauge(encoder, "last_access_flush_lag_seconds", help, last_access.flush_lag_ms() as f64 / 1000.0)
}
