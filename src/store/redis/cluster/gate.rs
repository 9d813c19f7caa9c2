//! Whether the store may be used at all. An inspection closes the gate where going on would do harm: on another schema
//! version, a server that is too old, or without a permission that sessions need. Then every write and look-up is refused,
//! and heartbeats stop, so that the node_cache cache is silent one lease later.

use std::sync::Arc;

use arc_swap::ArcSwapOption;

use crate::store::error::StoreError;

/// See the module. Open at first.
#[derive(Default)]
pub(crate) struct Gate(ArcSwapOption<String>);

impl Gate {
    /// # Errors
    /// `Unusable` with the reason, while it is closed.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        match &*self.0.load() {
            None => Ok(()),
            Some(reason) => Err(StoreError::Unusable(reason.to_string())),
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        self.0.load().is_none()
    }

    /// Closes it for a reason, or opens it.
    pub(crate) fn set(&self, reason: Option<String>) {
        self.0.store(reason.map(Arc::new));
    }
}
