//! The table, the flights and the servers of the near cache together.

use super::flight::{Flight, Flights, Followers, Joined, Ticket};
use super::lease::{Connection, ServerIndex, Servers};
use super::table::Table;
use crate::clock::Clock;
use crate::sync::{Mutex, MutexGuard, PoisonError, protection};
use crate::token_string::TokenId;

/// So many locks at most: enough that threads rarely meet at one.
const MAX_SHARDS: usize = 256;
/// A cache too small for this many entries in each shard has fewer shards.
const MIN_ENTRIES_PER_SHARD: usize = 1024;

/// How large a cache is and how long it believes.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Entries kept at most; 0 keeps none, and misses are still one read.
    pub capacity_entries: usize,
    /// Servers at most: indices from here on are read but never cached.
    pub servers: usize,
    /// How long after a heartbeat was sent its server's entries are served.
    pub lease_ms: u64,
    /// How long after the lease known tokens pass while the store cannot be asked; 0 is not at all.
    pub stale_grace_ms: u64,
}

/// What a cache has done since it was made, and holds now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Look-ups answered from the cache.
    pub hits: u64,
    /// Look-ups answered in the grace after the lease.
    pub stale_hits: u64,
    /// Reads of the store begun.
    pub misses: u64,
    /// Look-ups that waited for another's read.
    pub joins: u64,
    /// Answers put into the cache.
    pub inserts: u64,
    /// Entries that made room for others.
    pub evictions: u64,
    /// Entries and running reads that an invalidation took out.
    pub voids: u64,
    /// Entries held now, also those past their lease or epoch.
    pub entries: usize,
    /// Reads under way now.
    pub flights: usize,
}

/// What a look came to, and whether it counts as a hit: a use of the entry, which answered the look-up.
pub enum Looked<R> {
    /// The entry answered it.
    Hit(R),
    /// It did not: there was no entry, it was of no use, or the caller turned out to be a forger.
    NoHit(R),
}

impl<R> Looked<R> {
    /// What it came to, hit or not.
    pub fn outcome(self) -> R {
        match self {
            Self::Hit(outcome) | Self::NoHit(outcome) => outcome,
        }
    }
}

/// The cache. `V` is cheap to clone, an `Arc` of the record; that a token is absent or ended is a value too.
pub struct NearCache<V> {
    shards: Box<[Shard<V>]>,
    servers: Servers,
}

/// Each on cache lines of its own, so that threads at two shards do not disturb each other.
#[repr(align(128))]
struct Shard<V>(Mutex<State<V>>);

/// The table comes first: see there.
#[repr(C)]
pub(crate) struct State<V> {
    pub(crate) table: Table<V>,
    flights: Flights<V>,
    /// Counted under the lock that is held anyway; the table counts what it does.
    stats: Stats,
}

impl<V: Clone> NearCache<V> {
    /// An empty cache, all servers not live.
    pub fn new(limits: Limits) -> Self {
        let shards = (limits.capacity_entries / MIN_ENTRIES_PER_SHARD).clamp(1, MAX_SHARDS);
        // Down to a power of two: a mask picks the shard.
        let shards = 1 << shards.ilog2();
        let state = |_| State {
            table: Table::new(limits.capacity_entries / shards),
            flights: Flights::new(),
            stats: Stats::default(),
        };
        Self {
            shards: (0..shards).map(|n| Shard(Mutex::new(state(n)))).collect(),
            servers: Servers::new(limits.servers, limits.lease_ms, limits.stale_grace_ms),
        }
    }

    pub(crate) fn shard(&self, id: &TokenId) -> &Mutex<State<V>> {
        // Neither the low nor the topmost bits, by which a shard's own index finds its place.
        &self.shards[(id.random_bits() >> 32) as usize & (self.shards.len() - 1)].0
    }

    fn lock(&self, id: &TokenId) -> MutexGuard<'_, State<V>> {
        self.shard(id).lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The token, if it is known and may be believed at `now_ms`, a reading of CLOCK_BOOTTIME in milliseconds
    /// that was taken for this very look-up.
    #[inline]
    pub fn get(&self, id: &TokenId, now_ms: u64) -> Option<V> {
        self.look(id, now_ms, |value| Looked::Hit(value.cloned()))
    }

    /// The same for a look that is no use of the entry.
    pub fn peek(&self, id: &TokenId, now_ms: u64) -> Option<V> {
        self.look(id, now_ms, |value| Looked::NoHit(value.cloned()))
    }

    /// What `use_it` makes of what [`get`](Self::get) would give. Saves the copy: counting one more owner of a record
    /// makes its memory this core's own, and the next core has to fetch it.
    ///
    /// `use_it` runs while the entry's shard is locked: it must be short, not wait, and not come back to the cache. It
    /// says whether the look was a hit; without an entry there is none.
    #[inline]
    pub fn look<R>(&self, id: &TokenId, now_ms: u64, use_it: impl FnOnce(Option<&V>) -> Looked<R>) -> R {
        let mut state = self.lock(id);
        if let Some(found) = state.table.find_if(id, |origin| self.servers.may_serve(origin, now_ms)) {
            return match use_it(Some(found.value())) {
                Looked::Hit(made) => {
                    found.count_hit();
                    made
                }
                Looked::NoHit(made) => made,
            };
        }
        drop(state);
        use_it(None).outcome()
    }

    /// The token, if it is known and `now_ms` is within the stale grace: for when the store cannot be asked,
    /// and the operator chose to let known tokens pass that much longer. What was invalidated never passes,
    /// nor what was read before the last reconnect.
    pub fn get_stale(&self, id: &TokenId, now_ms: u64) -> Option<V> {
        let mut state = self.lock(id);
        let value = state.table.find(id).filter(|slot| self.servers.may_serve_stale(slot.origin(), now_ms));
        let value = value.map(|slot| slot.value.clone());
        state.stats.stale_hits += u64::from(value.is_some());
        value
    }

