//! The cut-offs as this node knows them, for judging tokens.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering, fence};

use arc_swap::ArcSwapOption;
use tokio::sync::Mutex;

use crate::model::cutoff::{Cutoff, Cutoffs};
use crate::model::token::TokenRecord;

/// The cut-offs that this node last read. They stay in force while the store cannot be asked.
#[derive(Default)]
pub struct LiveCutoffs {
    latest: Latest,
    /// `None` until they were read once.
    cutoffs: ArcSwapOption<Cutoffs>,
    /// When the read began that they came from, by the boottime.
    read_at_ms: AtomicU64,
    /// The number of the data that they came from ([`Store::cutoff_data`](crate::store::Store::cutoff_data)), plus one; 0 until
    /// they were read once.
    data: AtomicU64,
    /// Held while they are read, so that an older answer never replaces a newer one. The number of the data whose read failed,
    /// if the last read did.
    pub(super) reading: Mutex<Option<u64>>,
}

/// [`Cutoffs::latest_ms`] of the cut-offs. Most tokens are judged by this alone, so it has a line of memory of its own: its
/// neighbours are written twice a second.
#[derive(Default)]
#[repr(align(64))]
struct Latest(AtomicU64);

impl LiveCutoffs {
    /// Whether a cut-off refuses this token.
    #[inline]
    pub fn refuse(&self, record: &TokenRecord) -> bool {
        record.created_at_ms < self.latest.0.load(Ordering::Relaxed) && self.refusing(record).is_some()
    }

    /// Returns a cut-off that refuses this token, if there is one.
    #[cold]
    pub fn refusing(&self, record: &TokenRecord) -> Option<Cutoff> {
        // A thread that has seen the latest time sees the cut-off that it belongs to.
        fence(Ordering::Acquire);
        self.cutoffs.load().as_ref()?.refusing(record).cloned()
    }

    /// Whether they were read once.
    pub fn are_known(&self) -> bool {
        self.cutoffs.load().is_some()
    }

    /// Whether they were read from this data of the store.
    pub(super) fn are_of(&self, data: u64) -> bool {
        self.data.load(Ordering::Acquire) == data + 1
    }

    /// Returns all cut-offs; `None` until they were read once.
    pub fn present(&self) -> Option<Arc<Cutoffs>> {
        self.cutoffs.load_full()
    }

    /// Returns how old the present cut-offs may be; `None` until they were read once.
    pub fn age_ms(&self, boottime_ms: u64) -> Option<u64> {
        self.are_known().then(|| boottime_ms.saturating_sub(self.read_at_ms.load(Ordering::Relaxed)))
    }

    /// Replaces the cut-offs by those that were read. Returns whether they differ.
    pub(super) fn learn(&self, cutoffs: Cutoffs, read_at_ms: u64, data: u64) -> bool {
        let latest_ms = cutoffs.latest_ms();
        let is_same = self.cutoffs.load().as_deref() == Some(&cutoffs);
        if !is_same {
            self.cutoffs.store(Some(Arc::new(cutoffs)));
            self.latest.0.store(latest_ms, Ordering::Release);
        }
        self.read_at_ms.store(read_at_ms, Ordering::Relaxed);
        // After the cut-offs themselves.
        self.data.store(data + 1, Ordering::Release);
        !is_same
    }
}
