//! The store of a node, and its workers.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::Clock;
use crate::store::alias::AliasStats;
use crate::store::cache;
use crate::store::change_counters::ChangeCounters;
use crate::store::error::StoreError;
use crate::store::feed::Feed;
use crate::store::memory::MemoryStore;
use crate::store::memory::pruning::PRUNE_INTERVAL;
use crate::store::on_store::on_store;
use crate::store::record_reader::RecordReader;
#[cfg(feature = "redis")]
use crate::store::redis::RedisStore;
use crate::store::report::Report;

/// The store of a node.
#[derive(Clone)]
pub enum Store {
    /// Embedded: lives and dies with the process.
    Memory(Arc<MemoryStore>),
    /// Redis 7 or Valkey.
    #[cfg(feature = "redis")]
    Redis(Arc<RedisStore>),
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Store({})", self.name())
    }
}

impl Store {
    /// Its name in the start-up line.
    pub fn name(&self) -> &'static str {
        on_store!(match self {
            Self::Memory(_) => "memory",
            Self::Redis(_) => "redis",
        })
    }

    /// The longest wait for one answer; `None` for the embedded store, which never waits.
    pub fn timeout(&self) -> Option<Duration> {
        on_store!(match self {
            Self::Memory(_) => None,
            Self::Redis(store) => Some(store.timeout()),
        })
    }

    /// The longest time of a look-up while its connection's runtime runs; `None` for the embedded store.
    pub fn look_up_limit(&self) -> Option<Duration> {
        /// A read, a fresh read, the check for reuse, and one more for a slot that is migrating.
        const CALLS: u32 = 4;
        self.timeout().map(|timeout| timeout * CALLS)
    }

    pub(super) fn max_devices_per_user(&self) -> usize {
        on_store!(match self {
            Self::Memory(store) => store.limits.max_devices_per_user,
            Self::Redis(store) => store.limits.max_devices_per_user,
        })
    }

    /// A reader for the validations of one runtime. It must not be moved to another runtime.
    pub async fn reader(&self) -> RecordReader {
        on_store!(match self {
            Self::Memory(store) => RecordReader::Memory(store.clone()),
            Self::Redis(store) => RecordReader::Redis(store.reader().await),
        })
    }

    /// Returns the token key that all nodes of this store share: the stored one, or `proposed`, which it stores.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn shared_token_key(&self, proposed: &str) -> Result<String, StoreError> {
        on_store!(match self {
            Self::Memory(store) => Ok(store.shared_token_key(proposed)),
            Self::Redis(store) => store.shared_token_key(proposed).await,
        })
    }

    /// Returns the stored token key, if there is one.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn stored_token_key(&self) -> Result<Option<String>, StoreError> {
        on_store!(match self {
            Self::Memory(store) => Ok(store.stored_token_key()),
            Self::Redis(store) => store.stored_token_key().await,
        })
    }

    /// Checks that the store takes reads and writes, and lets the node's clock follow the store's clock.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn probe(&self) -> Result<(), StoreError> {
        on_store!(match self {
            Self::Memory(_) => Ok(()),
            Self::Redis(store) => store.probe().await,
        })
    }

    /// Inspects the store and probes it as [`Store::probe`] does. Reports its faults, each with cause and fix. A store that
    /// must not be used rejects all operations until a later inspection finds no fault.
    pub async fn examine(&self) -> Report {
        on_store!(match self {
            Self::Memory(_) => Report::default(),
            Self::Redis(store) => store.examine().await,
        })
    }

    /// The worker that listens for changes made by other nodes. Does nothing on the embedded store. Ends with its runtime.
    pub async fn track(&self) -> Infallible {
        on_store!(match self {
            Self::Memory(_) => std::future::pending().await,
            Self::Redis(store) => store.track().await,
        })
    }

    /// The worker that looks at the data of the masters: accepts other data, and merges into slots that move. Does nothing on
    /// the embedded store. Ends with its runtime.
    pub async fn watch_data(&self) -> Infallible {
        on_store!(match self {
            Self::Memory(_) => std::future::pending().await,
            Self::Redis(store) => store.watch_data().await,
        })
    }

    /// The live feed of the events of all users.
    pub fn feed(&self) -> &Feed {
        on_store!(match self {
            Self::Memory(store) => store.feed(),
            Self::Redis(store) => store.feed(),
        })
    }

    /// The worker that fills the feed with the events of all nodes; the embedded store fills it itself. Ends with its
    /// runtime.
    pub async fn hear_events(&self) -> Infallible {
        on_store!(match self {
            Self::Memory(_) => std::future::pending().await,
            Self::Redis(store) => store.hear_events().await,
        })
    }

    /// The counters of the changes that this store has acknowledged.
    pub fn changes(&self) -> &ChangeCounters {
        on_store!(match self {
            Self::Memory(store) => &store.changes,
            Self::Redis(store) => &store.changes,
        })
    }

    /// The statistics of the near cache; zeros without one.
    pub fn cache_stats(&self) -> cache::CacheStats {
        on_store!(match self {
            Self::Memory(_) => cache::CacheStats::default(),
            Self::Redis(store) => store.cache_stats(),
        })
    }

    /// The counters of look-ups of aliases; zeros on the embedded store, which needs none.
    pub fn alias_stats(&self) -> AliasStats {
        on_store!(match self {
            Self::Memory(_) => AliasStats::default(),
            Self::Redis(store) => store.node_cache.aliases.stats(),
        })
    }

    /// The age of the near cache's lease at each master that has proved its freshness, by the master's address.
    pub fn lease_ages_ms(&self) -> Vec<(String, u64)> {
        on_store!(match self {
            Self::Memory(_) => Vec::new(),
            Self::Redis(store) => store.lease_ages_ms(),
        })
    }

    /// Prunes all expired entries of the embedded store at once; Redis expires its keys itself.
    pub fn prune(&self, now_ms: u64) {
        on_store!(match self {
            Self::Memory(store) => store.prune_all(now_ms),
            Self::Redis(_) => {}
        })
    }

    /// The worker that prunes the embedded store; Redis expires its keys itself. Ends with its runtime.
    pub async fn expire(&self, clock: &Clock) -> Infallible {
        on_store!(match self {
            Self::Memory(store) => loop {
                tokio::time::sleep(PRUNE_INTERVAL).await;
                store.prune_some(clock.now_ms());
            },
            Self::Redis(_) => std::future::pending().await,
        })
    }
}
