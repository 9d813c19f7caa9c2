//! The node_cache cache of a node, and the servers whose changes it hears of.

use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwapOption;
use tokio::sync::Notify;

use super::request::ServerIdentity;
use crate::clock::Clock;
use crate::model::token::record::TokenRecord;
use crate::store::cache::near_cache::CacheLimits;
use crate::store::cache::{CacheStats, NearCache, ServerIndex};
use crate::store::redis::cluster::master_map::MAX_SERVERS;
use crate::store::redis::store_clock::StoreClock;
use crate::token_string::TokenId;

/// Tokens that wait to be read again; what is beyond is read when it is asked for.
const MAX_VOIDED: usize = 1024;

/// How the node_cache cache keeps its promise.
#[derive(Clone, Copy, Debug)]
pub struct CacheOptions {
    /// Tokens kept at most; 0 switches it off.
    pub entries: usize,
    /// A token whose ending was acknowledged is refused after this, whatever fails.
    pub lease_ms: u64,
    /// How much longer known tokens pass while the store cannot be asked.
    pub stale_grace_ms: u64,
    /// How long after an outage other nodes may take to write what they could not write during it.
    pub catch_up_ms: u64,
}

/// See the module. Shared by all runtimes of a node.
pub(crate) struct NodeCache {
    /// An absent token is known as such, so that a dead one that is replayed costs nothing.
    pub(crate) cache: Option<NearCache<Option<Arc<TokenRecord>>>>,
    pub(crate) clock: Clock,
    pub(crate) store_clock: StoreClock,
    pub(crate) lease_ms: u64,
    stale_grace_ms: u64,
    catch_up_ms: u64,
    /// Tokens whose entries an invalidation took out; none without a stale grace.
    voided: Mutex<Vec<TokenId>>,
    has_voided: Notify,
    /// By the numbers of the masters.
    tracked_run_ids: Box<[ArcSwapOption<String>]>,
}

impl NodeCache {
    pub(crate) fn new(options: CacheOptions, clock: Clock) -> Self {
        let CacheOptions { entries, lease_ms, stale_grace_ms, catch_up_ms } = options;
        let limits =
            CacheLimits { capacity_entries: entries, servers: MAX_SERVERS, lease_ms, stale_grace_ms };
        let cache = (entries > 0).then(|| NearCache::new(limits));
        let tracked_run_ids = (0..MAX_SERVERS).map(|_| ArcSwapOption::empty()).collect();
        let store_clock = StoreClock::new(clock.clone());
        let (voided, has_voided) = (Mutex::default(), Notify::new());
        Self {
            cache,
            clock,
            store_clock,
            lease_ms,
            stale_grace_ms,
            catch_up_ms,
            voided,
            has_voided,
            tracked_run_ids,
        }
    }

    /// From now on the changes of this server are heard.
    pub(crate) fn track(&self, server: ServerIndex, run_id: &str) {
        if let Some(tracked) = self.tracked_run_ids.get(usize::from(server.0)) {
            tracked.store(Some(Arc::new(run_id.to_owned())));
        }
    }

    /// The master whose changes are heard, if it is this very server. Behind one address there may be two servers:
    /// what one answers must not be cached on the word of the other.
    pub(crate) fn tracked(&self, server: &ServerIdentity) -> Option<ServerIndex> {
        let tracked = self.tracked_run_ids.get(usize::from(server.index.0))?.load();
        let is_same = !server.run_id.is_empty() && tracked.as_deref() == Some(&server.run_id);
        is_same.then_some(server.index)
    }

    /// A token that was known here has changed. In an outage that began now it could not pass, though its user is active: a
    /// renewal changes it, too. So it is read again before somebody asks.
    pub(crate) fn refresh_soon(&self, id: TokenId) {
        if self.stale_grace_ms == 0 {
            return;
        }
        let mut voided = self.voided.lock().unwrap_or_else(PoisonError::into_inner);
        if voided.len() < MAX_VOIDED {
            voided.push(id);
            self.has_voided.notify_one();
        }
    }

    /// Waits for tokens that are to be read again; gives all there are.
    pub(crate) async fn voided(&self) -> Vec<TokenId> {
        self.has_voided.notified().await;
        std::mem::take(&mut *self.voided.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether a token of this server that expired so long ago may have been renewed by a node that could not write that yet.
    /// Without a stale grace nothing is kept for such a renewal.
    pub(crate) fn may_be_renewed(&self, server: ServerIndex, expired_for_ms: u64) -> bool {
        let Some(cache) = self.cache.as_ref().filter(|_| self.stale_grace_ms > 0) else { return false };
        let now_ms = self.clock.boottime_ms();
        cache.was_away(server, now_ms.saturating_sub(expired_for_ms), now_ms, self.catch_up_ms)
    }

    /// This node changed these tokens, or may have.
    pub(crate) fn invalidate<'a>(&self, ids: impl IntoIterator<Item = &'a TokenId>) {
        if let Some(cache) = &self.cache {
            for id in ids {
                cache.invalidate(id);
            }
        }
    }

    /// What the cache did; zeros without one.
    pub(crate) fn stats(&self) -> CacheStats {
        self.cache.as_ref().map(NearCache::stats).unwrap_or_default()
    }
}
