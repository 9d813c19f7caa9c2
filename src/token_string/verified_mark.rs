//! The mark of a verified token string, kept beside a copy of its record.

use std::sync::atomic::{AtomicU64, Ordering};

/// The mark of the token string that opened this record, so that its MAC need not be computed again on each request. Not
/// part of the record: a clone starts without a mark, and all marks are equal.
#[derive(Default)]
pub struct VerifiedMark(AtomicU64);

impl VerifiedMark {
    /// The mark; 0 for none.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Sets the mark of a verified string.
    pub fn set(&self, mark: u64) {
        self.0.store(mark, Ordering::Relaxed);
    }
}

impl Clone for VerifiedMark {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl PartialEq for VerifiedMark {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for VerifiedMark {}

impl std::fmt::Debug for VerifiedMark {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("VerifiedMark(…)")
    }
}
