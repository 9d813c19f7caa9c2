//! Which masters there are now, and how a node finds out.
//!
//! One server is the master of everything; a Cluster has several, each with some of the slots; with Sentinel there is
//! one at a time. What is known is a [`MasterMap`], replaced as a whole when it changes. It is asked for anew every few
//! seconds, when a server fails or redirects, and when a Sentinel tells of a new master. A refresh that fails leaves
//! the map as it was.

use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::{ArcSwap, Guard};
use tokio::sync::watch;

use super::discovery::ClusterDiscovery;
use super::endpoint::{Connector, ServerAddress};
use super::gate::Gate;
use super::master_map::{Master, MasterMap, MasterRegistry};
use super::sentinels::Sentinels;
use crate::config;
use crate::store::redis::schema::keys::Keys;
use crate::values::{Node, RedisUrl};

/// The pause between two refreshes when nothing seems to have changed.
const REFRESH_INTERVAL: Duration = Duration::from_secs(2);

enum MasterSource {
    /// The one server of the URL.
    Fixed,
    Cluster(ClusterDiscovery),
    Sentinels(Sentinels),
}

/// The known masters, and the way to refresh them.
pub(crate) struct Topology {
    source: MasterSource,
    pub(crate) connector: Connector,
    pub(crate) keys: Keys,
    masters: MasterRegistry,
    map: ArcSwap<MasterMap>,
    changed: watch::Sender<()>,
    /// How many refreshes have begun.
    begun: AtomicU64,
    turn: tokio::sync::Mutex<()>,
    /// Why the last refresh failed.
    failure: Mutex<Option<String>>,
    /// Whether the servers may be used.
    pub(crate) gate: Gate,
}

impl Topology {
    /// What the URL names. Asks nobody yet.
    pub(crate) fn new(url: &RedisUrl, connector: Connector, keys: Keys) -> Self {
        let addresses = |nodes: &[Node]| nodes.iter().cloned().map(ServerAddress::Tcp).collect();
        let (source, only) = match &url.topology {
            config::Topology::Standalone { node, .. } => {
                (MasterSource::Fixed, Some(ServerAddress::Tcp(node.clone())))
            }
            config::Topology::Unix { path } => (MasterSource::Fixed, Some(ServerAddress::Unix(path.clone()))),
            config::Topology::Cluster { nodes } => {
                (MasterSource::Cluster(ClusterDiscovery::new(addresses(nodes))), None)
            }
            config::Topology::Sentinel { nodes, master } => {
                (MasterSource::Sentinels(Sentinels::new(addresses(nodes), master)), None)
            }
        };
        let (masters, nothing) = (MasterRegistry::new(keys.clone()), MasterMap::of_one(None));
        let map = only.map(|address| masters.sole(&nothing, address)).unwrap_or(nothing);
        Self {
            source,
            connector,
            keys,
            masters,
            map: ArcSwap::from_pointee(map),
            changed: watch::Sender::new(()),
            begun: AtomicU64::new(0),
            turn: tokio::sync::Mutex::default(),
            failure: Mutex::default(),
            gate: Gate::default(),
        }
    }

    /// What is known now.
    pub(crate) fn map(&self) -> Guard<Arc<MasterMap>> {
        self.map.load()
    }

    /// The nodes of a Cluster that the URL names.
    pub(crate) fn seeds(&self) -> &[ServerAddress] {
        match &self.source {
            MasterSource::Cluster(cluster) => cluster.seeds(),
            MasterSource::Fixed | MasterSource::Sentinels(_) => &[],
        }
    }

    pub(crate) fn is_cluster(&self) -> bool {
        matches!(self.source, MasterSource::Cluster(_))
    }

    /// Whether another server may become the master.
    pub(crate) fn may_fail_over(&self) -> bool {
        !matches!(self.source, MasterSource::Fixed)
    }

