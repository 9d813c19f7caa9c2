//! The age of the oldest access that is not written to the store.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;

use super::encode::gauge;
use crate::last_access::LastAccess;

/// Reads the age from the recorder of accesses.
pub(crate) struct FlushLagCollector(pub(crate) LastAccess);

impl fmt::Debug for FlushLagCollector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FlushLagCollector")
    }
}

impl Collector for FlushLagCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let help = "Age of the oldest access that is not written to the store.";
        gauge(&mut encoder, "last_access_flush_lag_seconds", help, self.0.flush_lag_ms() as f64 / 1000.0)
    }
}
