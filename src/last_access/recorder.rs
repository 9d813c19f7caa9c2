//! The queue of accesses and the worker that writes them.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::convert::Infallible;
use std::hash::BuildHasherDefault;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use tokio::sync::Notify;

use crate::clock::Clock;
use crate::logging::RepeatedFault;
use crate::model::token::{Renewal, TokenRecord, Touch};
use crate::store::{Store, StoreError, Unwritten};
use crate::token_string::{IdHasher, TokenId};

const SHARDS: usize = 64;
/// What one call of the store writes down; what is left of a batch after a failure waits for the next round.
const TOUCHES_PER_WRITE: usize = 1024;
/// So many tokens are written in one round, however short ago they were written before.
pub(crate) const PROMPT_WRITES: usize = 1000;
/// The pause between two looks whether a store that was away is back: renewals earned meanwhile are awaited by other nodes.
const RETRY_PAUSE: Duration = Duration::from_millis(100);

/// When accesses are written, and how many may wait.
#[derive(Clone, Copy, Debug)]
pub struct LastAccessOptions {
    /// The worker's round.
    pub flush_interval_ms: u64,
    /// When many are accessed, a token is written at most once in this time, renewals excepted.
    pub resolution_ms: u64,
    /// The most tokens watched for accesses.
    pub queue: usize,
}

/// Counts what became of the records.
#[derive(Clone, Debug, Default)]
pub struct LastAccessCounters {
    /// Written to the store.
    pub flushed: Counter,
    /// Lost because the queue was full.
    pub dropped: Counter,
    /// Writes the store refused; their records wait for the next round.
    pub failed_writes: Counter,
}

/// The handle of the request path and of the worker. Cheap to clone.
#[derive(Clone)]
pub struct LastAccess(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    shards: Vec<Shard>,
    options: LastAccessOptions,
    clock: Clock,
    store: Store,
    wake: Notify,
    flushing: tokio::sync::Mutex<()>,
    pub(crate) counters: LastAccessCounters,
    faults: RepeatedFault,
}

#[derive(Default)]
struct Shard {
    watched: Mutex<Watched>,
    /// As it was when last looked at under the lock: who finds it full need not wait for the lock to be told so.
    is_full: AtomicBool,
}

type Watched = HashMap<TokenId, Pending, BuildHasherDefault<IdHasher>>;

/// A token whose accesses are watched.
struct Pending {
    /// The newest copy of its record that was accessed; its mark has the latest access.
    record: Arc<TokenRecord>,
    /// The latest access through older copies.
    access_ms: u64,
    renewal: Option<Renewal>,
    /// A renewal that is being written; of one whose writing was broken off nobody knows, so it is written again.
    in_flight: Option<Renewal>,
    /// What was last taken to be written; 0 for nothing.
    written_access_ms: u64,
    /// The boottime of that.
    taken_ms: Option<u64>,
}

impl Pending {
    fn access_ms(&self) -> u64 {
        self.access_ms.max(self.record.accesses.latest_ms())
    }

    fn is_waiting(&self) -> bool {
        self.earned().is_some() || self.access_ms() > self.written_access_ms
    }

    /// All that was earned and, for all that is known, not written.
    fn earned(&self) -> Option<Renewal> {
        merged(self.renewal, self.in_flight)
    }
}

/// The chain of both.
fn merged(one: Option<Renewal>, other: Option<Renewal>) -> Option<Renewal> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.and(other)),
        (one, other) => one.or(other),
    }
}

impl LastAccess {
    /// An empty queue before this store; [`LastAccess::run`] empties it.
    pub fn new(store: Store, clock: Clock, options: LastAccessOptions, counters: LastAccessCounters) -> Self {
        let shards = (0..SHARDS).map(|_| Shard::default()).collect();
        let (wake, flushing) = (Notify::new(), tokio::sync::Mutex::new(()));
        let faults = RepeatedFault::default();
        Self(Arc::new(Inner { shards, options, clock, store, wake, flushing, counters, faults }))
    }

