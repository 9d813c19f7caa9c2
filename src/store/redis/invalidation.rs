//! The invalidation listener: to each master one RESP3 connection that hears of every change to a token, and by its
//! heartbeat keeps the node_cache cache's lease alive. Nothing else uses it.
//!
//! Pushes are applied by the connection's driver itself, in the order of its input: when a heartbeat's answer
//! resolves, every push that came before it has been applied. That is what the lease rests on.
//!
//! A cluster's heartbeat also asks which slots the master has. One that has lost a slot hears no more of the tokens in
//! it, so all that was read from it is void before its lease moves. Redis itself pushes nothing when a slot is taken
//! away (seen on 7.0.15). A slot that left and came back between two heartbeats is not noticed so; but its tokens were
//! moved by MIGRATE then, which deletes them here, and that is pushed.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::join_all;
use futures_util::stream::FuturesUnordered;
use redis::aio::MultiplexedConnection;
use redis::{Client, ProtocolVersion, PushInfo, PushKind, RedisError, RedisResult, Value, cmd};
use tokio::sync::Notify;

use super::cluster::authority;
use super::errors::describe;
use crate::model::token::record::TokenRecord;
use crate::store::cache::{NearCache, ServerIndex};
use crate::store::redis::cluster::master_map::Master;
use crate::store::redis::cluster::slot_ranges::slot_ranges;
use crate::store::redis::cluster::topology::Topology;
use crate::store::redis::lookup::node_cache::NodeCache;
use crate::store::redis::lookup::read_router::ReadRouter;
use crate::store::redis::lookup::reader::RedisReader;
use crate::store::redis::schema::keys::Keys;
use crate::store::redis::{cluster::reconnect::RECONNECT_PAUSE, lookup::pipeline::run_id_in};

/// The lease outlives so many heartbeats: one that comes late costs nothing.
const HEARTBEATS_PER_LEASE: u32 = 4;
/// However long the lease: a server whose `timeout` is one second closes a connection that rests longer.
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// The worker: follows the topology, and listens to every master of it.
pub(crate) struct TrackingWorker {
    pub(crate) node_cache: Arc<NodeCache>,
    pub(crate) topology: Arc<Topology>,
}

impl TrackingWorker {
    /// Ends with its runtime.
    pub(crate) async fn run(self) -> Infallible {
        tokio::select! {
            never = self.listen_to_all() => never,
            never = self.topology.follow() => never,
            never = self.topology.connector.follow_trust() => never,
            never = self.read_voided() => never,
        }
    }

    /// Reads again what changed: see [`NodeCache::refresh_soon`].
    async fn read_voided(&self) -> Infallible {
        let mut voided = self.node_cache.voided().await;
        // No connection is made for it before it has something to do.
        let look_ups = ReadRouter::start(self.topology.clone(), self.node_cache.clock.clone()).await;
        let reader = RedisReader::new(look_ups, self.node_cache.clone());
        loop {
            // Best-effort: what cannot be read is read when it is asked for.
            join_all(voided.into_iter().map(|id| reader.record(id))).await;
            voided = self.node_cache.voided().await;
        }
    }

