//! Records accesses on the request path.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Notify;

use super::queue::{AccessQueue, EarnedExpiry};
use crate::clock::Clock;
use crate::counter::Counter;
use crate::logging::RepeatedFault;
use crate::model::token::{Renewal, TokenRecord};
use crate::store::Store;
use crate::token_string::TokenId;

/// When accesses are written, and how many tokens may wait.
#[derive(Clone, Copy, Debug)]
pub struct LastAccessOptions {
    /// The period of the worker's rounds.
    pub flush_interval_ms: u64,
    /// If many tokens are accessed, each is written at most once in this time, renewals excepted.
    pub resolution_ms: u64,
    /// The most tokens watched for accesses.
    pub queue: usize,
}

/// Counts the outcomes of recorded accesses.
#[derive(Debug, Default)]
pub struct LastAccessCounters {
    /// Written to the store.
    pub flushed: Counter,
    /// Lost because the queue was full.
    pub dropped: Counter,
    /// Writes that failed; their accesses wait for the next round.
    pub failed_writes: Counter,
}

/// The oldest access that is not written, as the last round of the flusher left it.
#[derive(Debug, Default)]
pub(crate) struct OldestAccess(AtomicU64);

impl OldestAccess {
    pub(crate) fn set(&self, access_ms: Option<u64>) {
        self.0.store(access_ms.unwrap_or(0), Ordering::Relaxed);
    }
}

/// The handle of the request path and of the worker. Cheap to clone.
#[derive(Clone)]
pub struct LastAccess(pub(crate) Arc<SharedAccesses>);

/// The state that the handles share.
pub(crate) struct SharedAccesses {
    pub(crate) queue: AccessQueue,
    pub(crate) flush_interval_ms: u64,
    pub(crate) clock: Clock,
    pub(crate) store: Store,
    pub(crate) wake: Notify,
    /// Held by the one flush under way.
    pub(crate) flushing: tokio::sync::Mutex<()>,
    pub(crate) counters: LastAccessCounters,
    pub(crate) oldest: OldestAccess,
    pub(crate) faults: RepeatedFault,
}

impl LastAccess {
    /// An empty queue in front of this store. [`LastAccess::run`] empties it.
    pub fn new(store: Store, clock: Clock, options: LastAccessOptions) -> Self {
        Self(Arc::new(SharedAccesses {
            queue: AccessQueue::new(options.queue, options.resolution_ms),
            flush_interval_ms: options.flush_interval_ms,
            clock,
            store,
            wake: Notify::new(),
            flushing: tokio::sync::Mutex::new(()),
            counters: LastAccessCounters::default(),
            oldest: OldestAccess::default(),
            faults: RepeatedFault::default(),
        }))
    }

    /// Records an access at `now_ms` that earned the expiry `renew_to_ms`. `is_kept` says whether later accesses may come
    /// through this copy of the record; if so, its mark is watched. Never waits, never fails.
    pub fn record(&self, record: &Arc<TokenRecord>, now_ms: u64, renew_to_ms: Option<u64>, is_kept: bool) {
        if is_kept && !record.accesses.record(now_ms) && renew_to_ms.is_none() {
            return;
        }
        if is_kept && renew_to_ms.is_none() && self.0.queue.is_full(record.id) {
            return self.drop_access(record);
        }
        let renewal = renew_to_ms.map(|to_ms| Renewal { from_ms: now_ms, to_ms });
        if !self.0.queue.watch(record, now_ms, renewal, is_kept) {
            self.drop_access(record);
        }
        let must_hurry = record.expires_at_ms.saturating_sub(now_ms) < 2 * self.0.flush_interval_ms;
        if renew_to_ms.is_some() && must_hurry {
            self.0.wake.notify_one();
        }
    }

    /// Returns the counters.
    pub fn counters(&self) -> &LastAccessCounters {
        &self.0.counters
    }

    /// Returns the expiry that accesses to this token have earned and that is not written yet.
    pub fn earned(&self, id: TokenId) -> Option<EarnedExpiry> {
        self.0.queue.earned(id)
    }

    /// Returns the age of the oldest access that is not written: 0 if all are, or if they were made since the last round.
    pub fn flush_lag_ms(&self) -> u64 {
        match self.0.oldest.0.load(Ordering::Relaxed) {
            0 => 0,
            oldest_ms => self.0.clock.now_ms().saturating_sub(oldest_ms),
        }
    }

    fn drop_access(&self, record: &TokenRecord) {
        record.accesses.release();
        self.0.counters.dropped.inc();
    }
}
