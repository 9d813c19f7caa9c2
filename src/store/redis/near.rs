//! The near cache of a node, and the server whose changes it hears of.

use std::sync::Arc;

use arc_swap::ArcSwapOption;

use crate::clock::Clock;
use crate::secret::TokenId;
use crate::store::cache::{Limits, NearCache, ServerIndex, Stats};
use crate::token::Credential;

/// The one master of a standalone Redis.
pub(super) const SERVER: ServerIndex = ServerIndex(0);

/// How the near cache keeps its promise.
#[derive(Clone, Copy, Debug)]
pub struct CacheOptions {
    /// Tokens kept at most; 0 switches it off.
    pub entries: usize,
    /// A token whose ending was acknowledged is refused after this, whatever fails.
    pub lease_ms: u64,
    /// How much longer known tokens pass while the store cannot be asked.
    pub stale_grace_ms: u64,
}

/// See the module. Shared by all runtimes of a node.
pub(super) struct Near {
    /// An absent token is known as such, so that a dead one that is replayed costs nothing.
    pub(super) cache: Option<NearCache<Option<Arc<Credential>>>>,
    pub(super) clock: Clock,
    pub(super) lease_ms: u64,
    tracked_run_id: ArcSwapOption<String>,
}

impl Near {
    pub(super) fn new(options: CacheOptions, clock: Clock) -> Self {
        let CacheOptions { entries, lease_ms, stale_grace_ms } = options;
        let limits = Limits { capacity_entries: entries, servers: 1, lease_ms, stale_grace_ms };
        let cache = (entries > 0).then(|| NearCache::new(limits));
        Self { cache, clock, lease_ms, tracked_run_id: ArcSwapOption::empty() }
    }

    /// From now on the changes of this server are heard.
    pub(super) fn track(&self, run_id: &str) {
        self.tracked_run_id.store(Some(Arc::new(run_id.to_owned())));
    }

    /// Whether the changes of this server are heard. Behind one address there may be two servers: what one
    /// answers must not be cached on the word of the other.
    pub(super) fn is_tracked(&self, run_id: &str) -> bool {
        !run_id.is_empty() && self.tracked_run_id.load().as_deref().is_some_and(|tracked| tracked == run_id)
    }

    /// This node changed these tokens, or may have.
    pub(super) fn void<'a>(&self, ids: impl IntoIterator<Item = &'a TokenId>) {
        if let Some(cache) = &self.cache {
            ids.into_iter().for_each(|id| cache.void(id));
        }
    }

    /// What the cache did; zeros without one.
    pub(super) fn stats(&self) -> Stats {
        self.cache.as_ref().map(NearCache::stats).unwrap_or_default()
    }
}
