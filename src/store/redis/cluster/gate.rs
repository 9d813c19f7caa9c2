//! The gate: whether the store may be used at all.
//!
//! The inspection closes it where going on would do harm: another schema version, a server that is too old, a missing
//! permission that sessions need. Then every write and look-up is refused. Heartbeats stop, too, so the near cache stops
//! serving one lease later.

use std::sync::Arc;

use arc_swap::ArcSwapOption;

use crate::store::error::StoreError;

/// Open, or closed for a reason. Open at first.
#[derive(Default)]
pub(crate) struct Gate(ArcSwapOption<String>);

impl Gate {
    /// # Errors
    /// `Unusable` with the reason, while the gate is closed.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        match &*self.0.load() {
            None => Ok(()),
            Some(reason) => Err(StoreError::Unusable(reason.to_string())),
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        self.0.load().is_none()
    }

    /// Closes the gate for a reason, or opens it.
    pub(crate) fn set(&self, reason: Option<String>) {
        self.0.store(reason.map(Arc::new));
    }
}
