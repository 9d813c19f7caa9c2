//! Looks aliases up: from the cache, else from the store within the budget.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, WeakShared, try_join_all};

use super::budget::{AliasBudget, Permits};
use super::cache::AliasCache;
use crate::clock::Clock;
use crate::foreign::ForeignDigest;
use crate::foreign::digest::AliasBytes;
use crate::store::error::StoreError;
use crate::token_string::{SecretHash, TokenId};

/// The settings of the alias cache and of the budget.
#[derive(Clone, Copy, Debug)]
pub struct AliasOptions {
    /// The most aliases kept; 0 keeps none.
    pub entries: usize,
    /// The most look-ups a second of strings without an alias.
    pub look_ups_per_second: u32,
}

/// The place of the digest that has an alias, and its token.
type AliasFound = Result<Option<(usize, TokenId)>, StoreError>;
/// The look-ups under way, by their digests.
type Flights = HashMap<AliasBytes, WeakShared<BoxFuture<'static, AliasFound>>>;

/// The aliases of a node. Shared by its threads.
pub struct NodeAliases {
    cache: AliasCache,
    budget: AliasBudget,
    clock: Clock,
    flights: Mutex<Flights>,
    found: AtomicU64,
    unknown: AtomicU64,
    refused: AtomicU64,
}

/// The counters of look-ups of aliases, and the aliases in the cache.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AliasStats {
    /// Strings whose alias the store had.
    pub found: u64,
    /// Strings without an alias.
    pub unknown: u64,
    /// Strings that were not looked up because the budget was used up.
    pub refused: u64,
    /// Aliases in the cache.
    pub entries: usize,
}

impl NodeAliases {
    pub(crate) fn new(options: AliasOptions, lease_ms: u64, clock: Clock) -> Self {
        Self {
            cache: AliasCache::new(options.entries, lease_ms),
            budget: AliasBudget::new(options.look_ups_per_second),
            clock,
            flights: Mutex::default(),
            found: AtomicU64::new(0),
            unknown: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        }
    }

    /// Returns what is known of this digest without the store: `Some(None)` if it had no alias less than a lease ago.
    pub(crate) fn known(&self, digest: &ForeignDigest) -> Option<Option<TokenId>> {
        self.cache.get(digest, self.clock.boottime_ms())
    }

    /// Records an alias that this node has written.
    pub(crate) fn learn(&self, digest: &ForeignDigest, id: TokenId) {
        self.cache.learn(digest, Some(id), self.clock.boottime_ms());
    }

    /// Looks the alias with this secret up again when it is next asked for, once in a lease: its token is not there.
    pub(crate) fn forget(&self, secret_hash: &SecretHash) {
        self.cache.forget(secret_hash, self.clock.boottime_ms());
    }

    /// Reads the aliases of the digests of one string by `read`, all at once. Returns the place and the token of the first
    /// one that has an alias. `client` sent the string. Look-ups of one string at the same time share one read.
    ///
    /// # Errors
    /// `Unavailable`, also if the budget is used up; `Corrupt`.
    pub(crate) async fn look_up<F>(
        self: &Arc<Self>,
        digests: Box<[ForeignDigest]>,
        client: Option<IpAddr>,
        read: impl Fn(ForeignDigest) -> F + Send + 'static,
    ) -> AliasFound
    where
        F: Future<Output = Result<Option<TokenId>, StoreError>> + Send + 'static,
    {
        let key = key_of(&digests);
        let flight = {
            let mut flights = self.flights();
            match flights.get(&key).and_then(WeakShared::upgrade) {
                Some(flight) => flight,
                None => {
                    let began_ms = self.clock.boottime_ms();
                    let permits = self.permits(digests.len(), client, began_ms)?;
                    let landing = Landing { aliases: self.clone(), key };
                    let flight = async move {
                        let read = try_join_all(digests.iter().map(|digest| read(*digest))).await;
                        landing.aliases.conclude(&digests, read, permits, began_ms)
                    };
                    let flight = flight.boxed().shared();
                    flights.extend(flight.downgrade().map(|flight| (key, flight)));
                    flight
                }
            }
        };
        flight.await
    }

    fn permits(&self, digests: usize, client: Option<IpAddr>, began_ms: u64) -> Result<Permits, StoreError> {
        self.budget.take(digests, client, began_ms).ok_or_else(|| {
            self.refused.fetch_add(1, Ordering::Relaxed);
            let reason = "too many look-ups of unknown foreign tokens (foreign-lookups)";
            StoreError::Unavailable(reason.into())
        })
    }

