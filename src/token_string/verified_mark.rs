//! The mark of a token string that was verified before.

use std::sync::atomic::{AtomicU64, Ordering};

/// The mark of the string that opened this record, so that it need not be verified anew for each request: see
/// [`Claim::verify_known`](super::claim::Claim::verify_known).
#[derive(Default)]
pub struct VerifiedMark(AtomicU64);

impl VerifiedMark {
    /// The mark; 0 for none.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// The string of this mark was verified.
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
