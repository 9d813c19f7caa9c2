//! The known masters, and how a node keeps them up to date.
//!
//! A single server is the master of everything. A Cluster has several masters, each with some of the slots. With Sentinel
//! there is one master at a time. The known masters are a `MasterMap`, replaced as a whole when it changes. It is
//! refreshed every two seconds, when a server fails or redirects, and when a Sentinel reports a switch. A refresh that
//! fails leaves the map as it was.

use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::{ArcSwap, Guard};
use tokio::sync::watch;

use super::address::ServerAddress;
use super::connector::Connector;
use super::data_identity::DataIdentity;
use super::discovery::ClusterDiscovery;
use super::gate::Gate;
use super::master::Master;
use super::master_map::{MasterMap, MasterRegistry};
use super::sentinels::Sentinels;
use crate::store::redis::counters::RedisCounters;
use crate::store::redis::schema::keys::Keys;
use crate::token_string::HashTag;
use crate::values::{HostPort, RedisDeployment, RedisUrl};

/// The pause between two refreshes while nothing seems to have changed.
const REFRESH_INTERVAL: Duration = Duration::from_secs(2);

/// Where the masters are learned from.
enum MasterSource {
    /// The URL names the only server.
    Fixed,
    Cluster(ClusterDiscovery),
    Sentinels(Sentinels),
}

/// The known masters, and the way to refresh them.
pub(crate) struct Topology {
    source: MasterSource,
    pub(crate) connector: Connector,
    pub(crate) keys: Keys,
    registry: MasterRegistry,
    map: ArcSwap<MasterMap>,
    changed: watch::Sender<()>,
    /// The number of refreshes begun.
    begun: AtomicU64,
    turn: tokio::sync::Mutex<()>,
    /// Why the last refresh failed; `None` if it succeeded.
    failure: Mutex<Option<String>>,
    pub(crate) gate: Gate,
    pub(crate) counters: RedisCounters,
    start_acceptance: AcceptanceStarter,
}

/// Starts an attempt to accept the data of a master, which a connection has met, unless one is under way.
pub(crate) type AcceptanceStarter = Box<dyn Fn(&Arc<Master>, &Arc<DataIdentity>) + Send + Sync>;

/// Attempts that a connection waits for: the one under way may be about former data.
const AWAITED_ATTEMPTS: usize = 2;

impl Topology {
    /// Takes the servers from the URL, without connecting to any.
    pub(crate) fn new(
        url: &RedisUrl,
        connector: Connector,
        keys: Keys,
        start_acceptance: AcceptanceStarter,
    ) -> Self {
        let addresses = |hosts: &[HostPort]| hosts.iter().cloned().map(ServerAddress::Tcp).collect();
        let (source, only) = match &url.deployment {
            RedisDeployment::Standalone { server, .. } => {
                (MasterSource::Fixed, Some(ServerAddress::Tcp(server.clone())))
            }
            RedisDeployment::Unix { path } => (MasterSource::Fixed, Some(ServerAddress::Unix(path.clone()))),
            RedisDeployment::Cluster { servers } => {
                (MasterSource::Cluster(ClusterDiscovery::new(addresses(servers))), None)
            }
            RedisDeployment::Sentinel { sentinels, master } => {
                (MasterSource::Sentinels(Sentinels::new(addresses(sentinels), master)), None)
            }
        };
        let (registry, nothing) = (MasterRegistry::new(keys.clone()), MasterMap::of_one(None));
        let map = only.map(|address| registry.sole(&nothing, address)).unwrap_or(nothing);
        Self {
            source,
            connector,
            keys,
            registry,
            map: ArcSwap::from_pointee(map),
            changed: watch::Sender::new(()),
            begun: AtomicU64::new(0),
            turn: tokio::sync::Mutex::default(),
            failure: Mutex::default(),
            gate: Gate::default(),
            counters: RedisCounters::default(),
            start_acceptance,
        }
    }

    /// Returns the present map.
    pub(crate) fn map(&self) -> Guard<Arc<MasterMap>> {
        self.map.load()
    }

    /// Returns the nodes of a Cluster that the URL names.
    pub(crate) fn seeds(&self) -> &[ServerAddress] {
        match &self.source {
            MasterSource::Cluster(cluster) => cluster.seeds(),
            MasterSource::Fixed | MasterSource::Sentinels(_) => &[],
        }
    }

    pub(crate) fn is_cluster(&self) -> bool {
        matches!(self.source, MasterSource::Cluster(_))
    }

    /// Returns whether another server can become the master.
    pub(crate) fn may_fail_over(&self) -> bool {
        !matches!(self.source, MasterSource::Fixed)
    }

