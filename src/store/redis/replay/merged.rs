//! The result of a merge, and its times.

use std::collections::{HashMap, HashSet};

use redis::Value;

use super::entries::ChangeKey;
use super::merge_counts::MergeCounts;
use crate::model::takeover::TakeoverId;
use crate::store::redis::operations::stale_entries::StaleEntry;

/// The statuses of the scripts about changes.
const CREATED: i64 = 1;
const CHANGED: i64 = 2;
const ENDED: i64 = 3;
const CORRUPT: i64 = 4;

/// The result of a merge.
#[derive(Default)]
pub(crate) struct Merged {
    pub(crate) counts: MergeCounts,
    /// Reverse-index entries that the merge made stale.
    pub(super) stale: Vec<StaleEntry>,
    /// Whether the last step of an erasure was the last one.
    pub(super) is_erased: bool,
    /// The changes of things that have ended.
    pub(super) has_ended: HashSet<ChangeKey>,
    /// The takeovers that the master's data says were ended early, and when.
    pub(super) takeover_ends: HashMap<TakeoverId, u64>,
}

/// The time of a merge, and how long its traces are kept.
#[derive(Clone, Copy)]
pub(super) struct MergeTimes {
    pub(super) now_ms: u64,
    /// How long a trace is kept.
    pub(super) trace_ms: u64,
    /// A revoked token that is kept for less than this leaves a trace, too.
    pub(super) least_ms: u64,
}

impl Merged {
    /// Notes the status that a script about a change has answered.
    pub(super) fn note_change(&mut self, key: ChangeKey, status: i64) {
        match status {
            CREATED => self.counts.recreated += 1,
            CHANGED => self.counts.changed += 1,
            ENDED => drop(self.has_ended.insert(key)),
            CORRUPT => self.counts.failed += 1,
            _ => {}
        }
    }

    /// Notes the answer of a script about an ending.
    pub(super) fn note_ended(&mut self, answer: Value) {
        self.counts.ended += usize::from(matches!(answer, Value::Int(1)));
    }
}
