//! Whether this node should get traffic.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwap;

use crate::store::report::Report;

/// The readiness of a node. Cheap to clone; all clones share one state.
#[derive(Clone, Debug, Default)]
pub struct Readiness(Arc<ReadinessState>);

#[derive(Debug, Default)]
struct ReadinessState {
    is_store_usable: AtomicBool,
    is_draining: AtomicBool,
    report: ArcSwap<Report>,
}

impl Readiness {
    /// Returns whether the store is usable and the node is not draining.
    pub fn is_ready(&self) -> bool {
        self.0.is_store_usable.load(Ordering::Relaxed) && !self.is_draining()
    }

    /// Returns whether the node is draining.
    pub fn is_draining(&self) -> bool {
        self.0.is_draining.load(Ordering::Relaxed)
    }

    /// Returns the findings of the last probe of the store.
    pub fn report(&self) -> Arc<Report> {
        self.0.report.load_full()
    }

    /// Makes the node not ready, for good.
    pub fn drain(&self) {
        self.0.is_draining.store(true, Ordering::Relaxed);
    }

    /// Sets the findings of a probe. Returns whether the store was usable before.
    pub(super) fn set_report(&self, report: Arc<Report>, is_usable: bool) -> bool {
        // Before the flag: a client that sees the node ready must not find the earlier faults in the status.
        self.0.report.store(report);
        self.0.is_store_usable.swap(is_usable, Ordering::Relaxed)
    }
}
