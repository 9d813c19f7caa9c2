//! The flights of a shard: reads under way, one per token, each with its followers.

use hashbrown::HashTable;
use tokio::sync::oneshot;

use super::lease::ReadOrigin;
use crate::sync::protection;
use crate::token_string::TokenId;

/// The most followers of a read. A further look-up reads for itself, and its answer is not cached.
const MAX_FOLLOWERS: usize = 4096;

/// A look-up that waits for another look-up's read of the same token. May be dropped at any time.
#[must_use]
pub struct Follower<V>(oneshot::Receiver<V>);

impl<V> Follower<V> {
    /// Waits for the value. Returns `None` if the read failed or was cancelled by an invalidation: begin again.
    pub async fn wait(self) -> Option<V> {
        self.0.await.ok()
    }
}

/// The followers of a read. A dropped sender makes its follower begin again.
pub(crate) type Followers<V> = Vec<oneshot::Sender<V>>;

/// The flights of a shard. A cancelled one is not in the list: no look-up can join it, and its answer is not cached.
/// There are at most as many flights as tickets, hence as requests.
pub(crate) struct RunningFlights<V> {
    flights: HashTable<RunningFlight<V>>,
    last_number: u64,
}

struct RunningFlight<V> {
    id: TokenId,
    number: u64,
    origin: ReadOrigin,
    began_ms: u64,
    followers: Followers<V>,
}

/// The outcome of [`RunningFlights::join`].
pub(crate) enum JoinOutcome<V> {
    Joined(Follower<V>),
    /// The flight has [`MAX_FOLLOWERS`].
    Full,
    /// There is no flight that this look-up may join.
    None,
}

impl<V> RunningFlights<V> {
    pub(crate) fn new() -> Self {
        Self { flights: HashTable::new(), last_number: 0 }
    }

    /// Joins the token's flight if it is of the same server and epoch, and began within the last `lease_ms`. An older
    /// read could return what an expired entry would.
    pub(crate) fn join(
        &mut self,
        id: &TokenId,
        origin: ReadOrigin,
        now_ms: u64,
        lease_ms: u64,
    ) -> JoinOutcome<V> {
        let Some(flight) = self.flights.find_mut(id.random_bits(), |flight| flight.id == *id) else {
            return JoinOutcome::None;
        };
        let is_fresh = protection("join_age", now_ms < flight.began_ms.saturating_add(lease_ms))
            && protection("join_epoch", flight.origin == origin);
        if !is_fresh {
            return JoinOutcome::None;
        }
        if flight.followers.len() >= MAX_FOLLOWERS {
            flight.followers.retain(|follower| !follower.is_closed());
            if flight.followers.len() >= MAX_FOLLOWERS {
                return JoinOutcome::Full;
            }
        }
        let (sender, receiver) = oneshot::channel();
        flight.followers.push(sender);
        JoinOutcome::Joined(Follower(receiver))
    }

    /// Starts a flight of this token. Returns its number, and the followers of the flight that it replaces.
    pub(crate) fn start(&mut self, id: TokenId, origin: ReadOrigin, began_ms: u64) -> (u64, Followers<V>) {
        let replaced = self.cancel(&id).unwrap_or_default();
        let number = self.unlisted();
        let flight = RunningFlight { id, number, origin, began_ms, followers: Vec::new() };
        self.flights.insert_unique(id.random_bits(), flight, |flight| flight.id.random_bits());
        (number, replaced)
    }

    /// Returns a number for a read that is not listed: no look-up joins it, and its answer is not cached.
    pub(crate) fn unlisted(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }

    /// Cancels the token's flight, and returns its followers.
    pub(crate) fn cancel(&mut self, id: &TokenId) -> Option<Followers<V>> {
        self.take_if(id, |_| true)
    }

    /// Ends the flight with this number, and returns its followers; `None` if it has been cancelled.
    pub(crate) fn take(&mut self, id: &TokenId, number: u64) -> Option<Followers<V>> {
        self.take_if(id, |flight| flight.number == number)
    }

    fn take_if(
        &mut self,
        id: &TokenId,
        is_wanted: impl Fn(&RunningFlight<V>) -> bool,
    ) -> Option<Followers<V>> {
        let matches = |flight: &RunningFlight<V>| flight.id == *id && is_wanted(flight);
        let found = self.flights.find_entry(id.random_bits(), matches).ok()?;
        Some(found.remove().0.followers)
    }

    pub(crate) fn len(&self) -> usize {
        self.flights.len()
    }
}