    /// After how long the Sentinels take a silent master for down, by the word of the first that answers.
    pub(crate) async fn sentinels_down_after_ms(&self) -> Option<u64> {
        let MasterSource::Sentinels(sentinels) = &self.source else { return None };
        sentinels.down_after_ms(&self.connector).await
    }

    /// Hears of every change of the map.
    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// Waits until this is none of the masters any more.
    pub(crate) async fn is_gone(&self, master: &Arc<Master>) {
        let mut changes = self.changes();
        while self.map().has(master) && changes.changed().await.is_ok() {}
    }

    /// A server that is not, or not yet, one of the masters: nothing it says is cached.
    pub(crate) fn guest(&self, address: ServerAddress) -> Arc<Master> {
        self.masters.guest(address)
    }

    /// Why no master is known, as far as the last refresh told.
    pub(crate) fn why_unknown(&self) -> String {
        self.failure().clone().unwrap_or_else(|| "no master is known".into())
    }

    fn failure(&self) -> MutexGuard<'_, Option<String>> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks anew. Those who want that at the same time share one answer, to a question that was asked after they
    /// wanted it. If there is none, the map stays as it was.
    pub(crate) async fn refresh(&self) {
        if matches!(self.source, MasterSource::Fixed) {
            return;
        }
        let begun = self.begun.load(Ordering::SeqCst);
        let _turn = self.turn.lock().await;
        if self.begun.load(Ordering::SeqCst) > begun {
            return;
        }
        let round = self.begun.fetch_add(1, Ordering::SeqCst);
        let failure = match self.ask(round).await {
            Ok(map) => {
                self.adopt(map);
                None
            }
            Err(reason) => Some(reason),
        };
        self.note(failure);
    }

    /// [`Topology::refresh`] in the background.
    pub(crate) fn refresh_soon(self: &Arc<Self>) {
        if !matches!(self.source, MasterSource::Fixed) {
            let topology = self.clone();
            tokio::spawn(async move { topology.refresh().await });
        }
    }

    async fn ask(&self, round: u64) -> Result<MasterMap, String> {
        let known = self.map.load_full();
        match &self.source {
            MasterSource::Fixed => Err("the URL names the only server".into()),
            MasterSource::Cluster(cluster) => {
                self.masters.by_slot(&known, cluster.ask(&self.connector, round).await?)
            }
            MasterSource::Sentinels(sentinels) => {
                Ok(self.masters.sole(&known, sentinels.ask(&self.connector).await?))
            }
        }
    }

    fn adopt(&self, map: MasterMap) {
        if !self.map().is_same(&map) {
            let masters: Vec<_> = map.masters.iter().map(|master| master.address.to_string()).collect();
            tracing::info!(masters = masters.join(" "), "redis masters changed");
            self.map.store(Arc::new(map));
            self.changed.send_replace(());
        }
    }

    /// Logs the edges.
    fn note(&self, failure: Option<String>) {
        let mut known = self.failure();
        match (&*known, &failure) {
            (None, Some(reason)) => tracing::warn!(reason, "topology refresh failed"),
            (Some(_), None) => tracing::info!("topology refresh works again"),
            (Some(_), Some(reason)) => tracing::debug!(reason, "topology refresh failed"),
            (None, None) => {}
        }
        *known = failure;
    }

    /// The worker that keeps the map fresh. Ends with its runtime.
    pub(crate) async fn follow(self: &Arc<Self>) -> Infallible {
        let often = async {
            loop {
                tokio::time::sleep(REFRESH_INTERVAL).await;
                self.refresh().await;
                if let MasterSource::Cluster(cluster) = &self.source {
                    cluster.check_seeds(&self.connector).await;
                }
            }
        };
        match &self.source {
            MasterSource::Fixed => std::future::pending().await,
            MasterSource::Cluster(_) => often.await,
            MasterSource::Sentinels(sentinels) => tokio::select! {
                never = often => never,
                never = sentinels.watch(&self.connector, || self.refresh_soon()) => never,
            },
        }
    }
}