    /// Records what was read.
    fn conclude(
        &self,
        digests: &[ForeignDigest],
        read: Result<Vec<Option<TokenId>>, StoreError>,
        permits: Permits,
        began_ms: u64,
    ) -> AliasFound {
        let ids = match read {
            Ok(ids) => ids,
            Err(error) => {
                self.budget.give_back(permits);
                return Err(error);
            }
        };
        for (digest, id) in digests.iter().zip(&ids) {
            self.cache.learn(digest, *id, began_ms);
        }
        let found = ids.into_iter().enumerate().find_map(|(place, id)| Some((place, id?)));
        if found.is_some() {
            self.budget.give_back(permits);
        }
        let counter = if found.is_some() { &self.found } else { &self.unknown };
        counter.fetch_add(1, Ordering::Relaxed);
        Ok(found)
    }

    fn flights(&self) -> MutexGuard<'_, Flights> {
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn stats(&self) -> AliasStats {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        AliasStats {
            found: count(&self.found),
            unknown: count(&self.unknown),
            refused: count(&self.refused),
            entries: self.cache.len(),
        }
    }
}

/// Returns the key of the look-up of these digests: the exclusive or of their names.
fn key_of(digests: &[ForeignDigest]) -> AliasBytes {
    let mut key = AliasBytes::default();
    for digest in digests {
        key.iter_mut().zip(digest.alias_bytes()).for_each(|(byte, other)| *byte ^= other);
    }
    key
}

/// Removes a flight from the list when it ends, also if all who waited for it have gone.
struct Landing {
    aliases: Arc<NodeAliases>,
    key: AliasBytes,
}

impl Drop for Landing {
    fn drop(&mut self) {
        // If another flight has begun meanwhile, it loses its later followers, and no more.
        self.aliases.flights().remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use futures_util::future::join_all;
    use tokio::sync::Notify;

    use super::*;
    use crate::foreign::Scheme;

    fn aliases() -> Arc<NodeAliases> {
        let options = AliasOptions { entries: 100, look_ups_per_second: 100 };
        Arc::new(NodeAliases::new(options, 2000, Clock::manual(0)))
    }

    fn digests(strings: &[&str]) -> Box<[ForeignDigest]> {
        let digest = |string: &&str| Scheme::Drf.digest(string.as_bytes(), None);
        strings.iter().filter_map(digest).map(|source| ForeignDigest::of(Scheme::Drf, &source)).collect()
    }

    #[tokio::test]
    async fn look_ups_of_one_string_at_the_same_time_share_one_read() {
        let (aliases, reads) = (aliases(), Arc::new(AtomicUsize::new(0)));
        let gate = Arc::new(Notify::new());
        let look_up = || {
            let (reads, gate) = (reads.clone(), gate.clone());
            aliases.look_up(digests(&["a", "b"]), None, move |_| {
                reads.fetch_add(1, Ordering::Relaxed);
                let gate = gate.clone();
                async move {
                    gate.notified().await;
                    Ok(None)
                }
            })
        };
        let open = async || gate.notify_waiters();
        let (found, ()) = tokio::join!(join_all((0..500).map(|_| look_up())), open());
        for found in found {
            assert_eq!(found.unwrap(), None);
        }
        assert_eq!((reads.load(Ordering::Relaxed), aliases.stats().unknown), (2, 1));
        let (found, ()) = tokio::join!(look_up(), open());
        assert_eq!(found.unwrap(), None);
        assert_eq!((reads.load(Ordering::Relaxed), aliases.flights().len()), (4, 0));
    }

    #[tokio::test]
    async fn a_look_up_that_all_have_left_is_forgotten_and_has_cost_its_permits() {
        let (aliases, begun) = (aliases(), Arc::new(Notify::new()));
        for _ in 0..100 {
            let told = begun.clone();
            let look_up = aliases.look_up(digests(&["a"]), None, move |_| {
                told.notify_one();
                std::future::pending()
            });
            tokio::select! {
                outcome = look_up => assert!(outcome.is_err(), "the budget is used up"),
                () = begun.notified() => {}
            }
        }
        let stats = aliases.stats();
        assert_eq!((stats.refused, aliases.flights().len()), (50, 0));
    }

    #[tokio::test]
    async fn a_failed_look_up_costs_nothing_and_is_not_remembered() {
        let aliases = aliases();
        let failing = |_| async { Err(StoreError::Unavailable("away".into())) };
        for _ in 0..1000 {
            aliases.look_up(digests(&["a"]), None, failing).await.unwrap_err();
        }
        assert_eq!((aliases.stats(), aliases.known(&digests(&["a"])[0])), (AliasStats::default(), None));
    }
}