    /// Whether the server may have been away at `then_ms`, give or take `slack_ms`, and is not back for longer than that:
    /// then another node may still have something to write that it could not write at that time.
    pub fn was_away(&self, server: ServerIndex, then_ms: u64, now_ms: u64, slack_ms: u64) -> bool {
        self.servers.was_away(server, then_ms, now_ms, slack_ms)
    }

    /// Begins a look-up that [`get`](Self::get) could not answer; `server` is where the token lives now.
    pub fn begin(&self, id: &TokenId, server: ServerIndex, now_ms: u64) -> Flight<'_, V> {
        let mut state = self.lock(id);
        if let Some(found) = state.table.find_if(id, |origin| self.servers.may_serve(origin, now_ms)) {
            return Flight::Cached(found.count_hit().clone());
        }
        let origin = self.servers.origin(server);
        let (number, replaced) = match state.flights.join(id, origin, now_ms, self.servers.lease_ms) {
            Joined::Follow(follower) => {
                state.stats.joins += 1;
                return Flight::Follow(follower);
            }
            Joined::Full => (state.flights.unlisted(), Followers::new()),
            Joined::No => state.flights.start(*id, origin, now_ms),
        };
        state.stats.misses += 1;
        drop(state);
        // Wakes them, outside the lock: the read they waited for is not one to wait for any longer.
        drop(replaced);
        Flight::Lead(Ticket { cache: self, id: *id, number, origin, completed: false })
    }

    /// The whole look-up: from the cache, or by `read`, or from another's read. `read` is called at most once,
    /// and gives the value and the server that answered, as [`Ticket::complete`] takes them.
    ///
    /// # Errors
    /// Those of `read`.
    pub async fn get_or_read<F, E>(
        &self,
        id: &TokenId,
        server: ServerIndex,
        clock: &Clock,
        read: impl FnOnce() -> F,
    ) -> Result<V, E>
    where
        F: Future<Output = Result<(V, Option<ServerIndex>), E>>,
    {
        if let Some(value) = self.get(id, clock.boottime_ms()) {
            return Ok(value);
        }
        loop {
            match self.begin(id, server, clock.boottime_ms()) {
                Flight::Cached(value) => return Ok(value),
                Flight::Lead(ticket) => {
                    let (value, answered_by) = read().await?;
                    ticket.complete(value.clone(), answered_by);
                    return Ok(value);
                }
                Flight::Follow(follower) => {
                    if let Some(value) = follower.wait().await {
                        return Ok(value);
                    }
                }
            }
        }
    }

    /// A server said that this token changed: voids its entry and its running read. Whether there was an entry.
    pub fn invalidate(&self, id: &TokenId) -> bool {
        let mut state = self.lock(id);
        let removed = state.table.remove(id);
        let spared = protection("void_flight", false);
        let followers = if spared { None } else { state.flights.void(id) };
        state.stats.voids += u64::from(removed.is_some()) + u64::from(followers.is_some());
        drop(state);
        let had_entry = removed.is_some();
        drop((removed, followers));
        had_entry
    }

    /// This node changed the token: the same as [`invalidate`](Self::invalidate). To be called once the store
    /// has executed the change, or may have (an error, a time-out), and before the change is acknowledged.
    pub fn void(&self, id: &TokenId) {
        self.invalidate(id);
    }

    /// Voids everything read from a server, in constant time: slots have changed their owner.
    pub fn invalidate_all(&self, server: ServerIndex) {
        self.servers.void_all(server);
    }

    /// The server has said OK to tracking on a new connection: from here on its answers are cached, and served
    /// from the first heartbeat on. `None` for a server beyond [`Limits::servers`].
    pub fn connection_live(&self, server: ServerIndex) -> Option<Connection> {
        self.servers.connect(server)
    }

    /// Whether the entries of this server are being served at `now_ms`.
    pub fn is_live(&self, server: ServerIndex, now_ms: u64) -> bool {
        self.servers.is_live(server, now_ms)
    }

    /// What was counted; takes each shard's lock in turn.
    pub fn stats(&self) -> Stats {
        let mut sum = Stats::default();
        for shard in &self.shards {
            let state = shard.0.lock().unwrap_or_else(PoisonError::into_inner);
            sum.hits += state.table.hits();
            sum.stale_hits += state.stats.stale_hits;
            sum.misses += state.stats.misses;
            sum.joins += state.stats.joins;
            sum.voids += state.stats.voids;
            sum.inserts += state.table.inserts();
            sum.evictions += state.table.evictions();
            sum.entries += state.table.len();
            sum.flights += state.flights.len();
        }
        sum
    }

    /// A read has answered. If its ticket is still good, its followers are the answer's, and it may be cached.
    pub(crate) fn land(&self, ticket: &Ticket<'_, V>, value: &V, may_cache: bool) -> Followers<V> {
        let mut state = self.lock(&ticket.id);
        let followers = state.flights.take(&ticket.id, ticket.number);
        let mut displaced = None;
        if may_cache && protection("ticket", followers.is_some()) {
            displaced = state.table.insert(ticket.id, ticket.origin, value.clone());
        }
        drop(state);
        drop(displaced);
        followers.unwrap_or_default()
    }

    /// A read gives no answer: its followers begin again.
    pub(crate) fn abandon(&self, ticket: &Ticket<'_, V>) {
        let followers = self.lock(&ticket.id).flights.take(&ticket.id, ticket.number);
        drop(followers);
    }
}
