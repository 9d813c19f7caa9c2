//! The options of a run, and what is seen of it while it runs.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// The options of a run.
#[derive(Clone, Copy, Debug)]
pub struct VerifyOptions {
    /// Whether damage is repaired.
    pub repairs: bool,
    /// The most keys and members looked at in a second.
    pub rate: u64,
    /// Whether examples show user names.
    pub shows_users: bool,
}

/// The progress of a run. Another task may watch it, and stop the run.
#[derive(Debug, Default)]
pub struct VerifyProgress {
    total: AtomicU64,
    keys: AtomicU64,
    findings: AtomicU64,
    is_stopped: AtomicBool,
}

impl VerifyProgress {
    /// The keys of all masters, as counted when their scan began or at the start.
    pub fn total(&self) -> u64 {
        self.total.load(Ordering::Relaxed)
    }

    /// The keys looked at.
    pub fn keys(&self) -> u64 {
        self.keys.load(Ordering::Relaxed)
    }

    /// The findings so far.
    pub fn findings(&self) -> u64 {
        self.findings.load(Ordering::Relaxed)
    }

    /// Stops the run after the keys that it is looking at.
    pub fn stop(&self) {
        self.is_stopped.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.is_stopped.load(Ordering::Relaxed)
    }

    pub(crate) fn add_total(&self, keys: u64) {
        self.total.fetch_add(keys, Ordering::Relaxed);
    }

    pub(crate) fn set(&self, keys: u64, findings: u64) {
        self.keys.store(keys, Ordering::Relaxed);
        self.findings.store(findings, Ordering::Relaxed);
    }
}