    /// Returns how long a master must be silent until the Sentinels take it for down, as told by the first that answers.
    pub(crate) async fn sentinels_down_after_ms(&self) -> Option<u64> {
        let MasterSource::Sentinels(sentinels) = &self.source else { return None };
        sentinels.down_after_ms(&self.connector).await
    }

    /// Returns whether another node may be about to write what this node does not find under this hash tag.
    pub(crate) fn is_settling(&self, hash_tag: HashTag, now_ms: u64) -> bool {
        self.map().owner_of(hash_tag).is_some_and(|master| master.data.is_settling(now_ms))
    }

    /// Subscribes to changes of the map.
    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// Waits until this is no longer one of the masters.
    pub(crate) async fn wait_until_gone(&self, master: &Arc<Master>) {
        let mut changes = self.changes();
        while self.map().contains(master) && changes.changed().await.is_ok() {}
    }

    /// Returns the master at this address, or a server that is not, or not yet, one of the masters.
    pub(crate) fn server_at(&self, address: &ServerAddress) -> Arc<Master> {
        self.map().at(address).cloned().unwrap_or_else(|| self.untracked(address.clone()))
    }

    /// Waits until this node has accepted the data at the other end of a connection to a master. The caller limits the
    /// time.
    ///
    /// # Errors
    /// Why it was not accepted. The connection must not be used.
    pub(crate) async fn await_acceptance(
        &self,
        master: &Arc<Master>,
        identity: &Arc<DataIdentity>,
    ) -> Result<(), String> {
        let mut attempts = master.data.attempts();
        for _ in 0..AWAITED_ATTEMPTS {
            attempts.borrow_and_update();
            if identity.is_accepted() {
                return Ok(());
            }
            (self.start_acceptance)(master, identity);
            // Fails only without a sender, which `master` holds.
            let _ = attempts.changed().await;
        }
        match (identity.is_accepted(), master.data.failure()) {
            (true, _) => Ok(()),
            (false, failure) if failure.is_empty() => Err("the server has other data by now".into()),
            (false, failure) => Err(failure),
        }
    }

    /// Returns a server that is not, or not yet, one of the masters. Nothing that it answers is cached.
    pub(crate) fn untracked(&self, address: ServerAddress) -> Arc<Master> {
        self.registry.untracked(address)
    }

    /// Returns why no master is known, according to the last refresh.
    pub(crate) fn why_unknown(&self) -> String {
        self.failure().clone().unwrap_or_else(|| "no master is known".into())
    }

    /// Returns why the last refresh failed; `None` if it did not.
    pub(crate) fn failure_reason(&self) -> Option<String> {
        self.failure().clone()
    }

    fn failure(&self) -> MutexGuard<'_, Option<String>> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Refreshes the map. Concurrent callers share one refresh, which began after each of them had called. If it fails,
    /// the map stays as it was.
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
        self.record_outcome(failure);
    }

    /// Refreshes the map in the background.
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
                self.registry.by_slot(&known, cluster.ask(&self.connector, round).await?)
            }
            MasterSource::Sentinels(sentinels) => {
                Ok(self.registry.sole(&known, sentinels.ask(&self.connector).await?))
            }
        }
    }

    fn adopt(&self, map: MasterMap) {
        if !self.map().is_same(&map) {
            let masters: Vec<_> = map.masters.iter().map(|master| master.address.to_string()).collect();
            tracing::info!(masters = masters.join(" "), "redis masters changed");
            // Before the next masters are merged into: what a former master still answers then is not acknowledged.
            let former = self.map();
            let is_gone = |master: &&Arc<Master>| map.at(&master.address).is_none();
            former.masters.iter().filter(is_gone).for_each(|master| master.data.renounce());
            self.map.store(Arc::new(map));
            self.changed.send_replace(());
        }
    }

    /// Logs the first failure of a series and its end; further failures only at debug level.
    fn record_outcome(&self, failure: Option<String>) {
        let mut known = self.failure();
        match (&*known, &failure) {
            (None, Some(reason)) => tracing::warn!(reason, "topology refresh failed"),
            (Some(_), None) => tracing::info!("topology refresh works again"),
            (Some(_), Some(reason)) => tracing::debug!(reason, "topology refresh failed"),
            (None, None) => {}
        }
        *known = failure;
    }

    /// Runs the worker that keeps the map fresh. Ends with its runtime.
    pub(crate) async fn keep_fresh(self: &Arc<Self>) -> Infallible {
        let refresh_periodically = async {
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
            MasterSource::Cluster(_) => refresh_periodically.await,
            MasterSource::Sentinels(sentinels) => tokio::select! {
                never = refresh_periodically => never,
                never = sentinels.watch(&self.connector, || self.refresh_soon()) => never,
            },
        }
    }
}
