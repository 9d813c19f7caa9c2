//! The Redis store: its parts, and how an operation gets a connection.

use std::convert::Infallible;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Weak};
use std::time::Duration;

use redis::{FromRedisValue, RedisError};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::clock::Clock;
use crate::store::alias::AliasOptions;
use crate::store::cache::CacheStats;
use crate::store::call::Call;
use crate::store::change_counters::ChangeCounters;
use crate::store::error::StoreError;
use crate::store::feed::Feed;
use crate::store::limits::StoreLimits;
use crate::store::redis::cluster::connector::Connector;
use crate::store::redis::cluster::master::Master;
use crate::store::redis::cluster::pool::{ConnectionPools, Priority, Sharing};
use crate::store::redis::cluster::routed_connection::RoutedConnection;
use crate::store::redis::cluster::tls::TrustStore;
use crate::store::redis::cluster::topology::{AcceptanceStarter, Topology};
use crate::store::redis::inspection::Inspection;
use crate::store::redis::invalidation::tracking_worker::TrackingWorker;
use crate::store::redis::lookup::node_cache::{CacheOptions, NodeCache};
use crate::store::redis::lookup::read_router::ReadRouter;
pub(crate) use crate::store::redis::lookup::reader::RedisReader;
use crate::store::redis::replay::memory::ReplayMemory;
use crate::store::redis::replay::peers::Peers;
use crate::store::redis::schema::keys::Keys;
use crate::store::redis::schema::scripts::Scripts;
use crate::store::redis::span::RedisSpan;
use crate::store::report::{Fault, Report};
use crate::values::{DurableWrites, RedisUrl};

/// Listings and imports use at most this share of the connections: the others are for logins and revocations.
const LISTINGS_SHARE: usize = 2;
/// How long a change waits for `durable-writes`: a server with `appendfsync everysec` writes to the disk once a second, and
/// a busy disk may take twice as long.
pub(crate) const DURABLE_WAIT: Duration = Duration::from_secs(2);

/// How to reach the servers, and how long to wait for them.
#[derive(Clone)]
pub struct RedisOptions {
    /// The addresses, and the login.
    pub url: RedisUrl,
    /// Whose certificates to trust, if the URL says TLS.
    pub trust: Option<TrustStore>,
    /// The setting `key-prefix`.
    pub key_prefix: String,
    /// Connections for lifecycle operations, to each master; one more is kept for urgent ones.
    pub connections: usize,
    /// The longest that an operation waits for the server, its wait for a connection included.
    pub timeout: Duration,
    /// The near cache.
    pub cache: CacheOptions,
    /// The alias cache, and how often aliases are looked up.
    pub aliases: AliasOptions,
    /// The setting `accept-eviction`.
    pub accept_eviction: bool,
    /// The setting `takeovers`: if off, records are read without their takeovers.
    pub takeovers: bool,
    /// The setting `replay-window`; 0 remembers nothing.
    pub replay_window_ms: u64,
    /// The setting `durable-writes`.
    pub durable_writes: DurableWrites,
}

/// A store in Redis: one server, a master found by Sentinels, or a Cluster.
pub struct RedisStore {
    pub(crate) topology: Arc<Topology>,
    pub(crate) connections: ConnectionPools,
    pub(crate) keys: Keys,
    /// The channel of the events that only readers of the feed need.
    pub(crate) event_channel: String,
    /// The channel of the events that every node hears.
    pub(crate) ending_channel: String,
    pub(crate) scripts: Scripts,
    pub(crate) limits: StoreLimits,
    pub(crate) node_cache: Arc<NodeCache>,
    pub(crate) feed: Feed,
    pub(crate) changes: ChangeCounters,
    pub(crate) replay: Arc<ReplayMemory>,
    pub(crate) peers: Peers,
    /// The number of the data that has the cut-offs. It changes before other data is served from.
    pub(crate) cutoff_data: AtomicU64,
    pub(crate) durable_writes: DurableWrites,
    inspection: Inspection,
    /// The listings and imports that may use a connection at the same time.
    listings: Semaphore,
}

