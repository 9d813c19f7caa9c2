//! Accesses are recorded on the request path without waiting, and written down by a worker in rounds.
//!
//! The request path notes an access on the copy of the record that it holds ([`AccessMark`]); only the first
//! access through a copy, and a renewal, take a lock here. A record never fails a request: when the queue is
//! full the access is counted as dropped.
//!
//! A round writes every token accessed since the last one, as long as these are few ([`PROMPT_WRITES`]). When
//! they are many, a token is written at most once in `touch-resolution`: a site that checks 10,000 tokens a
//! second would otherwise spend a good part of its store on when exactly each was seen last. Renewals are
//! always written, and one of a token about to expire wakes the worker at once.
//!
//! [`AccessMark`]: crate::token::AccessMark

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::convert::Infallible;
use std::hash::BuildHasherDefault;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use tokio::sync::Notify;

use crate::clock::Clock;
use crate::logging::RepeatedFault;
use crate::secret::{IdHasher, TokenId};
use crate::store::{Store, StoreError, Unwritten};
use crate::token::{Credential, Touch};

const SHARDS: usize = 64;
/// What one call of the store writes down; what is left of a batch after a failure waits for the next round.
const TOUCHES_PER_WRITE: usize = 1024;
/// So many tokens are written in one round, however short ago they were written before.
const PROMPT_WRITES: usize = 1000;

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
pub struct LastAccess(Arc<Inner>);

struct Inner {
    shards: Vec<Shard>,
    options: LastAccessOptions,
    clock: Clock,
    store: Store,
    wake: Notify,
    flushing: tokio::sync::Mutex<()>,
    counters: LastAccessCounters,
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
    credential: Arc<Credential>,
    /// The latest access through older copies.
    access_ms: u64,
    renew_to_ms: Option<u64>,
    /// What was last taken to be written; 0 for nothing.
    written_access_ms: u64,
    /// The boottime of that.
    taken_ms: Option<u64>,
}

impl Pending {
    fn access_ms(&self) -> u64 {
        self.access_ms.max(self.credential.accesses.latest_ms())
    }

    fn is_waiting(&self) -> bool {
        self.renew_to_ms.is_some() || self.access_ms() > self.written_access_ms
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
    pub fn record(&self, credential: &Arc<Credential>, now_ms: u64, renew_to_ms: Option<u64>, is_kept: bool) {
        if is_kept && !credential.accesses.note(now_ms) && renew_to_ms.is_none() {
            return;
        }
        if is_kept && renew_to_ms.is_none() && self.0.shard(credential.id).is_full.load(Ordering::Relaxed) {
            return self.drop_access(credential);
        }
        self.merge(credential, now_ms, renew_to_ms, is_kept);
        let must_hurry =
            credential.expires_at_ms.saturating_sub(now_ms) < 2 * self.0.options.flush_interval_ms;
        if renew_to_ms.is_some() && must_hurry {
            self.0.wake.notify_one();
        }
    }

    fn merge(&self, credential: &Arc<Credential>, access_ms: u64, renew_to_ms: Option<u64>, is_kept: bool) {
        let shard = self.0.shard(credential.id);
        let mut watched = shard.lock();
        let is_full = watched.len() >= self.0.room_in_shard();
        match watched.entry(credential.id) {
            Entry::Occupied(mut entry) => {
                let pending = entry.get_mut();
                pending.access_ms = pending.access_ms.max(access_ms);
                pending.renew_to_ms = pending.renew_to_ms.max(renew_to_ms);
                if is_kept && !Arc::ptr_eq(&pending.credential, credential) {
                    pending.access_ms = pending.access_ms();
                    let older = std::mem::replace(&mut pending.credential, credential.clone());
                    older.accesses.release();
                }
            }
            Entry::Vacant(_) if is_full => {
                shard.is_full.store(true, Ordering::Relaxed);
                self.drop_access(credential);
            }
            Entry::Vacant(entry) => {
                let credential = credential.clone();
                entry.insert(Pending {
                    credential,
                    access_ms,
                    renew_to_ms,
                    written_access_ms: 0,
                    taken_ms: None,
                });
            }
        }
    }

    fn drop_access(&self, credential: &Credential) {
        credential.accesses.release();
        self.0.counters.dropped.inc();
    }

    /// The worker: writes in rounds, and at once when it is woken. Ends with its runtime.
    pub async fn run(self) -> Infallible {
        let round = Duration::from_millis(self.0.options.flush_interval_ms);
        loop {
            // Either way it is time: the timeout is the round, the notice an urgent renewal.
            let _ = tokio::time::timeout(round, self.0.wake.notified()).await;
            self.flush().await;
        }
    }

    /// Writes all that is due; what a failing store refused stays in the queue.
    pub async fn flush(&self) {
        let _one_at_a_time = self.0.flushing.lock().await;
        let due = self.0.take_due(self.0.clock.boottime_ms());
        for (done, chunk) in due.chunks(TOUCHES_PER_WRITE).enumerate() {
            let touches: Vec<_> = chunk.iter().map(Due::touch).collect();
            match self.0.store.touch(&touches, self.0.clock.now_ms()).await {
                Ok(()) => {
                    self.0.counters.flushed.inc_by(touches.len() as u64);
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
                        return;
                    }
                    places.iter().filter_map(|place| chunk.get(*place)).for_each(|due| self.put_back(due));
                    if !are_lost {
                        self.0.counters.flushed.inc_by((chunk.len() - places.len()) as u64);
                    }
                }
            }
        }
    }

