//! Errors of the store, by what the caller does next.

/// Why the store failed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// The store cannot be asked at the moment, and it is unknown whether a write was done. Try again later.
    #[error("the store cannot be asked: {0}")]
    Unavailable(String),
    /// The store must not be used as it is, and nothing was changed. An operator has to act.
    #[error("the store must not be used: {0}")]
    Unusable(String),
    /// The change was made, but too few copies of it were acknowledged in time (`durable-writes`): a failover may lose it.
    #[error("the change is done, but not as durable as durable-writes demands")]
    NotDurable,
    /// A record is not what this version writes. Trying again does not help; an operator has to act.
    #[error("the record of {key} is corrupt: {reason}")]
    Corrupt {
        /// The key or id of the record; no secret.
        key: String,
        /// The mistake in it.
        reason: String,
    },
}

impl StoreError {
    /// The error of an answer that another node may be about to change, after a server came back with other data.
    pub(crate) fn settling() -> Self {
        Self::Unavailable(
            "the server has other data than before, and other nodes may still write to it".into(),
        )
    }

    /// Returns the name of the kind of error in traces.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Unavailable(_) => "unavailable",
            Self::Unusable(_) => "unusable",
            Self::NotDurable => "not_durable",
            Self::Corrupt { .. } => "corrupt",
        }
    }
}

/// Touches that were not written.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{} touches were not written: {error}", .places.len())]
pub struct Unwritten {
    /// Their places in the batch. Writing them again is safe. Empty if only corrupt records were skipped: their touches are
    /// given up.
    pub places: Vec<usize>,
    /// The error, or the first of several.
    pub error: StoreError,
}

impl Unwritten {
    /// All of these failed with this error.
    pub(crate) fn by(error: StoreError, places: &[usize]) -> Self {
        let are_lost = matches!(error, StoreError::Corrupt { .. });
        Self { places: if are_lost { Vec::new() } else { places.to_vec() }, error }
    }

    /// Both failures; `self` has the error that is reported.
    pub(crate) fn and(mut self, other: Self) -> Self {
        self.places.extend(other.places);
        self
    }
}