impl RedisStore {
    /// Makes a store, which connects at its first use. The near cache uses `clock`.
    pub fn new(options: RedisOptions, limits: StoreLimits, clock: Clock) -> Arc<Self> {
        Arc::new_cyclic(|store| Self::make(options, limits, clock, starter(store.clone())))
    }

    fn make(
        options: RedisOptions,
        limits: StoreLimits,
        clock: Clock,
        start_acceptance: AcceptanceStarter,
    ) -> Self {
        let keys = Keys::new(&options.key_prefix);
        let connector = Connector::new(&options.url, options.trust, options.timeout);
        let topology = Arc::new(Topology::new(&options.url, connector, keys.clone(), start_acceptance));
        let replay = Arc::new(ReplayMemory::new(options.replay_window_ms, clock.clone()));
        let takeovers = options.takeovers;
        let node_cache =
            Arc::new(NodeCache::new(options.cache, options.aliases, replay.clone(), takeovers, clock));
        let scripts = Scripts::new();
        let inspection = Inspection::new(
            topology.clone(),
            node_cache.clone(),
            keys.clone(),
            &scripts.commands,
            (options.url.to_string(), options.accept_eviction),
            options.durable_writes,
        );
        Self {
            connections: ConnectionPools::new(
                topology.clone(),
                options.connections,
                node_cache.clock.clone(),
            ),
            topology,
            event_channel: keys.event_channel(options.url.db.into()),
            ending_channel: keys.ending_channel(options.url.db.into()),
            keys,
            scripts,
            limits,
            node_cache,
            feed: Feed::on_demand(),
            changes: ChangeCounters::default(),
            replay,
            peers: Peers::default(),
            cutoff_data: AtomicU64::new(0),
            durable_writes: options.durable_writes,
            inspection,
            listings: Semaphore::new((options.connections / LISTINGS_SHARE).max(1)),
        }
    }

