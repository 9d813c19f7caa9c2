//! Accesses are recorded on the request path without waiting, and written down by a worker in batches.
//!
//! A record never fails a request: when the queue is full the access is counted as dropped. An access that
//! earned a renewal of a token about to expire wakes the worker at once; all others wait for its next round.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use tokio::sync::Notify;

use crate::clock::Clock;
use crate::secret::TokenId;
use crate::store::{Store, StoreError};
use crate::token::{Credential, Touch};

const SHARDS: usize = 64;
/// What one call of the store writes down; what is left of a batch after a failure waits for the next round.
const TOUCHES_PER_WRITE: usize = 1024;

/// When accesses are written, and how many may wait.
#[derive(Clone, Copy, Debug)]
pub struct LastAccessOptions {
    /// The worker's round.
    pub flush_interval_ms: u64,
    /// A token is written at most once in this time, renewals excepted.
    pub resolution_ms: u64,
    /// The most tokens with an access waiting.
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
    shards: Vec<Mutex<HashMap<TokenId, Pending>>>,
    options: LastAccessOptions,
    clock: Clock,
    store: Store,
    wake: Notify,
    flushing: tokio::sync::Mutex<()>,
    counters: LastAccessCounters,
}

/// What is known of a token's accesses on this node.
struct Pending {
    credential: Arc<Credential>,
    access_ms: u64,
    renew_to_ms: Option<u64>,
    /// When it was last taken to be written; 0 for never.
    taken_ms: u64,
    /// There is an access that was not taken yet.
    waiting: bool,
}

impl LastAccess {
    /// An empty queue before this store; [`LastAccess::run`] empties it.
    pub fn new(store: Store, clock: Clock, options: LastAccessOptions, counters: LastAccessCounters) -> Self {
        let shards = (0..SHARDS).map(|_| Mutex::default()).collect();
        let (wake, flushing) = (Notify::new(), tokio::sync::Mutex::new(()));
        Self(Arc::new(Inner { shards, options, clock, store, wake, flushing, counters }))
    }

    /// Notes an access at `now_ms` that earned the expiry `renew_to_ms`. Never waits, never fails.
    pub fn record(&self, credential: &Arc<Credential>, now_ms: u64, renew_to_ms: Option<u64>) {
        self.merge(credential, now_ms, renew_to_ms);
        let must_hurry =
            credential.expires_at_ms.saturating_sub(now_ms) < 2 * self.0.options.flush_interval_ms;
        if renew_to_ms.is_some() && must_hurry {
            self.0.wake.notify_one();
        }
    }

    fn merge(&self, credential: &Arc<Credential>, access_ms: u64, renew_to_ms: Option<u64>) {
        let mut shard = self.0.shard(credential.id);
        let is_full = shard.len() >= self.0.options.queue.div_ceil(SHARDS);
        match shard.entry(credential.id) {
            Entry::Occupied(mut entry) => {
                let pending = entry.get_mut();
                pending.waiting |= access_ms > pending.access_ms || renew_to_ms > pending.renew_to_ms;
                pending.access_ms = pending.access_ms.max(access_ms);
                pending.renew_to_ms = pending.renew_to_ms.max(renew_to_ms);
            }
            Entry::Vacant(_) if is_full => {
                self.0.counters.dropped.inc();
            }
            Entry::Vacant(entry) => {
                let credential = credential.clone();
                entry.insert(Pending { credential, access_ms, renew_to_ms, taken_ms: 0, waiting: true });
            }
        }
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
        let now_ms = self.0.clock.now_ms();
        let due = self.0.take_due(now_ms);
        for (done, chunk) in due.chunks(TOUCHES_PER_WRITE).enumerate() {
            let touches: Vec<_> = chunk.iter().map(Due::touch).collect();
            match self.0.store.touch(&touches, now_ms).await {
                Ok(()) => {
                    self.0.counters.flushed.inc_by(touches.len() as u64);
                }
                Err(StoreError::Unavailable(reason)) => {
                    self.0.counters.failed_writes.inc();
                    tracing::warn!(reason, waiting = due.len(), "last accesses could not be written");
                    for due in &due[done * TOUCHES_PER_WRITE..] {
                        self.put_back(due);
                    }
                    return;
                }
                Err(error @ StoreError::Corrupt { .. }) => {
                    self.0.counters.failed_writes.inc();
                    tracing::error!(%error, "last accesses were given up");
                }
            }
        }
    }

