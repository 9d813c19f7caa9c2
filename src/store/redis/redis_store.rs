//! The Redis store: its parts, and running scripts and commands.

use super::errors::{named, text, unexpected};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use redis::{FromRedisValue, RedisError, Value, cmd, pipe};
use serde::Serialize;

use super::inspection::Inspection;
use super::invalidation::tracking_worker::TrackingWorker;
use crate::store::cache::CacheStats;
use crate::store::call::Call;
use crate::store::error::StoreError;
use crate::store::limits::StoreLimits;
use crate::store::redis::cluster::connector::Connector;
use crate::store::redis::cluster::pool::{ConnectionPools, Priority};
use crate::store::redis::cluster::routed_connection::RoutedConnection;
use crate::store::redis::cluster::tls::TrustStore;
use crate::store::redis::cluster::topology::Topology;
use crate::store::redis::lookup::node_cache::{CacheOptions, NodeCache};
use crate::store::redis::lookup::read_router::ReadRouter;
pub(crate) use crate::store::redis::lookup::reader::RedisReader;
use crate::store::redis::operations::reverse_index::Untrue;
use crate::store::redis::schema::keys::Keys;
use crate::store::redis::schema::scripts::{Context, Script, Scripts};
use crate::store::report::Report;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::clock::Clock;
use crate::store::feed::Feed;
use crate::token_string::HashTag;
use crate::values::RedisUrl;

/// Records read in one pipeline when a user's are listed.
pub(crate) const READS_PER_PIPELINE: usize = 256;

/// Members of a sorted set read in one command, about: few enough to hold the server for less than a millisecond.
const MEMBERS_PER_SCAN: usize = 500;

/// How to reach a server and how long to wait for it.
#[derive(Clone)]
pub struct RedisOptions {
    /// Where it is and who we are there.
    pub url: RedisUrl,
    /// Whom to trust where the URL says TLS.
    pub trust: Option<TrustStore>,
    /// The setting `key-prefix`.
    pub key_prefix: String,
    /// Connections for lifecycle operations, to each master; one more is kept for urgent ones.
    pub connections: usize,
    /// No operation waits longer than this for the server, and none for a connection.
    pub timeout: Duration,
    /// The near cache.
    pub cache: CacheOptions,
    /// The setting `accept-eviction`.
    pub accept_eviction: bool,
}

/// See the module.
pub struct RedisStore {
    pub(crate) topology: Arc<Topology>,
    pub(crate) connections: ConnectionPools,
    pub(crate) keys: Keys,
    pub(crate) event_channel: String,
    pub(crate) scripts: Scripts,
    pub(crate) limits: StoreLimits,
    pub(crate) node_cache: Arc<NodeCache>,
    pub(crate) feed: Feed,
    inspection: Inspection,
    /// The listings that may use a connection at the same time.
    listings: Semaphore,
}

/// Listings use at most this share of the connections: the others are for logins and revocations.
const LISTINGS_SHARE: usize = 2;

impl RedisStore {
    /// A store on this server; connects when it is first asked. The near cache goes by `clock`.
    pub fn new(options: RedisOptions, limits: StoreLimits, clock: Clock) -> Self {
        let keys = Keys::new(&options.key_prefix);
        let connector = Connector::new(&options.url, options.trust, options.timeout);
        let topology = Arc::new(Topology::new(&options.url, connector, keys.clone()));
        let node_cache = Arc::new(NodeCache::new(options.cache, clock));
        let scripts = Scripts::new();
        let inspection = Inspection::new(
            topology.clone(),
            node_cache.clone(),
            keys.clone(),
            &scripts.commands,
            (options.url.to_string(), options.accept_eviction),
        );
        Self {
            connections: ConnectionPools::new(topology.clone(), options.connections),
            topology,
            event_channel: keys.event_channel(options.url.db.into()),
            keys,
            scripts,
            limits,
            node_cache,
            feed: Feed::default(),
            inspection,
            listings: Semaphore::new((options.connections / LISTINGS_SHARE).max(1)),
        }
    }

