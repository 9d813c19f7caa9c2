//! Reads of the store that are under way: one per token, and who waits for it.

use hashbrown::HashTable;
use tokio::sync::oneshot;

use super::lease::{Origin, ServerIndex};
use super::near_cache::NearCache;
use crate::sync::protection;
use crate::token_string::TokenId;

/// So many readers wait for one read; the next one reads for itself, uncached.
const MAX_FOLLOWERS: usize = 4096;

/// What [`NearCache::begin`] says to one who wants a token.
#[must_use]
pub enum Flight<'a, V: Clone> {
    /// It is in the cache by now.
    Cached(V),
    /// Read the store and hand the answer to [`Ticket::complete`].
    Lead(Ticket<'a, V>),
    /// Another is reading it already: [`Follower::wait`].
    Follow(Follower<V>),
}

/// The right to read one token from the store for all who want it, and to put it into the cache if nothing
/// took that right away meanwhile. Dropped without an answer (a cancelled request, a failed read), it wakes
/// its followers, who begin again.
#[must_use = "dropping it says that the read failed"]
pub struct Ticket<'a, V: Clone> {
    pub(crate) cache: &'a NearCache<V>,
    pub(crate) id: TokenId,
    pub(crate) number: u64,
    pub(crate) origin: Origin,
    pub(crate) completed: bool,
}

impl<V: Clone> Ticket<'_, V> {
    /// The read has answered: wakes the followers with the value, and caches it if the ticket is still good.
    ///
    /// `answered_by` is the server that gave the answer, `None` where that is not known. Only an answer of the
    /// server the ticket was taken for is cached: another one's invalidations may not reach this node.
    pub fn complete(mut self, value: V, answered_by: Option<ServerIndex>) {
        self.completed = true;
        let may_cache = protection("tracked", self.origin.is_tracked())
            && protection("answered_by", answered_by == Some(self.origin.server));
        let followers = self.cache.land(&self, &value, may_cache);
        for follower in followers {
            // One that is gone by now needs no answer.
            drop(follower.send(value.clone()));
        }
    }
}

impl<V: Clone> Drop for Ticket<'_, V> {
    fn drop(&mut self) {
        if !self.completed {
            self.cache.abandon(self);
        }
    }
}

/// Waits for another's read of the same token. May be dropped at any time.
#[must_use]
pub struct Follower<V>(oneshot::Receiver<V>);

impl<V> Follower<V> {
    /// The value; `None` when that read failed or was overtaken by an invalidation: begin again.
    pub async fn wait(self) -> Option<V> {
        self.0.await.ok()
    }
}

/// Those waiting for one read. Dropping one sends it back to begin again.
pub(crate) type Followers<V> = Vec<oneshot::Sender<V>>;

/// The reads under way in one shard. A void read is not in here: so none can join it, and its answer finds
/// no place to land. There are never more than tickets out, which is never more than requests.
pub(crate) struct Flights<V> {
    running: HashTable<Running<V>>,
    next_number: u64,
}

struct Running<V> {
    id: TokenId,
    number: u64,
    origin: Origin,
    began_ms: u64,
    followers: Followers<V>,
}

/// What [`Flights::join`] found.
pub(crate) enum Joined<V> {
    Follow(Follower<V>),
    /// The read has all the followers it may have.
    Full,
    /// No read that this reader may join.
    No,
}

impl<V> Flights<V> {
    pub(crate) fn new() -> Self {
        Self { running: HashTable::new(), next_number: 0 }
    }

    /// Joins the read of this token, if there is one that may be joined: of the same server and epoch, and
    /// begun within the last `lease_ms`, so that its answer is never older than the promise allows.
    pub(crate) fn join(&mut self, id: &TokenId, origin: Origin, now_ms: u64, lease_ms: u64) -> Joined<V> {
        let Some(flight) = self.running.find_mut(id.random_bits(), |flight| flight.id == *id) else {
            return Joined::No;
        };
        let fresh = protection("join_age", now_ms < flight.began_ms.saturating_add(lease_ms))
            && protection("join_epoch", flight.origin == origin);
        if !fresh {
            return Joined::No;
        }
        if flight.followers.len() >= MAX_FOLLOWERS {
            flight.followers.retain(|follower| !follower.is_closed());
            if flight.followers.len() >= MAX_FOLLOWERS {
                return Joined::Full;
            }
        }
        let (sender, receiver) = oneshot::channel();
        flight.followers.push(sender);
        Joined::Follow(Follower(receiver))
    }

    /// Enters a new read of this token: its number, and the followers of the one it replaces.
    pub(crate) fn start(&mut self, id: TokenId, origin: Origin, began_ms: u64) -> (u64, Followers<V>) {
        let replaced = self.void(&id).unwrap_or_default();
        let number = self.unlisted();
        let flight = Running { id, number, origin, began_ms, followers: Vec::new() };
        self.running.insert_unique(id.random_bits(), flight, |flight| flight.id.random_bits());
        (number, replaced)
    }

    /// A number for a read that none can join and whose answer is not cached.
    pub(crate) fn unlisted(&mut self) -> u64 {
        self.next_number += 1;
        self.next_number
    }

    /// Takes out the read of this token, whoever leads it.
    pub(crate) fn void(&mut self, id: &TokenId) -> Option<Followers<V>> {
        self.take_if(id, |_| true)
    }

    /// Takes out this very read; `None` when it is void.
    pub(crate) fn take(&mut self, id: &TokenId, number: u64) -> Option<Followers<V>> {
        self.take_if(id, |flight| flight.number == number)
    }

    fn take_if(&mut self, id: &TokenId, wanted: impl Fn(&Running<V>) -> bool) -> Option<Followers<V>> {
        let matches = |flight: &Running<V>| flight.id == *id && wanted(flight);
        let found = self.running.find_entry(id.random_bits(), matches).ok()?;
        Some(found.remove().0.followers)
    }

    pub(crate) fn len(&self) -> usize {
        self.running.len()
    }
}