    /// Waits until a listing, or one step of an import, may use one connection to each master. The listing holds the permit
    /// to its end.
    pub(crate) async fn listing_permit(&self) -> Result<SemaphorePermit<'_>, StoreError> {
        let permit = tokio::time::timeout(self.timeout(), self.listings.acquire()).await;
        let permit = permit.ok().and_then(Result::ok);
        permit.ok_or_else(|| StoreError::Unavailable("too many listings and imports at once".into()))
    }

    pub(crate) fn timeout(&self) -> Duration {
        self.topology.connector.timeout
    }

    pub(crate) async fn reader(&self) -> RedisReader {
        let router = ReadRouter::start(self.topology.clone(), self.node_cache.clock.clone()).await;
        RedisReader::new(router, self.node_cache.clone())
    }

    /// Runs the worker that listens for invalidations.
    pub(crate) fn track(&self) -> impl Future<Output = Infallible> + Send + use<> {
        TrackingWorker { node_cache: self.node_cache.clone(), topology: self.topology.clone() }.run()
    }

    pub(crate) fn feed(&self) -> &Feed {
        &self.feed
    }

    /// Inspects the store, and probes it.
    pub(crate) async fn examine(&self) -> Report {
        let report = self.inspection.inspect().await;
        self.with_probe(report).await
    }

    /// Examines the store for a person: more than a node needs to know, and without any change in the store.
    pub(crate) async fn examine_thoroughly(&self) -> Report {
        let report = self.inspection.check_up().await;
        self.with_probe(report).await
    }

    /// Adds what a probe finds, if that is worth a request.
    async fn with_probe(&self, mut report: Report) -> Report {
        if report.are_all_masters_unreachable() {
            return report;
        }
        let (outcome, clock_faults) = self.probe_clocks().await;
        report.add(clock_faults);
        if let Err(error) = outcome
            && report.fatal().is_none()
        {
            report.add([Fault::of_operation("redis", &error)]);
        }
        report
    }

    pub(crate) fn cache_stats(&self) -> CacheStats {
        self.node_cache.stats()
    }

    /// Returns the age of the lease of each master that has ever proved its freshness, by its address.
    pub(crate) fn lease_ages_ms(&self) -> Vec<(String, u64)> {
        let Some(cache) = &self.node_cache.cache else { return Vec::new() };
        let now_ms = self.node_cache.clock.boottime_ms();
        let age = |master: Arc<Master>| {
            Some((master.address.to_string(), cache.lease_age_ms(master.index(), now_ms)?))
        };
        self.masters_with_tokens().into_iter().filter_map(age).collect()
    }

    /// Returns the masters that may have tokens: on a Cluster, those with slots.
    pub(crate) fn masters_with_tokens(&self) -> Vec<Arc<Master>> {
        let map = self.topology.map();
        map.masters.iter().filter(|master| master.may_have_tokens()).cloned().collect()
    }

    /// Returns a function that returns `call` with the time at which it is called. For operations of many steps, which may
    /// take longer than the tolerance of scripts for the caller's clock.
    pub(crate) fn advancing_call<'a>(&self, call: &Call<'a>) -> impl Fn() -> Call<'a> + use<'a> {
        let (call, clock) = (*call, self.node_cache.clock.clone());
        let started_ms = clock.boottime_ms();
        move || Call { now_ms: call.now_ms + clock.boottime_ms().saturating_sub(started_ms), ..call }
    }

    /// Runs commands on a connection to the master of their keys, within the timeout, once the store's time is known.
    pub(crate) async fn with_connection<T: FromRedisValue>(
        &self,
        operation: impl AsyncFnOnce(&mut RoutedConnection<'_>) -> Result<T, RedisError>,
    ) -> Result<T, StoreError> {
        self.with_connection_for(Priority::Normal, operation).await
    }

    pub(crate) async fn with_connection_for<T: FromRedisValue>(
        &self,
        priority: Priority,
        operation: impl AsyncFnOnce(&mut RoutedConnection<'_>) -> Result<T, RedisError>,
    ) -> Result<T, StoreError> {
        self.run_operation(self.timeout(), priority, Sharing::Own, operation).await
    }

    /// Runs one script on a connection that it shares with others.
    pub(crate) async fn with_shared_connection<T: FromRedisValue>(
        &self,
        priority: Priority,
        script: impl AsyncFnOnce(&mut RoutedConnection<'_>) -> Result<T, RedisError>,
    ) -> Result<T, StoreError> {
        self.run_operation(self.timeout(), priority, Sharing::Shared, script).await
    }

    /// Runs one script on a connection of its own, with time to wait until what it wrote is durable.
    pub(crate) async fn with_durable_connection<T: FromRedisValue>(
        &self,
        priority: Priority,
        script: impl AsyncFnOnce(&mut RoutedConnection<'_>) -> Result<T, RedisError>,
    ) -> Result<T, StoreError> {
        let limit = self.timeout() + DURABLE_WAIT;
        self.run_operation(limit, priority, Sharing::Own, script).await
    }

    async fn run_operation<T: FromRedisValue>(
        &self,
        limit: Duration,
        priority: Priority,
        sharing: Sharing,
        operation: impl AsyncFnOnce(&mut RoutedConnection<'_>) -> Result<T, RedisError>,
    ) -> Result<T, StoreError> {
        self.node_cache.store_clock.require_known()?;
        let span = RedisSpan::of_operation();
        let outcome = self.connections.run_within(limit, priority, sharing, operation).await;
        span.end(&outcome);
        outcome
    }
}

/// Returns what starts an attempt to accept the data of a master. The attempt is a task of its own: connections that wait
/// for it come and go.
fn starter(store: Weak<RedisStore>) -> AcceptanceStarter {
    Box::new(move |master, identity| {
        let Some(attempt) = master.data.begin_attempt() else { return };
        let Some(store) = store.upgrade() else { return };
        let Some(attempt) = store.accept_unmerged(master, identity, attempt) else { return };
        let master = master.clone();
        tokio::spawn(async move { store.accept(&master, attempt).await });
    })
}
