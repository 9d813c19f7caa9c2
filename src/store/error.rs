//! Errors of the store, by what the caller does next.

/// Why the store did not do what it was asked.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// It cannot be asked at the moment, and whether a write was done is unknown. Ask again later.
    #[error("the store cannot be asked: {0}")]
    Unavailable(String),
    /// It must not be used as it is, and nothing was changed. An operator has to look.
    #[error("the store must not be used: {0}")]
    Unusable(String),
    /// A record is not what this version writes. Asking again does not help; an operator has to look.
    #[error("the record of {key} is corrupt: {reason}")]
    Corrupt {
        /// The key or id of the record; no secret.
        key: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// Touches that were not written.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{} touches were not written: {error}", .places.len())]
pub struct Unwritten {
    /// Their places in the batch. Writing them again is harmless. None when only corrupt records were passed over:
    /// these are given up.
    pub places: Vec<usize>,
    /// Why, or why the first of them.
    pub error: StoreError,
}

impl Unwritten {
    /// All of these failed by this error.
    pub(crate) fn by(error: StoreError, places: &[usize]) -> Self {
        let are_lost = matches!(error, StoreError::Corrupt { .. });
        Self { places: if are_lost { Vec::new() } else { places.to_vec() }, error }
    }

    pub(crate) fn and(mut self, other: Self) -> Self {
        self.places.extend(other.places);
        self
    }
}
