//! What merges have changed.

use std::ops::AddAssign;

/// What a merge has changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MergeCounts {
    /// Calls that were sent to the master.
    pub sent: usize,
    /// Tokens that were live there and are revoked now.
    pub revoked: usize,
    /// Other endings that were not there: of takeovers, device keys, locks, users and cut-offs.
    pub ended: usize,
    /// Tokens, device keys and takeovers that were not there.
    pub recreated: usize,
    /// Tokens and device keys that were there in an older version.
    pub changed: usize,
    /// Calls whose slot is moving or has moved.
    pub moved: usize,
    /// Calls that met a corrupt record or a full memory.
    pub failed: usize,
}

impl MergeCounts {
    /// The counts by what the merge did, for the metrics.
    pub fn by_outcome(&self) -> [(&'static str, usize); 6] {
        [
            ("revoked", self.revoked),
            ("ended", self.ended),
            ("recreated", self.recreated),
            ("changed", self.changed),
            ("moved", self.moved),
            ("failed", self.failed),
        ]
    }
}

impl AddAssign for MergeCounts {
    fn add_assign(&mut self, other: Self) {
        self.sent += other.sent;
        self.revoked += other.revoked;
        self.ended += other.ended;
        self.recreated += other.recreated;
        self.changed += other.changed;
        self.moved += other.moved;
        self.failed += other.failed;
    }
}
