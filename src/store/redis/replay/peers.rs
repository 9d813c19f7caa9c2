//! Whether other nodes may remember something.

use std::sync::atomic::{AtomicU64, Ordering};

/// How long a node that was heard of may remember something, in readings: the longest `replay-window`, at two readings a
/// second.
const REMEMBERED_READINGS: u64 = 1_200;

/// Whether other nodes use the same store. Every node subscribes to the event channel, so a server can count them.
///
/// The time is counted in readings. During an outage there are none, and no node forgets anything either.
pub(crate) struct Peers {
    /// The readings since the last one that found another node.
    readings_alone: AtomicU64,
}

impl Default for Peers {
    /// No other node was heard of.
    fn default() -> Self {
        Self { readings_alone: AtomicU64::new(REMEMBERED_READINGS) }
    }
}

impl Peers {
    /// Records how many nodes subscribe to the event channel, this one included; `None` if the server does not tell.
    pub(crate) fn record(&self, subscribers: Option<u64>) {
        match subscribers {
            Some(0 | 1) => {
                self.readings_alone.fetch_add(1, Ordering::Relaxed);
            }
            Some(_) | None => self.readings_alone.store(0, Ordering::Relaxed),
        }
    }

    /// Returns whether another node may remember what this one does not.
    pub(crate) fn may_remember(&self) -> bool {
        self.readings_alone.load(Ordering::Relaxed) < REMEMBERED_READINGS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_that_was_heard_of_counts_for_a_while() {
        let peers = Peers::default();
        peers.record(Some(1));
        assert!(!peers.may_remember());
        for heard in [Some(2), None] {
            peers.record(heard);
            assert!(peers.may_remember());
            (0..REMEMBERED_READINGS - 1).for_each(|_| peers.record(Some(1)));
            assert!(peers.may_remember());
            peers.record(Some(0));
            assert!(!peers.may_remember());
        }
    }
}
