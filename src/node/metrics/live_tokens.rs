//! The number of live tokens.

use std::fmt;
use std::sync::Arc;

use prometheus_client::encoding::DescriptorEncoder;
use tokio::runtime::Handle;

use super::encode::gauge;
use crate::service::live_tokens::LiveTokenSampler;

/// An older sample is not shown.
const MAX_AGE_MS: u64 = 5 * 60 * 1000;

/// Encodes the last sample. No scrape waits for one: if one is due, `runtime` takes it meanwhile, and the next scrape shows it.
pub(super) fn encode(
    (sampler, runtime): &(Arc<LiveTokenSampler>, Handle),
    encoder: &mut DescriptorEncoder<'_>,
) -> fmt::Result {
    if sampler.is_due() {
        let sampler = sampler.clone();
        // The sampler keeps the outcome.
        runtime.spawn(async move { drop(sampler.live_tokens().await) });
    }
    let Some(live) = sampler.last(MAX_AGE_MS) else { return Ok(()) };
    let help = "Live tokens in the store, estimated from a sample. The same on every node.";
    gauge(encoder, "live_tokens", help, live.estimate as f64)
}
