//! The listener of one master: its tracking connection and heartbeats.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{PushInfo, PushKind, RedisResult, cmd};
use tokio::sync::Notify;

use super::own_slots::OwnSlots;
use super::push::apply_invalidation;
use crate::store::cache::TrackingConnection;
use crate::store::redis::cluster::authority;
use crate::store::redis::cluster::connector::RECONNECT_PAUSE;
use crate::store::redis::cluster::data_identity::DataIdentity;
use crate::store::redis::cluster::master::Master;
use crate::store::redis::cluster::topology::Topology;
use crate::store::redis::counters::{ConnectionUse, RedisErrorKind};
use crate::store::redis::errors::described;
use crate::store::redis::lookup::node_cache::{NodeCache, RecordCache};
use crate::store::redis::schema::keys::Keys;

/// Heartbeats within a lease: a late one costs nothing.
const HEARTBEATS_PER_LEASE: u32 = 4;
/// The longest pause between two heartbeats, however long the lease: a server whose `timeout` is one second closes a
/// connection that is idle for longer.
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// Listens to one master.
pub(crate) struct MasterListener<'a> {
    pub(crate) node_cache: &'a Arc<NodeCache>,
    pub(crate) topology: &'a Arc<Topology>,
    pub(crate) cache: &'a RecordCache,
    pub(crate) master: Arc<Master>,
}

impl MasterListener<'_> {
    /// Listens, and reconnects when the connection breaks, until the server is no longer one of the masters.
    pub(crate) async fn run(self) {
        let listen = async {
            loop {
                let Err(reason) = self.listen().await;
                self.topology.counters.count_error(ConnectionUse::Tracking, RedisErrorKind::Connection);
                tracing::debug!(reason, server = %self.master.address, "tracking connection lost");
                tokio::join!(self.topology.refresh(), tokio::time::sleep(RECONNECT_PAUSE));
            }
        };
        tokio::select! {
            () = self.topology.wait_until_gone(&self.master) => {}
            () = listen => {}
        }
        // Entries read from this master must not count for the next master with the same number.
        self.cache.invalidate_all(self.master.index());
    }

    /// Serves one connection, until it breaks or a heartbeat is not answered.
    async fn listen(&self) -> Result<Infallible, String> {
        let disconnected = Arc::new(Notify::new());
        let mut connection = self.connect(disconnected.clone()).await.map_err(described)?;
        let data = self.master.data.ask(&mut connection).await.map_err(described)?;
        // A server without authority (one that is still loading its data, say) is not back: the stale grace goes on.
        authority::prove(&self.master, &mut connection, false).await?;
        self.topology.await_acceptance(&self.master, &data).await?;
        let mut tracking = cmd("CLIENT");
        tracking.arg("TRACKING").arg("ON").arg("BCAST").arg("PREFIX").arg(self.keys().all_tokens_prefix());
        tracking.exec_async(&mut connection).await.map_err(described)?;
        // Before the first answer that may be cached.
        let own_slots = match self.topology.map().is_by_slot() {
            true => Some(OwnSlots::ask(self.topology, &self.master, &mut connection).await?),
            false => None,
        };
        // Before the stale grace ends: from now on look-ups wait for their own connections instead of failing.
        self.master.report_return();
        // The order matters. Tickets count from the second step on, and their answers are compared with the tracked
        // server, which must be this one by then. Otherwise an answer of the previously tracked server could be cached.
        self.node_cache.track(self.master.index(), &data);
        let Some(tracking) = self.cache.start_tracking(self.master.index()) else {
            return std::future::pending().await;
        };
        let lost = tokio::select! {
            outcome = self.send_heartbeats(&mut connection, &data, own_slots, &tracking) => outcome,
            () = disconnected.notified() => Err("the server closed the connection".into()),
        };
        self.topology.counters.count_reconnect(ConnectionUse::Tracking);
        lost
    }

    /// Sends heartbeats, each of which proves the master's authority over the accepted data, and extends the lease with
    /// each answer.
    async fn send_heartbeats(
        &self,
        connection: &mut MultiplexedConnection,
        data: &DataIdentity,
        mut own_slots: Option<OwnSlots<'_>>,
        tracking: &TrackingConnection,
    ) -> Result<Infallible, String> {
        let pause =
            (Duration::from_millis(self.node_cache.lease_ms) / HEARTBEATS_PER_LEASE).min(LONGEST_PAUSE);
        loop {
            let sent_at_ms = self.node_cache.clock.boottime_ms();
            // While the store must not be used, the lease runs out.
            if self.topology.gate.is_open() {
                // A master that may not write (its disk fails, say) keeps no lease alive either.
                authority::prove(&self.master, connection, false).await?;
                self.topology.counters.count_round_trip(ConnectionUse::Tracking);
                // After the proof: a server that was demoted and promoted meanwhile has other data.
                if !(data.is_accepted() && data.lasts(connection).await.map_err(described)?) {
                    self.master.data.renounce();
                    return Err("the server has other data by now".into());
                }
                self.node_cache.replay.master_proven(&self.topology.map(), &self.master, sent_at_ms);
                if let Some(own_slots) = &mut own_slots
                    && own_slots.has_lost_any(connection).await?
                {
                    tracking.invalidate_all();
                }
                tracking.heartbeat_answered(sent_at_ms);
            }
            tokio::time::sleep(pause).await;
        }
    }

    async fn connect(&self, disconnected: Arc<Notify>) -> RedisResult<MultiplexedConnection> {
        let connector = &self.topology.connector;
        let config = connector
            .config()
            .set_response_timeout(Some(Duration::from_millis(self.node_cache.lease_ms)))
            .set_push_sender(self.push_handler(disconnected));
        connector.connect_for_pushes(&self.master.address, &config).await
    }

    fn keys(&self) -> &Keys {
        &self.topology.keys
    }

    /// Returns what applies the server's pushes. The connection's driver calls it, so it must not wait.
    fn push_handler(&self, disconnected: Arc<Notify>) -> impl Fn(PushInfo) -> Result<(), Infallible> + use<> {
        let (node_cache, keys, server) = (self.node_cache.clone(), self.keys().clone(), self.master.index());
        move |push| {
            match push.kind {
                PushKind::Invalidate => apply_invalidation(&node_cache, &keys, server, &push.data),
                PushKind::Disconnection => disconnected.notify_one(),
                _ => {}
            }
            Ok(())
        }
    }
}