    /// Notes an access at `now_ms` that earned the expiry `renew_to_ms`. `is_kept` tells whether later accesses may
    /// come through this copy of the record; if so, its mark is watched. Never waits, never fails.
    pub fn record(&self, record: &Arc<TokenRecord>, now_ms: u64, renew_to_ms: Option<u64>, is_kept: bool) {
        if is_kept && !record.accesses.note(now_ms) && renew_to_ms.is_none() {
            return;
        }
        if is_kept && renew_to_ms.is_none() && self.0.shard(record.id).is_full.load(Ordering::Relaxed) {
            return self.drop_access(record);
        }
        let renewal = renew_to_ms.map(|to_ms| Renewal { from_ms: now_ms, to_ms });
        self.merge(record, now_ms, renewal, is_kept);
        let must_hurry = record.expires_at_ms.saturating_sub(now_ms) < 2 * self.0.options.flush_interval_ms;
        if renew_to_ms.is_some() && must_hurry {
            self.0.wake.notify_one();
        }
    }

    /// The expiry that accesses to this token have earned and that is not written yet.
    pub fn earned_ms(&self, id: TokenId) -> Option<u64> {
        self.0.shard(id).lock().get(&id)?.earned().map(|renewal| renewal.to_ms)
    }

    fn merge(&self, record: &Arc<TokenRecord>, access_ms: u64, renewal: Option<Renewal>, is_kept: bool) {
        let shard = self.0.shard(record.id);
        let mut watched = shard.lock();
        let is_full = watched.len() >= self.0.room_in_shard();
        match watched.entry(record.id) {
            Entry::Occupied(mut entry) => {
                let pending = entry.get_mut();
                pending.access_ms = pending.access_ms.max(access_ms);
                pending.renewal = merged(pending.renewal, renewal);
                if is_kept && !Arc::ptr_eq(&pending.record, record) {
                    pending.access_ms = pending.access_ms();
                    let older = std::mem::replace(&mut pending.record, record.clone());
                    older.accesses.release();
                }
            }
            Entry::Vacant(_) if is_full => {
                shard.is_full.store(true, Ordering::Relaxed);
                self.drop_access(record);
            }
            Entry::Vacant(entry) => {
                let record = record.clone();
                entry.insert(Pending {
                    record,
                    access_ms,
                    renewal,
                    in_flight: None,
                    written_access_ms: 0,
                    taken_ms: None,
                });
            }
        }
    }

    fn drop_access(&self, record: &TokenRecord) {
        record.accesses.release();
        self.0.counters.dropped.inc();
    }

    /// The worker: writes in rounds, and at once when it is woken. Ends with its runtime.
    pub async fn run(self) -> Infallible {
        let round = Duration::from_millis(self.0.options.flush_interval_ms);
        loop {
            // Either way it is time: the timeout is the round, the notice an urgent renewal.
            let _ = tokio::time::timeout(round, self.0.wake.notified()).await;
            while self.flush().await.is_err() {
                self.store_is_back(round).await;
            }
        }
    }

    /// Returns as soon as the store can be asked, and after a round in any case: a part of it may be there.
    async fn store_is_back(&self, round: Duration) {
        let is_back = async {
            loop {
                tokio::time::sleep(RETRY_PAUSE).await;
                if self.0.store.probe().await.is_ok() {
                    return;
                }
            }
        };
        let _ = tokio::time::timeout(round.max(RETRY_PAUSE), is_back).await;
    }