    fn put_back(&self, due: &Due) {
        self.merge(&due.credential, due.access_ms, due.renew_to_ms, false);
        if let Some(pending) = self.0.shard(due.credential.id).lock().get_mut(&due.credential.id) {
            (pending.written_access_ms, pending.taken_ms) = (0, None);
        }
    }
}

struct Due {
    credential: Arc<Credential>,
    access_ms: u64,
    renew_to_ms: Option<u64>,
}

impl Due {
    fn touch(&self) -> Touch {
        Touch {
            id: self.credential.id,
            user: self.credential.user().to_owned(),
            access_ms: self.access_ms,
            renew_to_ms: self.renew_to_ms,
        }
    }
}

impl Inner {
    fn shard(&self, id: TokenId) -> &Shard {
        &self.shards[id.shard_tag().index() % SHARDS]
    }

    fn room_in_shard(&self) -> usize {
        self.options.queue.div_ceil(SHARDS)
    }

    /// Takes what may be written now, and stops watching what was not accessed for long enough.
    fn take_due(&self, boottime_ms: u64) -> Vec<Due> {
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
                        pending.credential.accesses.release();
                    }
                    return !rested;
                }
                if is_prompt || rested || pending.renew_to_ms.is_some() {
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
        Due {
            credential: self.credential.clone(),
            access_ms: self.written_access_ms,
            renew_to_ms: self.renew_to_ms.take(),
        }
    }
}

impl Shard {
    fn lock(&self) -> MutexGuard<'_, Watched> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::StoreLimits;
    use crate::store::memory::MemoryStore;
    use crate::token::Token;

    const START_MS: u64 = 1_800_000_000_000;

    async fn queue(options: LastAccessOptions) -> (LastAccess, Store, Clock, Arc<Credential>) {
        let limits =
            StoreLimits { revoked_retention_ms: 1_000, max_tokens_per_user: 10, ..StoreLimits::DEFAULT };
        let store = Store::Memory(Arc::new(MemoryStore::new(limits, 100)));
        let clock = Clock::manual(START_MS);
        let keys = crate::secret::CheckKeys::from_secrets(["k"]).unwrap();
        let entropy = crate::entropy::Entropy::seeded(1);
        let minted = crate::secret::mint(crate::secret::Kind::Token, &keys, "alice", &entropy).unwrap();
        let credential = Arc::new(Credential {
            id: minted.id,
            expires_at_ms: START_MS + 60_000,
            idle_ms: 60_000,
            ends_at_ms: START_MS + 600_000,
            ..crate::token::tests::credential()
        });
        let token = Token {
            credential: credential.clone(),
            created_at_ms: START_MS,
            last_access_ms: START_MS,
            ended_at_ms: None,
            user_agent: String::new(),
            ip: "::1".parse().unwrap(),
            expiration: true,
            related_objects: vec![],
        };
        store.issue(&token, START_MS).await.unwrap();
        let queue = LastAccess::new(store.clone(), clock.clone(), options, LastAccessCounters::default());
        (queue, store, clock, credential)
    }

