//! The cache: look-ups and invalidations, over the threads' fronts, the shards' tables and flights, and the servers'
//! leases.

use std::borrow::Borrow;

use super::front::Fronts;
use super::lease::{Leases, ServerIndex, TrackingConnection};
use super::running_flights::RunningFlights;
use super::table::{Displaced, Table};
use crate::sync::{AtomicU64, Mutex, MutexGuard, Ordering, PoisonError, protection};
use crate::token_string::TokenId;

/// The most shards: enough that two threads rarely need the same lock.
const MAX_SHARDS: usize = 256;
/// The fewest entries of a shard: a small cache has fewer shards.
const MIN_ENTRIES_PER_SHARD: usize = 1024;

/// Numbers that fit into two cache lines, which processors fetch in pairs.
const GENERATIONS_PER_LINE: usize = 16;

/// The size of a cache, and how long it serves its entries.
#[derive(Clone, Copy, Debug)]
pub struct CacheLimits {
    /// The most entries. With 0 none is kept, and concurrent misses of a token are still one read.
    pub capacity_entries: usize,
    /// The number of servers. Tokens of a server with a higher index are never cached.
    pub servers: usize,
    /// How long after a heartbeat was sent its server's entries are served.
    pub lease_ms: u64,
    /// How long after the lease known tokens pass while the store is unreachable; 0 turns this off.
    pub stale_grace_ms: u64,
}

/// Counters since the cache was created, and its present size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheStats {
    /// Look-ups answered from the cache.
    pub hits: u64,
    /// Look-ups answered within the stale grace.
    pub stale_hits: u64,
    /// Reads of the store.
    pub misses: u64,
    /// Look-ups that followed another look-up's read.
    pub joins: u64,
    /// Entries inserted.
    pub inserts: u64,
    /// Entries evicted to make room for others.
    pub evictions: u64,
    /// Entries removed and tickets cancelled by an invalidation.
    pub invalidations: u64,
    /// Entries now, including those past their lease or epoch.
    pub entries: usize,
    /// Reads under way now.
    pub flights: usize,
}

impl CacheStats {
    /// Returns the number of look-ups.
    pub fn looks(&self) -> u64 {
        self.answered() + self.misses + self.joins
    }

    /// Returns the number of look-ups that the cache answered.
    pub fn answered(&self) -> u64 {
        self.hits + self.stale_hits
    }
}

/// The result of a look, and whether it counts as a hit: a use of the entry that answered the look-up.
pub enum Looked<R> {
    /// The entry answered the look-up.
    Hit(R),
    /// There was no entry, it did not help, or the caller did not prove that the token is its own.
    NoHit(R),
}

impl<R> Looked<R> {
    /// Returns the result, hit or not.
    pub fn outcome(self) -> R {
        match self {
            Self::Hit(outcome) | Self::NoHit(outcome) => outcome,
        }
    }
}

/// The cache. `V` is cheap to clone, such as an `Arc` of the record. That a token is absent or revoked is a value, too. `H`
/// is what a front holds: the value, and what the looks of one thread want beside it.
pub struct NearCache<V, H = V> {
    shards: Box<[CacheShard<V>]>,
    /// The generation of each shard. Written under its lock, when a copied entry leaves its table.
    generations: Box<[Generations]>,
    pub(crate) fronts: Fronts<H>,
    pub(crate) leases: Leases,
}

/// A shard on its own cache lines: threads that use two shards do not slow each other down.
#[repr(align(128))]
struct CacheShard<V>(Mutex<ShardState<V>>);

/// Generations of shards, on cache lines of their own: they are read at each hit and rarely written.
#[derive(Default)]
#[repr(align(128))]
struct Generations([AtomicU64; GENERATIONS_PER_LINE]);

/// The content of a shard. The table comes first, so that its hot fields share a cache line with the lock.
#[repr(C)]
pub(crate) struct ShardState<V> {
    pub(crate) table: Table<V>,
    pub(crate) flights: RunningFlights<V>,
    /// Counters that the table does not keep.
    pub(crate) stats: CacheStats,
}

impl<V: Clone, H: From<V> + Borrow<V>> NearCache<V, H> {
    /// Creates an empty cache. No server is tracked yet.
    pub fn new(limits: CacheLimits) -> Self {
        let shards = (limits.capacity_entries / MIN_ENTRIES_PER_SHARD).clamp(1, MAX_SHARDS);
        // Rounded down to a power of two: a mask selects the shard.
        let shards = 1 << shards.ilog2();
        let state = |_| ShardState {
            table: Table::new(limits.capacity_entries / shards),
            flights: RunningFlights::new(),
            stats: CacheStats::default(),
        };
        Self {
            shards: (0..shards).map(|n| CacheShard(Mutex::new(state(n)))).collect(),
            generations: (0..shards.div_ceil(GENERATIONS_PER_LINE)).map(|_| Generations::default()).collect(),
            fronts: Fronts::new(limits.capacity_entries),
            leases: Leases::new(limits.servers, limits.lease_ms, limits.stale_grace_ms),
        }
    }

