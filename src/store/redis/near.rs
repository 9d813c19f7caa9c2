//! The near cache of a node, and the servers whose changes it hears of.

use std::sync::Arc;

use arc_swap::ArcSwapOption;

use super::map::MAX_SERVERS;
use super::question::Server;
use super::store_clock::StoreClock;
use crate::clock::Clock;
use crate::secret::TokenId;
use crate::store::cache::{Limits, NearCache, ServerIndex, Stats};
use crate::token::Credential;

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
    pub(super) store_clock: StoreClock,
    pub(super) lease_ms: u64,
    /// By the numbers of the masters.
    tracked_run_ids: Box<[ArcSwapOption<String>]>,
}

impl Near {
    pub(super) fn new(options: CacheOptions, clock: Clock) -> Self {
        let CacheOptions { entries, lease_ms, stale_grace_ms } = options;
        let limits = Limits { capacity_entries: entries, servers: MAX_SERVERS, lease_ms, stale_grace_ms };
        let cache = (entries > 0).then(|| NearCache::new(limits));
        let tracked_run_ids = (0..MAX_SERVERS).map(|_| ArcSwapOption::empty()).collect();
        let store_clock = StoreClock::new(clock.clone());
        Self { cache, clock, store_clock, lease_ms, tracked_run_ids }
    }

    /// From now on the changes of this server are heard.
    pub(super) fn track(&self, server: ServerIndex, run_id: &str) {
        if let Some(tracked) = self.tracked_run_ids.get(usize::from(server.0)) {
            tracked.store(Some(Arc::new(run_id.to_owned())));
        }
    }

    /// The master whose changes are heard, if it is this very server. Behind one address there may be two servers:
    /// what one answers must not be cached on the word of the other.
    pub(super) fn tracked(&self, server: &Server) -> Option<ServerIndex> {
        let tracked = self.tracked_run_ids.get(usize::from(server.index.0))?.load();
        let is_same = !server.run_id.is_empty() && tracked.as_deref() == Some(&server.run_id);
        is_same.then_some(server.index)
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