    /// Waits for the turn of a listing, which uses one connection to each master until this is dropped.
    pub(crate) async fn listing(&self) -> Result<SemaphorePermit<'_>, StoreError> {
        let turn = tokio::time::timeout(self.topology.connector.timeout, self.listings.acquire()).await;
        let turn = turn.ok().and_then(Result::ok);
        turn.ok_or_else(|| StoreError::Unavailable("too many listings at once".into()))
    }

    pub(crate) fn timeout(&self) -> Duration {
        self.topology.connector.timeout
    }

    pub(crate) async fn reader(&self) -> RedisReader {
        let router = ReadRouter::start(self.topology.clone(), self.node_cache.clock.clone()).await;
        RedisReader::new(router, self.node_cache.clone())
    }

    /// The worker that listens for changes.
    pub(crate) fn track(&self) -> impl Future<Output = Infallible> + Send + use<> {
        TrackingWorker { node_cache: self.node_cache.clone(), topology: self.topology.clone() }.run()
    }

    pub(crate) fn feed(&self) -> &Feed {
        &self.feed
    }

    pub(crate) async fn inspect(&self) -> Report {
        self.inspection.look().await
    }

    pub(crate) fn cache_stats(&self) -> CacheStats {
        self.node_cache.stats()
    }

    /// For operations of many steps: gives the call as it is by now. A script refuses a caller whose time is some seconds
    /// old, and many steps may take longer than that.
    pub(crate) fn call_by_now<'a>(&self, call: &Call<'a>) -> impl Fn() -> Call<'a> + use<'a> {
        let (call, clock) = (*call, self.node_cache.clock.clone());
        let begun_ms = clock.boottime_ms();
        move || Call { now_ms: call.now_ms + clock.boottime_ms().saturating_sub(begun_ms), ..call }
    }

    /// Runs a script on the keys of a shard, of which `key` is one; what is not text goes into `bytes`. Hints that it made
    /// untrue go, too.
    pub(crate) async fn run<T: FromRedisValue>(
        &self,
        script: &Script,
        (key, shard): (String, HashTag),
        call: &Call<'_>,
        args: &impl Serialize,
        bytes: &[&[u8]],
    ) -> Result<T, StoreError> {
        self.run_for(Priority::Normal, script, (key, shard), call, args, bytes).await
    }

    /// The same for a script that revokes: it may use the connections that are kept for that.
    pub(crate) async fn revoke<T: FromRedisValue>(
        &self,
        script: &Script,
        (key, shard): (String, HashTag),
        call: &Call<'_>,
        args: &impl Serialize,
        bytes: &[&[u8]],
    ) -> Result<T, StoreError> {
        self.run_for(Priority::Urgent, script, (key, shard), call, args, bytes).await
    }

    pub(crate) async fn run_for<T: FromRedisValue>(
        &self,
        priority: Priority,
        script: &Script,
        (key, shard): (String, HashTag),
        call: &Call<'_>,
        args: &impl Serialize,
        bytes: &[&[u8]],
    ) -> Result<T, StoreError> {
        let answer = self.run_script(priority, script, (key, shard), call, args, bytes).await?;
        let (answer, untrue) = self.split_answer(shard, answer, call.now_ms);
        if !untrue.is_empty() {
            // What has ended is not seen here from now on, though it takes another round trip until anybody is told.
            self.node_cache.invalidate(untrue.iter().map(Untrue::token));
            self.unhint(priority, &untrue, call.now_ms).await;
        }
        redis::from_redis_value(answer).map_err(|_| unexpected("a script"))
    }

    /// Runs a script and nothing else.
    pub(crate) async fn run_script(
        &self,
        priority: Priority,
        script: &Script,
        (key, shard): (String, HashTag),
        call: &Call<'_>,
        args: &impl Serialize,
        bytes: &[&[u8]],
    ) -> Result<Value, StoreError> {
        let context = Context {
            prefix: self.keys.prefix(),
            shard: shard.to_string(),
            now_ms: call.now_ms,
            tolerance_ms: self.node_cache.store_clock.tolerance_ms(),
            actor: call.actor.to_string(),
            retention_ms: self.limits.revoked_retention_ms,
            grace_ms: self.limits.stale_grace_ms,
            channel: &self.event_channel,
            events: self.limits.events_per_user,
            event_ttl_ms: self.limits.event_retention_ms,
        };
        let (context, args) = (named(&context), named(args));
        let args = [&[&context[..], &args], bytes].concat();
        self.with_connection_for(priority, async |c| script.run(c, &[&key], &args).await).await
    }

    pub(crate) async fn shared_token_key(&self, proposed: &str) -> Result<String, StoreError> {
        match self.stored_token_key().await? {
            Some(kept) => Ok(kept),
            None => self.or_put(self.keys.token_key(), None, proposed).await,
        }
    }

    pub(crate) async fn stored_token_key(&self) -> Result<Option<String>, StoreError> {
        let key = self.keys.token_key();
        let get = cmd("GET").arg(&key).to_owned();
        let kept = self.with_connection_for(Priority::Urgent, async |c| get.query_async(c).await).await;
        let named = |error| match error {
            StoreError::Corrupt { reason, .. } => StoreError::Corrupt { key: key.clone(), reason },
            error => error,
        };
        let kept: Option<Vec<u8>> = kept.map_err(named)?;
        kept.map(|kept| text(kept, &key)).transpose()
    }

    /// Checks that every master takes writes and agrees with our clock, which follows theirs.
    pub(crate) async fn probe(&self) -> Result<(), StoreError> {
        if self.topology.map().masters.is_empty() {
            self.topology.refresh().await;
        }
        self.look_at_clocks().await
    }

    /// What all nodes share under this key: what was found there, else what is put there now, by us or another.
    async fn or_put(&self, key: String, found: Option<Vec<u8>>, ours: &str) -> Result<String, StoreError> {
        let mut kept = found;
        // Only when there is something to write: a full memory refuses SET even where it would change nothing.
        if kept.is_none() {
            let set = cmd("SET").arg(&key).arg(ours).arg("NX").arg("GET").to_owned();
            kept = self.with_connection(async |c| set.query_async(c).await).await?;
        }
        kept.map_or_else(|| Ok(ours.to_owned()), |kept| text(kept, &key))
    }

    /// The fields of these hashes, which are in one slot, each as `HGETALL` answers.
    pub(crate) async fn read_hashes(&self, keys: Vec<String>) -> Result<Vec<Value>, StoreError> {
        let mut hashes = Vec::with_capacity(keys.len());
        for chunk in keys.chunks(READS_PER_PIPELINE) {
            let mut pipeline = pipe();
            for key in chunk {
                pipeline.cmd("HGETALL").arg(key);
            }
            let answers: Vec<Value> = self.with_connection(async |c| pipeline.query_async(c).await).await?;
            hashes.extend(answers);
        }
        Ok(hashes)
    }

    /// The members of a sorted set and their scores, read piece by piece: a member that is there all the while is found, one
    /// that comes or goes meanwhile may be.
    pub(crate) async fn scan_set(
        &self,
        priority: Priority,
        key: String,
    ) -> Result<BTreeMap<String, Value>, StoreError> {
        let (mut found, mut cursor) = (BTreeMap::new(), 0_u64);
        loop {
            let scan = cmd("ZSCAN").arg(&key).arg(cursor).arg("COUNT").arg(MEMBERS_PER_SCAN).to_owned();
            let (next, some): (u64, Vec<(Vec<u8>, Value)>) =
                self.with_connection_for(priority, async |c| scan.query_async(c).await).await?;
            for (member, score) in some {
                found.insert(text(member, "index")?, score);
            }
            cursor = next;
            if cursor == 0 {
                return Ok(found);
            }
        }
    }

    /// Runs an operation on a connection to the master of its keys, within the timeout, once the store's time is known.
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
        self.node_cache.store_clock.require_known()?;
        self.connections.run(priority, operation).await
    }
}
