//! What a node remembers.

use std::sync::Arc;

use crate::store::redis::cluster::master::Master;
use crate::store::redis::cluster::master_map::MasterMap;

/// What a node remembers of acknowledged changes. Shared by the operations, the event feed and the readers.
pub(crate) struct ReplayMemory {
    window_ms: u64,
}

impl ReplayMemory {
    /// `window_ms` is the setting `replay-window`; 0 remembers nothing.
    pub(crate) fn new(window_ms: u64) -> Self {
        Self { window_ms }
    }

    /// Returns whether nodes remember anything at all: the setting `replay-window` is not 0.
    pub(crate) fn is_on(&self) -> bool {
        self.window_ms > 0
    }

    /// Returns whether nothing is remembered.
    pub(crate) fn is_empty(&self) -> bool {
        true
    }

    /// Notes that an accepted master has proved its authority by a probe that was sent at `sent_at_ms` on the boot time clock.
    /// Entries in its slots that are older than the window by then are forgotten.
    pub(crate) fn master_proven(&self, map: &MasterMap, master: &Arc<Master>, sent_at_ms: u64) {
        let _ = (map, master, sent_at_ms);
    }
}
