//! Reads of the store that are under way: one per token, and who waits for it.

use crate::clock::Clock;

use super::flights::{Follower, Followers, Joined};
use super::lease::{Origin, ServerIndex};
use super::near_cache::NearCache;
use crate::sync::protection;
use crate::token_string::TokenId;

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

impl<V: Clone> NearCache<V> {
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
