//! The accesses seen through a copy of a record.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Where the hot path notes an access without a lock: on the copy of the record that it holds anyway. Not part
/// of the record: a clone starts without any, and all marks are equal.
#[derive(Default)]
pub struct AccessMark {
    latest_ms: AtomicU64,
    is_queued: AtomicBool,
    has_surely_expired: AtomicBool,
}

impl AccessMark {
    /// Notes an access. True when nobody watches this mark yet: then the caller hands it to who will.
    pub fn note(&self, now_ms: u64) -> bool {
        // Concurrent accesses are at most a millisecond or two apart: whichever stays is right enough, and
        // most find nothing to write.
        if self.latest_ms.load(Ordering::Relaxed) < now_ms {
            self.latest_ms.store(now_ms, Ordering::Relaxed);
        }
        !self.is_queued.load(Ordering::Relaxed) && !self.is_queued.swap(true, Ordering::Relaxed)
    }

    /// The latest access noted; 0 for none.
    pub fn latest_ms(&self) -> u64 {
        self.latest_ms.load(Ordering::Relaxed)
    }

    /// The store knows of an access at this time: it counts as noted, and need not be written.
    pub fn learn(&self, access_ms: u64) {
        self.latest_ms.fetch_max(access_ms, Ordering::Relaxed);
    }

    /// The record has expired, and it is certain that no access in time is still to be written.
    pub fn confirm_expiry(&self) {
        self.has_surely_expired.store(true, Ordering::Relaxed);
    }

    /// Whether [`AccessMark::confirm_expiry`] was called.
    pub fn has_surely_expired(&self) -> bool {
        self.has_surely_expired.load(Ordering::Relaxed)
    }

    /// Nobody watches this mark any more.
    pub fn release(&self) {
        self.is_queued.store(false, Ordering::Relaxed);
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
