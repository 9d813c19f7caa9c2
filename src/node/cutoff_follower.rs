//! The worker that keeps the cut-offs of this node in step with the store's.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use crate::logging::RepeatedFault;
use crate::service::Service;
use crate::store::StoreError;

/// The pause between two looks. An event makes the worker look at once; a look makes good for a lost event.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);

/// Reads the cut-offs whenever one may have changed. It does not wait for the monitor, whose probe takes longer while a
/// master is away.
pub(super) async fn follow_cutoffs(service: Arc<Service>) -> Infallible {
    let faults = RepeatedFault::default();
    loop {
        let changed = service.store().feed().cutoffs_changed();
        // Elapsed or changed: both are a reason to look.
        let _ = tokio::time::timeout(LOOK_INTERVAL, changed).await;
        // The monitor reports a store that cannot be reached.
        if let Err(error @ StoreError::Corrupt { .. }) = service.follow_cutoffs().await
            && let Some(due) = faults.due(service.clock().boottime_ms())
        {
            tracing::warn!(%error, suppressed = due.suppressed, "cutoffs not read");
        }
    }
}
