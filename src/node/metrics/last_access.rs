//! The writes of last accesses, and the age of the oldest access that is not written to the store.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;

use super::encode::{counter, gauge};
use crate::last_access::LastAccess;

/// Reads the counters and the age from the recorder of accesses.
pub(crate) struct LastAccessCollector(pub(crate) LastAccess);

impl fmt::Debug for LastAccessCollector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LastAccessCollector")
    }
}

impl Collector for LastAccessCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let (encoder, counters) = (&mut encoder, self.0.counters());
        let help = "Last accesses written to the store.";
        counter(encoder, "last_access_flushed", help, counters.flushed.get())?;
        let help = "Last accesses dropped because the queue was full.";
        counter(encoder, "last_access_dropped", help, counters.dropped.get())?;
        let help = "Writes of last accesses that failed.";
        counter(encoder, "last_access_failed_writes", help, counters.failed_writes.get())?;
        let help = "Age of the oldest access that is not written to the store.";
        gauge(encoder, "last_access_flush_lag_seconds", help, self.0.flush_lag_ms() as f64 / 1000.0)
    }
}
