//! The near cache of a node, with what keeps it fresh: clocks, the servers that are tracked, tokens to read again. And the
//! aliases that the node knows.

use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwapOption;
use tokio::sync::Notify;

use super::request::ServerIdentity;
use crate::clock::Clock;
use crate::model::token::{HeldRecord, TokenRecord};
use crate::store::alias::{AliasOptions, NodeAliases};
use crate::store::cache::{CacheLimits, CacheStats, NearCache, ServerIndex};
use crate::store::redis::cluster::data_identity::DataIdentity;
use crate::store::redis::cluster::master::MAX_SERVERS;
use crate::store::redis::replay::memory::ReplayMemory;
use crate::store::redis::store_clock::StoreClock;
use crate::token_string::TokenId;

/// The most tokens that wait to be read again. Further ones are read when a request asks for them.
const MAX_TO_REFRESH: usize = 1024;

/// That a token is absent is cached, too: replaying a dead token costs no read.
pub(crate) type RecordCache = NearCache<Option<Arc<TokenRecord>>, HeldRecord>;

/// The settings of the near cache.
#[derive(Clone, Copy, Debug)]
pub struct CacheOptions {
    /// The most tokens kept; 0 turns the cache off.
    pub entries: usize,
    /// How long after its revocation was acknowledged a token may still pass, whatever fails.
    pub lease_ms: u64,
    /// How much longer known tokens pass while the store is unreachable.
    pub stale_grace_ms: u64,
    /// How long after an outage other nodes may take to write what they could not write during it.
    pub catch_up_ms: u64,
}

/// The near cache of a node. Shared by all its runtimes.
pub(crate) struct NodeCache {
    pub(crate) cache: Option<RecordCache>,
    pub(crate) aliases: Arc<NodeAliases>,
    pub(crate) clock: Clock,
    pub(crate) store_clock: StoreClock,
    pub(crate) lease_ms: u64,
    /// What the node remembers of acknowledged changes: a remembered revocation is believed more than a record.
    pub(crate) replay: Arc<ReplayMemory>,
    /// If false, tokens are read without their takeovers, so each acts as its own user.
    pub(crate) takeovers: bool,
    stale_grace_ms: u64,
    catch_up_ms: u64,
    /// Tokens to read again. Always empty without a stale grace.
    to_refresh: Mutex<Vec<TokenId>>,
    has_to_refresh: Notify,
    /// The data of the tracked servers, by the numbers of their masters.
    tracked_data: Box<[ArcSwapOption<DataIdentity>]>,
}

impl NodeCache {
    pub(crate) fn new(
        options: CacheOptions,
        aliases: AliasOptions,
        replay: Arc<ReplayMemory>,
        takeovers: bool,
        clock: Clock,
    ) -> Self {
        let CacheOptions { entries, lease_ms, stale_grace_ms, catch_up_ms } = options;
        let limits =
            CacheLimits { capacity_entries: entries, servers: MAX_SERVERS, lease_ms, stale_grace_ms };
        Self {
            cache: (entries > 0).then(|| NearCache::new(limits)),
            aliases: Arc::new(NodeAliases::new(aliases, lease_ms, clock.clone())),
            store_clock: StoreClock::new(clock.clone()),
            clock,
            lease_ms,
            replay,
            takeovers,
            stale_grace_ms,
            catch_up_ms,
            to_refresh: Mutex::default(),
            has_to_refresh: Notify::new(),
            tracked_data: (0..MAX_SERVERS).map(|_| ArcSwapOption::empty()).collect(),
        }
    }

    /// Records which server is tracked as this master.
    pub(crate) fn track(&self, master: ServerIndex, data: &Arc<DataIdentity>) {
        if let Some(tracked) = self.tracked_data.get(usize::from(master.0)) {
            tracked.store(Some(data.clone()));
        }
    }

    /// Returns the number of the master if the tracking connection leads to this very server. Two servers can share one
    /// address: an answer of one must not be cached on the invalidations of the other.
    pub(crate) fn tracked(&self, server: &ServerIdentity) -> Option<ServerIndex> {
        let tracked = self.tracked_data.get(usize::from(server.index.0))?.load();
        let is_same = tracked.as_ref().is_some_and(|tracked| Arc::ptr_eq(tracked, &server.data));
        (is_same && !server.data.run_id.is_empty()).then_some(server.index)
    }

    /// Queues an invalidated token to be read again before a request asks for it. Otherwise it could not pass in an outage
    /// that begins now, although its user is active: a renewal changes the token, too.
    pub(crate) fn refresh_soon(&self, id: TokenId) {
        if self.stale_grace_ms == 0 {
            return;
        }
        let mut to_refresh = self.to_refresh.lock().unwrap_or_else(PoisonError::into_inner);
        if to_refresh.len() < MAX_TO_REFRESH {
            to_refresh.push(id);
            self.has_to_refresh.notify_one();
        }
    }

    /// Waits for tokens to read again, and takes all of them.
    pub(crate) async fn take_to_refresh(&self) -> Vec<TokenId> {
        self.has_to_refresh.notified().await;
        std::mem::take(&mut *self.to_refresh.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Returns whether a token of this server that expired so long ago may have been renewed by a node that could not
    /// write that yet. Without a stale grace, nodes keep no such renewals.
    pub(crate) fn may_be_renewed(&self, server: ServerIndex, expired_for_ms: u64) -> bool {
        let Some(cache) = self.cache.as_ref().filter(|_| self.stale_grace_ms > 0) else { return false };
        let now_ms = self.clock.boottime_ms();
        cache.was_away(server, now_ms.saturating_sub(expired_for_ms), now_ms, self.catch_up_ms)
    }

    /// Invalidates tokens that this node has changed, or may have changed.
    pub(crate) fn invalidate<'a>(&self, ids: impl IntoIterator<Item = &'a TokenId>) {
        let Some(cache) = &self.cache else { return };
        for id in ids {
            cache.invalidate(id);
        }
    }

    /// Returns the counters of the cache; zeros without one.
    pub(crate) fn stats(&self) -> CacheStats {
        self.cache.as_ref().map(NearCache::stats).unwrap_or_default()
    }
}
