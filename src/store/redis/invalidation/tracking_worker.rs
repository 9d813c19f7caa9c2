//! The worker that listens to every master of the topology.

use std::convert::Infallible;
use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::future::join_all;
use futures_util::stream::FuturesUnordered;

use super::master_listener::MasterListener;
use crate::store::redis::cluster::master::Master;
use crate::store::redis::cluster::topology::Topology;
use crate::store::redis::lookup::node_cache::NodeCache;
use crate::store::redis::lookup::read_router::ReadRouter;
use crate::store::redis::lookup::reader::RedisReader;

/// Keeps the topology and the near cache up to date.
pub(crate) struct TrackingWorker {
    pub(crate) node_cache: Arc<NodeCache>,
    pub(crate) topology: Arc<Topology>,
}

impl TrackingWorker {
    /// Runs until its runtime ends.
    pub(crate) async fn run(self) -> Infallible {
        tokio::select! {
            never = self.listen_to_all() => never,
            never = self.topology.keep_fresh() => never,
            never = self.topology.connector.reload_trust() => never,
            never = self.refresh_invalidated() => never,
        }
    }

    /// Reads invalidated tokens again. See [`NodeCache::refresh_soon`].
    async fn refresh_invalidated(&self) -> Infallible {
        let mut ids = self.node_cache.take_to_refresh().await;
        // Started only now: without a stale grace, no connection is made for it.
        let router = ReadRouter::start(self.topology.clone(), self.node_cache.clock.clone()).await;
        let reader = RedisReader::new(router, self.node_cache.clone());
        loop {
            // Best-effort: a token that cannot be read now is read when a request asks for it.
            join_all(ids.into_iter().map(|id| reader.record(id))).await;
            ids = self.node_cache.take_to_refresh().await;
        }
    }

    /// Starts a listener for each master with tokens, and one for each new master when the map changes.
    async fn listen_to_all(&self) -> Infallible {
        let Some(cache) = &self.node_cache.cache else { return std::future::pending().await };
        let mut changes = self.topology.changes();
        let mut listeners = FuturesUnordered::new();
        let mut heard: Vec<Arc<Master>> = Vec::new();
        loop {
            let map = self.topology.map().clone();
            heard.retain(|master| map.contains(master));
            for master in map.masters.iter().filter(|master| master.may_have_tokens()) {
                if !heard.iter().any(|other| Arc::ptr_eq(other, master)) {
                    heard.push(master.clone());
                    let listener = MasterListener {
                        node_cache: &self.node_cache,
                        topology: &self.topology,
                        cache,
                        master: master.clone(),
                    };
                    listeners.push(listener.run());
                }
            }
            tokio::select! {
                changed = changes.changed() => if changed.is_err() {
                    return std::future::pending().await;
                },
                Some(()) = listeners.next() => {}
            }
        }
    }
}
