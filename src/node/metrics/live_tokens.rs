//! The number of live tokens.

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use tokio::runtime::Handle;

use super::encode::gauge;
use crate::service::live_tokens::LiveTokenSampler;

/// An older sample is not shown.
const MAX_AGE_MS: u64 = 5 * 60 * 1000;

/// Shows the last sample. No scrape waits for one: if one is due, it is taken meanwhile and is shown by the next scrape.
pub(crate) struct LiveTokenCollector {
    pub(crate) sampler: Arc<LiveTokenSampler>,
    /// The runtime that takes the samples.
    pub(crate) runtime: Handle,
}

impl fmt::Debug for LiveTokenCollector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LiveTokenCollector")
    }
}

impl Collector for LiveTokenCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        if self.sampler.is_due() {
            let sampler = self.sampler.clone();
            // The sampler keeps the outcome.
            self.runtime.spawn(async move { drop(sampler.live_tokens().await) });
        }
        let Some(live) = self.sampler.last(MAX_AGE_MS) else { return Ok(()) };
        let help = "Live tokens in the store, estimated from a sample. The same on every node.";
        gauge(&mut encoder, "live_tokens", help, live.estimate as f64)
    }
}
