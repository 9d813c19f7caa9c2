//! The accesses seen through a copy of a record.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// The latest access through one copy of a record. The hot path sets it without a lock, on the copy that it holds anyway.
/// Not part of the record: a clone starts without an access, and all marks are equal.
#[derive(Default)]
pub struct AccessMark {
    latest_ms: AtomicU64,
    is_watched: AtomicBool,
    has_surely_expired: AtomicBool,
}

impl AccessMark {
    /// Records an access. Returns true if nobody watches this mark yet: the caller then has it watched.
    pub fn record(&self, now_ms: u64) -> bool {
        // Concurrent accesses are at most a millisecond or two apart: either is exact enough, and most find nothing to
        // write.
        if self.latest_ms.load(Ordering::Relaxed) < now_ms {
            self.latest_ms.store(now_ms, Ordering::Relaxed);
        }
        !self.is_watched.load(Ordering::Relaxed) && !self.is_watched.swap(true, Ordering::Relaxed)
    }

    /// The latest access; 0 for none.
    pub fn latest_ms(&self) -> u64 {
        self.latest_ms.load(Ordering::Relaxed)
    }

    /// Takes over an access that the store knows of, which need not be written.
    pub fn learn(&self, access_ms: u64) {
        self.latest_ms.fetch_max(access_ms, Ordering::Relaxed);
    }

    /// The record has expired, and no access in time is still to be written by any node.
    pub fn confirm_expiry(&self) {
        self.has_surely_expired.store(true, Ordering::Relaxed);
    }

    /// Whether [`AccessMark::confirm_expiry`] was called.
    pub fn has_surely_expired(&self) -> bool {
        self.has_surely_expired.load(Ordering::Relaxed)
    }

    /// The mark is not watched any more.
    pub fn release(&self) {
        self.is_watched.store(false, Ordering::Relaxed);
    }
}

impl Clone for AccessMark {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl PartialEq for AccessMark {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for AccessMark {}

impl std::fmt::Debug for AccessMark {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AccessMark({})", self.latest_ms())
    }
}