    async fn listen_to_all(&self) -> Infallible {
        let Some(cache) = &self.node_cache.cache else { return std::future::pending().await };
        let mut changes = self.topology.changes();
        let mut listeners = FuturesUnordered::new();
        let mut heard: Vec<Arc<Master>> = Vec::new();
        loop {
            let map = self.topology.map().clone();
            heard.retain(|master| map.has(master));
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

type Cache = NearCache<Option<Arc<TokenRecord>>>;

/// Listens to one master.
struct MasterListener<'a> {
    node_cache: &'a Arc<NodeCache>,
    topology: &'a Arc<Topology>,
    cache: &'a Cache,
    master: Arc<Master>,
}

impl MasterListener<'_> {
    /// Listens, and connects anew when that breaks, until it is none of the masters any more.
    async fn run(self) {
        let listen = async {
            loop {
                let Err(reason) = self.listen().await;
                tracing::debug!(reason, server = %self.master.address, "a tracking connection was lost");
                tokio::join!(self.topology.refresh(), tokio::time::sleep(RECONNECT_PAUSE));
            }
        };
        tokio::select! {
            () = self.topology.is_gone(&self.master) => {}
            () = listen => {}
        }
        // What is left of it is of no use to the next master with this number.
        self.cache.invalidate_all(self.master.index());
    }

    /// One connection, until it breaks or an answer to a heartbeat is missing.
    async fn listen(&self) -> Result<Infallible, String> {
        let disconnected = Arc::new(Notify::new());
        let mut connection = self.connect(disconnected.clone()).await.map_err(described)?;
        let info: String = cmd("INFO").arg("server").query_async(&mut connection).await.map_err(described)?;
        // One that still reads its data, say, is not back: stale entries count on.
        authority::prove(&self.master, &mut connection, false).await?;
        let mut tracking = cmd("CLIENT");
        tracking.arg("TRACKING").arg("ON").arg("BCAST").arg("PREFIX").arg(self.keys().all_tokens_prefix());
        tracking.exec_async(&mut connection).await.map_err(described)?;
        // Before the first answer that may be cached.
        let mut own_slots = match self.topology.map().is_by_slot() {
            true => Some(OwnSlots::ask(self, &mut connection).await?),
            false => None,
        };
        // Before the stale entries end: look-ups wait for their own connections from now on, and do not fail.
        self.master.has_returned();
        // The order matters: tickets count from the second step on, and the server they are held against must be
        // this one by then. The other way round, an answer of the one tracked before could still slip in.
        self.node_cache.track(self.master.index(), run_id_in(&info));
        let Some(live) = self.cache.start_tracking(self.master.index()) else {
            return std::future::pending().await;
        };
        let pause =
            (Duration::from_millis(self.node_cache.lease_ms) / HEARTBEATS_PER_LEASE).min(LONGEST_PAUSE);
        let beat = async {
            loop {
                let sent_at_ms = self.node_cache.clock.boottime_ms();
                // While the store must not be used, the lease runs out.
                if !self.topology.gate.is_open() {
                    tokio::time::sleep(pause).await;
                    continue;
                }
                // Where Redis may not write, no heartbeat counts.
                authority::prove(&self.master, &mut connection, false).await?;
                if let Some(own_slots) = &mut own_slots
                    && own_slots.lost_any(self, &mut connection).await?
                {
                    live.invalidate_all();
                }
                live.heartbeat_answered(sent_at_ms);
                tokio::time::sleep(pause).await;
            }
        };
        tokio::select! {
            outcome = beat => outcome,
            () = disconnected.notified() => Err("the server closed it".into()),
        }
    }

    async fn connect(&self, disconnected: Arc<Notify>) -> RedisResult<MultiplexedConnection> {
        let connector = &self.topology.connector;
        let config = connector
            .limits()
            .set_response_timeout(Some(Duration::from_millis(self.node_cache.lease_ms)))
            .set_push_sender(self.push_handler(disconnected));
        let settings = connector.login().clone().set_protocol(ProtocolVersion::RESP3);
        let client = Client::open(connector.info(&self.master.address)?.set_redis_settings(settings))?;
        client.get_multiplexed_async_connection_with_config(&config).await
    }

    fn keys(&self) -> &Keys {
        &self.topology.keys
    }

    /// Applies what the server pushes. Called by the connection's driver, so it must not wait.
    fn push_handler(&self, disconnected: Arc<Notify>) -> impl Fn(PushInfo) -> Result<(), Infallible> + use<> {
        let (node_cache, keys, server) = (self.node_cache.clone(), self.keys().clone(), self.master.index());
        move |push| {
            match push.kind {
                PushKind::Invalidate => invalidate(&node_cache, &keys, server, &push.data),
                PushKind::Disconnection => disconnected.notify_one(),
                _ => {}
            }
            Ok(())
        }
    }
}

/// The slots that a master of a cluster has by its own word.
struct OwnSlots {
    node_id: String,
    ranges: Vec<(u16, u16)>,
}

impl OwnSlots {
    async fn ask(
        listener: &MasterListener<'_>,
        connection: &mut MultiplexedConnection,
    ) -> Result<Self, String> {
        let node_id = cmd("CLUSTER").arg("MYID").query_async(connection).await.map_err(described)?;
        let mut own = Self { node_id, ranges: Vec::new() };
        own.ranges = own.now(listener, connection).await?;
        Ok(own)
    }

    async fn now(
        &self,
        listener: &MasterListener<'_>,
        connection: &mut MultiplexedConnection,
    ) -> Result<Vec<(u16, u16)>, String> {
        let answer: Value = cmd("CLUSTER").arg("SLOTS").query_async(connection).await.map_err(described)?;
        let ranges = slot_ranges(&answer, &listener.master.address).ok_or("slots of an unexpected form")?;
        let own = ranges.into_iter().filter(|range| range.node_id == self.node_id);
        Ok(own.map(|range| (range.first, range.last)).collect())
    }

    /// Asks again: whether any has gone since the last time.
    async fn lost_any(
        &mut self,
        listener: &MasterListener<'_>,
        connection: &mut MultiplexedConnection,
    ) -> Result<bool, String> {
        let now = self.now(listener, connection).await?;
        let before = std::mem::replace(&mut self.ranges, now);
        if before == self.ranges {
            return Ok(false);
        }
        listener.topology.refresh_soon();
        let slots = |ranges: &[(u16, u16)]| -> BTreeSet<u16> {
            ranges.iter().flat_map(|(first, last)| *first..=*last).collect()
        };
        Ok(!slots(&before).is_subset(&slots(&self.ranges)))
    }
}

fn described(error: RedisError) -> String {
    describe(&error)
}

/// A push names one key, several, or, as null, all of them (Redis documentation, "Client-side caching").
/// What cannot be understood may mean any key.
fn invalidate(node_cache: &NodeCache, keys: &Keys, server: ServerIndex, data: &[Value]) {
    let Some(cache) = &node_cache.cache else { return };
    let void = |key: &Value| match key {
        Value::BulkString(key) => match keys.token_id(key) {
            Some(id) if cache.invalidate(&id) => node_cache.refresh_soon(id),
            Some(_) => {}
            None => cache.invalidate_all(server),
        },
        _ => cache.invalidate_all(server),
    };
    for value in data {
        match value {
            Value::Array(keys) => keys.iter().for_each(void),
            other => void(other),
        }
    }
}
