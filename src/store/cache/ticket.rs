//! Reading the store on a miss: who leads, who follows, and whether the answer fills the cache.

use std::borrow::Borrow;

use super::lease::{ReadOrigin, ServerIndex};
use super::near_cache::NearCache;
use super::running_flights::{Follower, Followers, JoinOutcome};
use crate::clock::Clock;
use crate::sync::protection;
use crate::token_string::TokenId;

/// The role of a look-up after a miss, as [`NearCache::begin`] assigns it.
#[must_use]
pub enum Flight<'a, V: Clone, H: From<V> + Borrow<V> = V> {
    /// Nothing: the token has been cached in the meantime.
    Cached(V),
    /// Read the store and pass the answer to [`Ticket::complete`].
    Lead(Ticket<'a, V, H>),
    /// Wait for a running read of the same token: [`Follower::wait`].
    Follow(Follower<V>),
}

/// The permission to fill the cache: one token is read for all look-ups that want it.
///
/// An invalidation cancels the ticket. Dropping it without an answer (a cancelled request, a failed read) wakes its
/// followers, which begin again.
#[must_use = "dropping it reports the read as failed"]
pub struct Ticket<'a, V: Clone, H: From<V> + Borrow<V> = V> {
    cache: &'a NearCache<V, H>,
    id: TokenId,
    number: u64,
    origin: ReadOrigin,
    is_completed: bool,
}

impl<V: Clone, H: From<V> + Borrow<V>> Ticket<'_, V, H> {
    /// Hands the answer to the followers, and caches it unless the ticket has been cancelled.
    ///
    /// `answered_by` is the server that answered, `None` if it is unknown. Only an answer of the ticket's own server is
    /// cached: another server's invalidations may not reach this node.
    pub fn complete(mut self, value: V, answered_by: Option<ServerIndex>) {
        self.is_completed = true;
        let may_cache = protection("tracked", self.origin.is_tracked())
            && protection("answered_by", answered_by == Some(self.origin.server));
        let followers = self.cache.land(&self, &value, may_cache);
        for follower in followers {
            // Fails if the follower's request has been cancelled.
            drop(follower.send(value.clone()));
        }
    }
}

impl<V: Clone, H: From<V> + Borrow<V>> Drop for Ticket<'_, V, H> {
    fn drop(&mut self) {
        if !self.is_completed {
            let followers = self.cache.lock(&self.id).flights.take(&self.id, self.number);
            drop(followers);
        }
    }
}

impl<V: Clone, H: From<V> + Borrow<V>> NearCache<V, H> {
    /// Begins a look-up that [`get`](Self::get) did not answer. `server` is the token's present master.
    pub fn begin(&self, id: &TokenId, server: ServerIndex, now_ms: u64) -> Flight<'_, V, H> {
        let mut state = self.lock(id);
        let slot = state.table.position_if(id, |origin| self.leases.may_serve(origin, now_ms));
        let value = slot.and_then(|slot| state.table.entry(slot)).map(|entry| entry.value.clone());
        if let Some((slot, value)) = slot.zip(value) {
            state.table.count_hit(slot);
            return Flight::Cached(value);
        }
        let origin = self.leases.origin(server);
        let (number, replaced) = match state.flights.join(id, origin, now_ms, self.leases.lease_ms) {
            JoinOutcome::Joined(follower) => {
                state.stats.joins += 1;
                return Flight::Follow(follower);
            }
            JoinOutcome::Full => (state.flights.unlisted(), Followers::new()),
            JoinOutcome::None => state.flights.start(*id, origin, now_ms),
        };
        state.stats.misses += 1;
        drop(state);
        // Wakes the followers of the replaced read, outside the lock: that read is too old to wait for.
        drop(replaced);
        Flight::Lead(Ticket { cache: self, id: *id, number, origin, is_completed: false })
    }

    /// Returns the token: from the cache, from `read`, or from another look-up's read.
    ///
    /// `read` is called at most once. It returns the value and the server that answered, as for [`Ticket::complete`].
    ///
    /// # Errors
    /// The errors of `read`.
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

    /// Ends the flight of an answered read, and caches the value if that is allowed. Returns the followers; none if the
    /// ticket has been cancelled.
    fn land(&self, ticket: &Ticket<'_, V, H>, value: &V, may_cache: bool) -> Followers<V> {
        let mut state = self.lock(&ticket.id);
        let followers = state.flights.take(&ticket.id, ticket.number);
        let mut displaced = None;
        if may_cache && protection("ticket", followers.is_some()) {
            let gone = state.table.insert(ticket.id, ticket.origin, value.clone());
            self.end_copies(&ticket.id, &gone);
            displaced = gone.value;
        }
        drop(state);
        drop(displaced);
        followers.unwrap_or_default()
    }
}
