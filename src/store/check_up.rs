//! What `doorward doctor` finds out about the store.

use super::report::{Report, Severity};

/// The findings of a check-up, which changes nothing in the store.
#[derive(Clone, Debug)]
pub struct CheckUp {
    /// The hosts of `redis-url`, and their addresses.
    pub names: Trial,
    /// The findings of a node's inspection, and more that only a person asks for.
    pub report: Report,
    /// The schema version and the token key in the store.
    pub shared_keys: Trial,
    /// Whether every master announces changed tokens to the near cache.
    pub tracking: Trial,
    /// Whether a message on the channel of events arrives.
    pub events: Trial,
    /// Whether other programs have keys with the same prefix.
    pub foreign_keys: Trial,
}

/// The outcome of something that was tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trial {
    /// It works; what was found.
    Passed(String),
    /// It does not work.
    Failed {
        /// How bad that is.
        severity: Severity,
        /// The server, or another name of the place.
        place: String,
        /// The observation.
        cause: String,
        /// The repair, as an instruction to the operator.
        fix: String,
    },
    /// It was not tried; why.
    NotTried(String),
}

impl Trial {
    /// A failure.
    pub fn failed(
        severity: Severity,
        place: impl Into<String>,
        cause: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self::Failed { severity, place: place.into(), cause: cause.into(), fix: fix.into() }
    }
}
