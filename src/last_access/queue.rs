//! The tokens whose accesses are still to be written.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::BuildHasherDefault;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::model::token::{Renewal, TokenRecord, Touch};
use crate::token_string::{IdHasher, TokenId};

const SHARDS: usize = 64;
/// Up to this many waiting tokens are all written in one round, however recently they were written before.
pub(crate) const PROMPT_WRITES: usize = 1000;

/// The watched tokens, in shards by the hash tag.
pub(crate) struct AccessQueue {
    shards: Vec<WatchShard>,
    max_tokens_per_shard: usize,
    resolution_ms: u64,
}

#[derive(Default)]
struct WatchShard {
    watched: Mutex<Watched>,
    /// As last seen under the lock. A caller that finds the shard full does not wait for the lock.
    is_full: AtomicBool,
}

type Watched = HashMap<TokenId, WatchedToken, BuildHasherDefault<IdHasher>>;

/// A token whose accesses are watched.
struct WatchedToken {
    /// The newest accessed copy of its record; the mark of that copy has the latest access.
    record: Arc<TokenRecord>,
    /// The latest access through older copies.
    access_ms: u64,
    renewal: Option<Renewal>,
    /// A renewal that is being written. If the write is cancelled, its outcome is unknown, so it is written again.
    in_flight: Option<Renewal>,
    /// The access that was last taken to be written; 0 for none.
    written_access_ms: u64,
    /// The boottime of that.
    taken_ms: Option<u64>,
}

/// An access that was taken from the queue to be written.
pub(crate) struct DueAccess {
    record: Arc<TokenRecord>,
    access_ms: u64,
    renewal: Option<Renewal>,
}

impl DueAccess {
    /// The access as the store takes it.
    pub(crate) fn touch(&self) -> Touch {
        Touch {
            id: self.record.id,
            user: self.record.user().to_owned(),
            access_ms: self.access_ms,
            renewal: self.renewal,
        }
    }
}

impl AccessQueue {
    /// An empty queue of about `max_tokens`. If many tokens wait, each is taken once in `resolution_ms`.
    pub(crate) fn new(max_tokens: usize, resolution_ms: u64) -> Self {
        let shards = (0..SHARDS).map(|_| WatchShard::default()).collect();
        Self { shards, max_tokens_per_shard: max_tokens.div_ceil(SHARDS), resolution_ms }
    }

    fn shard(&self, id: TokenId) -> &WatchShard {
        &self.shards[id.hash_tag().index() % SHARDS]
    }

    /// Whether the queue was full for this token when it was last looked at.
    pub(crate) fn is_full(&self, id: TokenId) -> bool {
        self.shard(id).is_full.load(Ordering::Relaxed)
    }

    /// The expiry that accesses to this token have earned and that is not written yet.
    pub(crate) fn earned_ms(&self, id: TokenId) -> Option<u64> {
        self.shard(id).lock().get(&id)?.earned().map(|renewal| renewal.to_ms)
    }

    /// Watches this copy of the record, if it is kept. Returns false if the queue is full.
    pub(crate) fn watch(
        &self,
        record: &Arc<TokenRecord>,
        access_ms: u64,
        renewal: Option<Renewal>,
        is_kept: bool,
    ) -> bool {
        let shard = self.shard(record.id);
        let mut watched = shard.lock();
        let is_full = watched.len() >= self.max_tokens_per_shard;
        match watched.entry(record.id) {
            Entry::Occupied(mut entry) => {
                let token = entry.get_mut();
                token.access_ms = token.access_ms.max(access_ms);
                token.renewal = merged(token.renewal, renewal);
                if is_kept && !Arc::ptr_eq(&token.record, record) {
                    token.access_ms = token.access_ms();
                    let older = std::mem::replace(&mut token.record, record.clone());
                    older.accesses.release();
                }
            }
            Entry::Vacant(_) if is_full => {
                shard.is_full.store(true, Ordering::Relaxed);
                return false;
            }
            Entry::Vacant(entry) => {
                entry.insert(WatchedToken {
                    record: record.clone(),
                    access_ms,
                    renewal,
                    in_flight: None,
                    written_access_ms: 0,
                    taken_ms: None,
                });
            }
        }
        true
    }

    /// Takes the accesses that may be written now, and stops watching the tokens that were not accessed for a resolution.
    pub(crate) fn take_due(&self, boottime_ms: u64) -> Vec<DueAccess> {
        let waiting: usize = self
            .shards
            .iter()
            .map(|shard| shard.lock().values().filter(|token| token.is_waiting()).count())
            .sum();
        let is_prompt = waiting <= PROMPT_WRITES;
        let mut due = Vec::new();
        for shard in &self.shards {
            let mut watched = shard.lock();
            watched.retain(|_, token| {
                let is_rested = |taken_ms| boottime_ms >= self.resolution_ms.saturating_add(taken_ms);
                let rested = token.taken_ms.is_none_or(is_rested);
                if !token.is_waiting() {
                    if rested {
                        token.record.accesses.release();
                    }
                    return !rested;
                }
                if is_prompt || rested || token.earned().is_some() {
                    due.push(token.take(boottime_ms));
                }
                true
            });
            shard.is_full.store(watched.len() >= self.max_tokens_per_shard, Ordering::Relaxed);
        }
        due
    }

    /// The access is written, or the store will never take it.
    pub(crate) fn mark_written(&self, due: &DueAccess) {
        if let Some(token) = self.shard(due.record.id).lock().get_mut(&due.record.id) {
            token.in_flight = None;
        }
    }

    /// The access was not written: it waits for the next round.
    pub(crate) fn put_back(&self, due: &DueAccess) {
        if let Some(token) = self.shard(due.record.id).lock().get_mut(&due.record.id) {
            token.renewal = merged(token.renewal, token.in_flight.take());
            (token.written_access_ms, token.taken_ms) = (0, None);
        }
    }
}

impl WatchShard {
    fn lock(&self) -> MutexGuard<'_, Watched> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl WatchedToken {
    fn access_ms(&self) -> u64 {
        self.access_ms.max(self.record.accesses.latest_ms())
    }

    fn is_waiting(&self) -> bool {
        self.earned().is_some() || self.access_ms() > self.written_access_ms
    }

    /// The renewals that were earned and are not known to be written.
    fn earned(&self) -> Option<Renewal> {
        merged(self.renewal, self.in_flight)
    }

    fn take(&mut self, boottime_ms: u64) -> DueAccess {
        self.written_access_ms = self.access_ms();
        self.taken_ms = Some(boottime_ms);
        (self.renewal, self.in_flight) = (None, self.earned());
        DueAccess { record: self.record.clone(), access_ms: self.written_access_ms, renewal: self.in_flight }
    }
}

/// The chain of both.
fn merged(one: Option<Renewal>, other: Option<Renewal>) -> Option<Renewal> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.and(other)),
        (one, other) => one.or(other),
    }
}
