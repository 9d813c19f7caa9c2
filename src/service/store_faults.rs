//! The log of calls that the store did not answer.

use crate::logging::RepeatedFault;
use crate::store::StoreError;

/// Logs store errors, at most a line a second for each kind.
#[derive(Debug, Default)]
pub(crate) struct StoreFaults {
    unavailable: RepeatedFault,
    not_durable: RepeatedFault,
    corrupt: RepeatedFault,
}

impl StoreFaults {
    /// Logs why a request is answered with a server error.
    pub(crate) fn report(&self, error: &StoreError, request_id: Option<&str>, boottime_ms: u64) {
        let request_id = request_id.map(tracing::field::display);
        match error {
            StoreError::Unavailable(reason) | StoreError::Unusable(reason) => {
                if let Some(due) = self.unavailable.due(boottime_ms) {
                    let suppressed = due.suppressed;
                    tracing::warn!(reason, request_id, suppressed, "store unavailable, request not served");
                }
            }
            StoreError::NotDurable => {
                if let Some(due) = self.not_durable.due(boottime_ms) {
                    let suppressed = due.suppressed;
                    tracing::warn!(request_id, suppressed, "change not durable in time");
                }
            }
            StoreError::Corrupt { .. } => {
                if let Some(due) = self.corrupt.due(boottime_ms) {
                    let suppressed = due.suppressed;
                    tracing::error!(%error, request_id, suppressed, "record corrupt, request not served");
                }
            }
        }
    }
}