    fn put_back(&self, due: &Due) {
        self.merge(&due.credential, due.access_ms, due.renew_to_ms);
        if let Some(pending) = self.0.shard(due.credential.id).get_mut(&due.credential.id) {
            pending.waiting = true;
            pending.taken_ms = 0;
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
            user: self.credential.user.clone(),
            access_ms: self.access_ms,
            renew_to_ms: self.renew_to_ms,
        }
    }
}

impl Inner {
    fn shard(&self, id: TokenId) -> MutexGuard<'_, HashMap<TokenId, Pending>> {
        self.shards[id.shard_tag().index() % SHARDS].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes what may be written now, and forgets what was written long enough ago.
    fn take_due(&self, now_ms: u64) -> Vec<Due> {
        let mut due = Vec::new();
        // A round comes a little early or late: half a one decides to which it belongs.
        let soon_ms = now_ms + self.options.flush_interval_ms / 2;
        for shard in &self.shards {
            let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            shard.retain(|_, pending| {
                let rested = soon_ms >= pending.taken_ms.saturating_add(self.options.resolution_ms);
                if pending.waiting && (rested || pending.renew_to_ms.is_some()) {
                    due.push(Due {
                        credential: pending.credential.clone(),
                        access_ms: pending.access_ms,
                        renew_to_ms: pending.renew_to_ms.take(),
                    });
                    pending.waiting = false;
                    pending.taken_ms = now_ms;
                    return self.options.resolution_ms > 0;
                }
                pending.waiting || !rested
            });
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::SecretHash;
    use crate::store::StoreLimits;
    use crate::store::memory::MemoryStore;
    use crate::token::Token;

    const START_MS: u64 = 1_800_000_000_000;

    async fn queue(options: LastAccessOptions) -> (LastAccess, Store, Clock, Arc<Credential>) {
        let limits = StoreLimits { ended_retention_ms: 1_000, max_tokens_per_user: 10 };
        let store = Store::Memory(Arc::new(MemoryStore::new(limits, 100)));
        let clock = Clock::manual(START_MS);
        let keys = crate::secret::CheckKeys::from_secrets(["k"]).unwrap();
        let entropy = crate::entropy::Entropy::seeded(1);
        let minted = crate::secret::mint(crate::secret::Kind::Token, &keys, "alice", &entropy).unwrap();
        let credential = Arc::new(Credential {
            id: minted.id,
            secret_hash: SecretHash::from_slice(&[1; 16]).unwrap(),
            user: "alice".into(),
            auth_slug: None,
            backend: None,
            device: None,
            is_active: true,
            allowed_cookie: true,
            allowed_header: true,
            expires_at_ms: START_MS + 60_000,
            idle_ms: 60_000,
            ends_at_ms: START_MS + 600_000,
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
    async fn a_token_is_written_once_per_resolution_and_its_last_access_is_not_lost() {
        let (queue, store, clock, credential) = queue(OPTIONS).await;
        let seen = async || {
            let token = store.token(credential.id, clock.now_ms()).await.unwrap().unwrap();
            token.last_access_ms - START_MS
        };
        queue.record(&credential, START_MS + 10, None);
        queue.record(&credential, START_MS + 20, None);
        queue.flush().await;
        assert_eq!(seen().await, 20);
        clock.advance_ms(1_000);
        queue.record(&credential, START_MS + 900, None);
        queue.flush().await;
        assert_eq!(seen().await, 20, "written less than the resolution ago");
        clock.advance_ms(59_000 - 100);
        queue.flush().await;
        assert_eq!(seen().await, 900, "and still written in the end");
        assert_eq!(queue.0.counters.flushed.get(), 2);
    }

    #[tokio::test]
    async fn a_renewal_does_not_wait_for_the_resolution() {
        let (queue, store, clock, credential) = queue(OPTIONS).await;
        queue.record(&credential, START_MS, None);
        queue.flush().await;
        queue.record(&credential, START_MS + 50, Some(START_MS + 60_050));
        queue.flush().await;
        let token = store.token(credential.id, clock.now_ms()).await.unwrap().unwrap();
        assert_eq!(token.credential.expires_at_ms, START_MS + 60_050);
    }

    #[tokio::test]
    async fn the_queue_is_bounded_and_counts_what_it_drops() {
        let (queue, _, _, credential) = queue(LastAccessOptions { queue: 0, ..OPTIONS }).await;
        queue.record(&credential, START_MS, None);
        assert_eq!(queue.0.counters.dropped.get(), 1);
        queue.flush().await;
        assert_eq!(queue.0.counters.flushed.get(), 0);
    }
}
