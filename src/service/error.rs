//! Errors of the use cases.

use crate::store::{Rejection, StoreError};

/// Why a use case did not do its work.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The rules forbid it, or there is no such token. Nothing was changed.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// A value breaks its rule. Nothing was changed.
    #[error("{field}: {detail}")]
    Invalid {
        /// Which.
        field: &'static str,
        /// The mistake, without the value.
        detail: String,
    },
    /// As many logins as allowed are being verified by a slow hash. Nothing was changed; try again.
    #[error("too many logins are being verified")]
    Busy,
    /// The store failed. Whether a write was done is unknown.
    #[error(transparent)]
    Store(#[from] StoreError),
}
