//! The cut-offs as this node knows them.

use std::fmt;
use std::sync::Arc;

use prometheus_client::encoding::DescriptorEncoder;

use super::encode::gauge;
use crate::service::Service;

/// Encodes the cut-offs of the service.
pub(super) fn encode(service: &Arc<Service>, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let Some((cutoffs, age_ms)) = service.known_cutoffs().zip(service.cutoffs_age_ms()) else {
        return Ok(());
    };
    let unfinished = cutoffs.iter().filter(|cutoff| cutoff.progress.finished_at_ms.is_none());
    let (count, unfinished) = (cutoffs.iter().count() as f64, unfinished.count() as f64);
    gauge(encoder, "cutoffs", "Cut-offs that this node judges by.", count)?;
    let help = "Cut-offs whose tokens are not all revoked for good yet.";
    gauge(encoder, "cutoffs_unfinished", help, unfinished)?;
    let help = "Seconds since this node last began to read the cut-offs.";
    gauge(encoder, "cutoffs_age_seconds", help, age_ms as f64 / 1000.0)
}
