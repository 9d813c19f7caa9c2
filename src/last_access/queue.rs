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
    watched: Mutex<WatchedTokens>,
    /// The state last seen under the lock. A caller that finds the shard full does not wait for the lock.
    is_full: AtomicBool,
}

type WatchedTokens = HashMap<TokenId, WatchedToken, BuildHasherDefault<IdHasher>>;

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
    /// The boottime at which it was taken.
    taken_ms: Option<u64>,
    /// The access that a round first found waiting and did not take.
    waiting_since_ms: Option<u64>,
}

/// An expiry that was earned and is not written yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EarnedExpiry {
    /// The expiry.
    pub expires_at_ms: u64,
    /// The latest access.
    pub access_ms: u64,
}

/// An access that was taken from the queue to be written.
pub(crate) struct DueAccess {
    record: Arc<TokenRecord>,
    access_ms: u64,
    renewal: Option<Renewal>,
    waiting_since_ms: u64,
}

/// The accesses to write now, and how long accesses have waited. Times are in milliseconds since the Unix epoch.
pub(crate) struct Round {
    pub(crate) due: Vec<DueAccess>,
    /// The oldest access that waits, due or not.
    pub(crate) oldest_ms: Option<u64>,
    /// The oldest access that waits and is not due yet.
    pub(crate) oldest_left_ms: Option<u64>,
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

    /// The expiry that accesses to this token have earned and that is not written yet, and the latest of these accesses.
    pub(crate) fn earned(&self, id: TokenId) -> Option<EarnedExpiry> {
        let watched = self.shard(id).lock();
        let token = watched.get(&id)?;
        let expires_at_ms = token.earned()?.to_ms;
        Some(EarnedExpiry { expires_at_ms, access_ms: token.access_ms() })
    }

    /// Adds an access, and watches this copy of the record if it is kept. Returns false if the queue is full.
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
                    waiting_since_ms: None,
                });
            }
        }
        true
    }

    /// Takes the accesses to write now, and stops watching the tokens that were not accessed for a resolution.
    pub(crate) fn take_due(&self, boottime_ms: u64) -> Round {
        let waiting: usize = self
            .shards
            .iter()
            .map(|shard| shard.lock().values().filter(|token| token.is_waiting()).count())
            .sum();
        let is_prompt = waiting <= PROMPT_WRITES;
        let (mut due, mut oldest_left_ms) = (Vec::new(), None);
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
                } else {
                    oldest_left_ms = earlier(oldest_left_ms, token.wait());
                }
                true
            });
            shard.is_full.store(watched.len() >= self.max_tokens_per_shard, Ordering::Relaxed);
        }
        let oldest_due_ms = due.iter().map(|due: &DueAccess| due.waiting_since_ms).min();
        let oldest_ms = oldest_due_ms.map_or(oldest_left_ms, |due_ms| earlier(oldest_left_ms, due_ms));
        Round { due, oldest_ms, oldest_left_ms }
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
            token.waiting_since_ms = Some(due.waiting_since_ms);
        }
    }
}

impl WatchShard {
    fn lock(&self) -> MutexGuard<'_, WatchedTokens> {
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
        let waiting_since_ms = self.wait();
        self.waiting_since_ms = None;
        self.written_access_ms = self.access_ms();
        self.taken_ms = Some(boottime_ms);
        (self.renewal, self.in_flight) = (None, self.earned());
        DueAccess {
            record: self.record.clone(),
            access_ms: self.written_access_ms,
            renewal: self.in_flight,
            waiting_since_ms,
        }
    }

    /// Returns the access that a round first found waiting. The token waits.
    fn wait(&mut self) -> u64 {
        let access_ms = self.access_ms();
        *self.waiting_since_ms.get_or_insert(access_ms)
    }
}

fn earlier(one: Option<u64>, other: u64) -> Option<u64> {
    Some(one.map_or(other, |one| one.min(other)))
}

/// Joins two optional chains.
fn merged(one: Option<Renewal>, other: Option<Renewal>) -> Option<Renewal> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.and(other)),
        (one, other) => one.or(other),
    }
}