    /// Writes all that is due.
    ///
    /// # Errors
    /// When the store could not be asked: what it did not take stays in the queue.
    pub async fn flush(&self) -> Result<(), StoreError> {
        let _one_at_a_time = self.0.flushing.lock().await;
        let mut outcome = Ok(());
        let due = self.0.take_due(self.0.clock.boottime_ms());
        for (done, chunk) in due.chunks(TOUCHES_PER_WRITE).enumerate() {
            let touches: Vec<_> = chunk.iter().map(Due::touch).collect();
            match self.0.store.touch(&touches, self.0.clock.now_ms()).await {
                Ok(()) => {
                    self.0.counters.flushed.inc_by(touches.len() as u64);
                    chunk.iter().for_each(|due| self.written(due));
                }
                Err(Unwritten { places, error }) => {
                    self.0.counters.failed_writes.inc();
                    let are_lost = matches!(error, StoreError::Corrupt { .. });
                    if let Some(repeat) = self.0.faults.due(self.0.clock.boottime_ms()) {
                        let (waiting, suppressed) = (due.len(), repeat.suppressed);
                        match are_lost {
                            true => tracing::error!(%error, suppressed, "last accesses given up"),
                            false => tracing::warn!(%error, waiting, suppressed, "last accesses not written"),
                        }
                    }
                    if places.len() == chunk.len() {
                        // The store is away: no use in asking for the others.
                        due[done * TOUCHES_PER_WRITE..].iter().for_each(|due| self.put_back(due));
                        return Err(error);
                    }
                    let unwritten: HashSet<_> = places.into_iter().collect();
                    for (place, due) in chunk.iter().enumerate() {
                        match unwritten.contains(&place) {
                            true => self.put_back(due),
                            false => self.written(due),
                        }
                    }
                    if !are_lost {
                        self.0.counters.flushed.inc_by((chunk.len() - unwritten.len()) as u64);
                        outcome = Err(error);
                    }
                }
            }
        }
        outcome
    }

    /// The store knows it now, or will never want to.
    fn written(&self, due: &Due) {
        if let Some(pending) = self.0.shard(due.record.id).lock().get_mut(&due.record.id) {
            pending.in_flight = None;
        }
    }

    fn put_back(&self, due: &Due) {
        if let Some(pending) = self.0.shard(due.record.id).lock().get_mut(&due.record.id) {
            pending.renewal = merged(pending.renewal, pending.in_flight.take());
            (pending.written_access_ms, pending.taken_ms) = (0, None);
        }
    }
}

pub(crate) struct Due {
    record: Arc<TokenRecord>,
    access_ms: u64,
    renewal: Option<Renewal>,
}

impl Due {
    pub(crate) fn touch(&self) -> Touch {
        Touch {
            id: self.record.id,
            user: self.record.user().to_owned(),
            access_ms: self.access_ms,
            renewal: self.renewal,
        }
    }
}

impl Inner {
    fn shard(&self, id: TokenId) -> &Shard {
        &self.shards[id.hash_tag().index() % SHARDS]
    }

    fn room_in_shard(&self) -> usize {
        self.options.queue.div_ceil(SHARDS)
    }

    /// Takes what may be written now, and stops watching what was not accessed for long enough.
    pub(crate) fn take_due(&self, boottime_ms: u64) -> Vec<Due> {
        let waiting: usize = self
            .shards
            .iter()
            .map(|shard| shard.lock().values().filter(|pending| pending.is_waiting()).count())
            .sum();
        let is_prompt = waiting <= PROMPT_WRITES;
        let mut due = Vec::new();
        for shard in &self.shards {
            let mut watched = shard.lock();
            watched.retain(|_, pending| {
                let is_rested = |taken_ms| boottime_ms >= self.options.resolution_ms.saturating_add(taken_ms);
                let rested = pending.taken_ms.is_none_or(is_rested);
                if !pending.is_waiting() {
                    if rested {
                        pending.record.accesses.release();
                    }
                    return !rested;
                }
                if is_prompt || rested || pending.earned().is_some() {
                    due.push(pending.take(boottime_ms));
                }
                true
            });
            shard.is_full.store(watched.len() >= self.room_in_shard(), Ordering::Relaxed);
        }
        due
    }
}

impl Pending {
    fn take(&mut self, boottime_ms: u64) -> Due {
        self.written_access_ms = self.access_ms();
        self.taken_ms = Some(boottime_ms);
        (self.renewal, self.in_flight) = (None, self.earned());
        Due { record: self.record.clone(), access_ms: self.written_access_ms, renewal: self.in_flight }
    }
}

impl Shard {
    fn lock(&self) -> MutexGuard<'_, Watched> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