    /// Returns the number of the token's shard. The shard's table uses the highest bits, a front the lowest.
    fn shard_number(&self, id: &TokenId) -> usize {
        (id.random_bits() >> 32) as usize & (self.shards.len() - 1)
    }

    pub(crate) fn shard(&self, id: &TokenId) -> &Mutex<ShardState<V>> {
        &self.shards[self.shard_number(id)].0
    }

    #[inline]
    fn generation_of(&self, id: &TokenId) -> &AtomicU64 {
        let number = self.shard_number(id);
        &self.generations[number / GENERATIONS_PER_LINE].0[number % GENERATIONS_PER_LINE]
    }

    /// Returns the generation of the token's shard.
    #[inline]
    pub(crate) fn generation(&self, id: &TokenId) -> u64 {
        self.generation_of(id).load(Ordering::SeqCst)
    }

    /// Ends all copies of entries of the token's shard if a copied entry has left the table, under the lock that the caller
    /// holds.
    pub(crate) fn end_copies(&self, id: &TokenId, displaced: &Displaced<V>) {
        if displaced.ends_copies && !protection("generation_grows", false) {
            self.generation_of(id).fetch_add(1, Ordering::SeqCst);
        }
    }

    pub(crate) fn lock(&self, id: &TokenId) -> MutexGuard<'_, ShardState<V>> {
        self.shard(id).lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the token if it is cached and `now_ms` is within the stale grace.
    ///
    /// For outages: the store is unreachable, and the operator lets known tokens pass a while longer. An entry that
    /// was invalidated, or read before the last reconnect, is never returned.
    pub fn get_stale(&self, id: &TokenId, now_ms: u64) -> Option<V> {
        let mut state = self.lock(id);
        let slot = state.table.position_if(id, |origin| self.leases.may_serve_stale(origin, now_ms));
        let value = slot.and_then(|slot| state.table.entry(slot)).map(|entry| entry.value.clone());
        state.stats.stale_hits += u64::from(value.is_some());
        value
    }

    /// Returns whether the server may have been unreachable at `then_ms`, give or take `slack_ms`, and has not been back
    /// for longer than that. If so, another node may still have to write what it could not write then.
    pub fn was_away(&self, server: ServerIndex, then_ms: u64, now_ms: u64, slack_ms: u64) -> bool {
        self.leases.was_away(server, then_ms, now_ms, slack_ms)
    }

    /// Removes the token's entry and cancels its ticket. Returns whether there was an entry.
    ///
    /// To be called when the server pushes that the token changed. Also when this node changed the token: after the
    /// store has executed the change or may have (an error, a time-out), and before the change is acknowledged.
    pub fn invalidate(&self, id: &TokenId) -> bool {
        let mut state = self.lock(id);
        let removed = state.table.remove(id);
        if let Some(gone) = &removed {
            self.end_copies(id, gone);
        }
        let spared = protection("cancel", false);
        let followers = if spared { None } else { state.flights.cancel(id) };
        state.stats.invalidations += u64::from(removed.is_some()) + u64::from(followers.is_some());
        drop(state);
        let had_entry = removed.is_some();
        drop((removed, followers));
        had_entry
    }

    /// Discards everything read from a server, in constant time: slots have moved to another master.
    pub fn invalidate_all(&self, server: ServerIndex) {
        self.leases.start_epoch(server);
    }

    /// Starts an epoch on a new connection on which the server has confirmed tracking. Answers read from here on are
    /// cached, and served from the first answered heartbeat on.
    ///
    /// Returns `None` for a server beyond [`CacheLimits::servers`].
    pub fn start_tracking(&self, server: ServerIndex) -> Option<TrackingConnection> {
        self.leases.start_tracking(server)
    }

    /// Returns whether the entries of this server are served at `now_ms`.
    pub fn is_live(&self, server: ServerIndex, now_ms: u64) -> bool {
        self.leases.is_live(server, now_ms)
    }

    /// Returns how old the newest proof is that no invalidation of this server is missing; `None` without any.
    pub fn lease_age_ms(&self, server: ServerIndex, now_ms: u64) -> Option<u64> {
        self.leases.age_ms(server, now_ms)
    }

    /// Returns the sums over all shards and fronts. Takes each lock in turn.
    pub fn stats(&self) -> CacheStats {
        let mut sum = CacheStats { hits: self.fronts.hits(), ..CacheStats::default() };
        for shard in &self.shards {
            let state = shard.0.lock().unwrap_or_else(PoisonError::into_inner);
            sum.hits += state.table.hits();
            sum.stale_hits += state.stats.stale_hits;
            sum.misses += state.stats.misses;
            sum.joins += state.stats.joins;
            sum.invalidations += state.stats.invalidations;
            sum.inserts += state.table.inserts();
            sum.evictions += state.table.evictions();
            sum.entries += state.table.len();
            sum.flights += state.flights.len();
        }
        sum
    }
}