    const OPTIONS: LastAccessOptions =
        LastAccessOptions { flush_interval_ms: 1_000, resolution_ms: 60_000, queue: 100 };

    #[tokio::test]
    async fn every_round_writes_the_latest_access_while_few_tokens_are_accessed() {
        let (queue, store, clock, credential) = queue(OPTIONS).await;
        let seen = async || {
            let token = store.token(credential.id, clock.now_ms()).await.unwrap().unwrap();
            token.last_access_ms - START_MS
        };
        queue.record(&credential, START_MS + 10, None, true);
        queue.record(&credential, START_MS + 20, None, true);
        queue.flush().await;
        assert_eq!(seen().await, 20);
        clock.advance_ms(1_000);
        queue.record(&credential, START_MS + 900, None, true);
        queue.flush().await;
        assert_eq!(seen().await, 900);
        queue.flush().await;
        assert_eq!(queue.0.counters.flushed.get(), 2, "and writes nothing twice");
        // A newer copy of the record takes the older one's place, and no access is lost.
        let newer = Arc::new(Credential::clone(&credential));
        queue.record(&credential, START_MS + 950, None, true);
        queue.record(&newer, START_MS + 940, None, true);
        queue.record(&newer, START_MS + 960, None, true);
        queue.flush().await;
        assert_eq!(seen().await, 960);
        clock.advance_ms(60_000);
        queue.flush().await;
        assert!(newer.accesses.note(START_MS), "not watched any more");
    }

    #[tokio::test]
    async fn among_many_a_token_is_written_once_per_resolution() {
        let (queue, _, clock, first) = queue(LastAccessOptions { queue: 1_000_000, ..OPTIONS }).await;
        let others: Vec<_> = (0..=PROMPT_WRITES as u64)
            .map(|n| {
                let mut id = *b"jE1hGDDT0000000A";
                id[8..15].copy_from_slice(format!("{n:07}").as_bytes());
                let id = TokenId::parse(std::str::from_utf8(&id).unwrap()).unwrap();
                Arc::new(Credential { id, ..Credential::clone(&first) })
            })
            .collect();
        let round = async |at_ms: u64| {
            others.iter().for_each(|other| queue.record(other, START_MS + at_ms, None, true));
            clock.advance_ms(1_000);
            let before = queue.0.counters.flushed.get();
            queue.flush().await;
            queue.0.counters.flushed.get() - before
        };
        assert_eq!(round(10).await, others.len() as u64);
        assert_eq!(round(20).await, 0, "each was written less than the resolution ago");
        clock.advance_ms(60_000);
        assert_eq!(round(30).await, others.len() as u64);
    }

    #[tokio::test]
    async fn a_renewal_does_not_wait_for_the_resolution() {
        let (queue, store, clock, credential) = queue(OPTIONS).await;
        queue.record(&credential, START_MS, None, true);
        queue.flush().await;
        queue.record(&credential, START_MS + 50, Some(START_MS + 60_050), true);
        queue.flush().await;
        let token = store.token(credential.id, clock.now_ms()).await.unwrap().unwrap();
        assert_eq!(token.credential.expires_at_ms, START_MS + 60_050);
    }

    #[tokio::test]
    async fn the_queue_is_bounded_and_counts_what_it_drops_until_there_is_room() {
        let (queue, _, clock, credential) = queue(LastAccessOptions { queue: 1, ..OPTIONS }).await;
        let id = TokenId::from_locator(credential.id.shard_tag(), "AAAAAAAAAAAAAA").unwrap();
        let other = Arc::new(Credential { id, ..Credential::clone(&credential) });
        queue.record(&credential, START_MS, None, true);
        for dropped in 1..=2 {
            queue.record(&other, START_MS + 1, None, true);
            assert_eq!(queue.0.counters.dropped.get(), dropped);
        }
        queue.flush().await;
        assert_eq!(queue.0.counters.flushed.get(), 1);

        // The first has rested, so it is not watched any more.
        clock.advance_ms(OPTIONS.resolution_ms);
        queue.flush().await;
        queue.record(&other, clock.now_ms(), None, true);
        assert_eq!(queue.0.counters.dropped.get(), 2);
        queue.flush().await;
        assert_eq!(queue.0.counters.flushed.get(), 2);
    }
}
