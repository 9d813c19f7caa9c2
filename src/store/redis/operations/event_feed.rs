//! The worker that fills the live feed with the events that scripts publish (lua/shared/events.lua).
//!
//! Every node hears of endings, on a channel of their own, and remembers them (`replay`). It hears of the other events only
//! while somebody reads its feed.
//!
//! The worker has its own connection. On a Cluster, the bus carries each message to every server, so one connection to any
//! of them receives all events; `BusProbes` find out if that fails.
//!
//! **The feed gets a gap whenever events may be missing**: with each new connection; when a master is gone, because its last
//! messages may be lost; and when a bus link was made again. The worker connects to the next master when its server is not
//! a master any more or refuses a write.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{PushInfo, PushKind, RedisError, Value, cmd};
use tokio::sync::{Notify, mpsc};

use super::bus_probes::{ArrivedProbes, BusProbes};
use crate::store::feed::FeedEntry;
use crate::store::redis::cluster::authority;
use crate::store::redis::cluster::connector::RECONNECT_PAUSE;
use crate::store::redis::cluster::master::Master;
use crate::store::redis::counters::{ConnectionUse, RedisErrorKind};
use crate::store::redis::errors::described;
use crate::store::redis::redis_store::RedisStore;
use crate::store::redis::replay::heard::heard_ending;
use crate::store::redis::schema::codec::event as codec;

/// Messages that may wait for the feed. If there are more, the connection is closed and readers get a gap.
const MAX_WAITING_MESSAGES: usize = 10_000;
/// The pause between two checks that the server is still a master.
const HEARTBEAT: Duration = Duration::from_millis(500);
/// Messages that are taken at once.
const MESSAGES_AT_ONCE: usize = 256;
/// How long all events are received after the last reader has left: a reader that comes back finds no gap.
const FEED_KEPT: Duration = Duration::from_secs(60);

impl RedisStore {
    /// Runs the worker that fills the feed, until its runtime ends.
    pub(crate) async fn hear_events(&self) -> Infallible {
        // Tries another master each time: the first may be the one that is away.
        for attempt in 0.. {
            let Err(reason) = self.receive_events(attempt).await;
            self.topology.counters.count_error(ConnectionUse::Events, RedisErrorKind::Connection);
            tracing::debug!(reason, "event connection lost");
            tokio::time::sleep(RECONNECT_PAUSE).await;
        }
        std::future::pending().await
    }

    /// Remembers the ending that a message tells, if it tells one, and puts the event into the feed.
    pub fn hear_message(&self, payload: &Value) {
        if let Some(ending) = heard_ending(payload) {
            self.replay.hear(ending);
        }
        if let Some((user, event)) = codec::message(payload) {
            self.feed.push(FeedEntry::Event(user, event));
        }
    }

    /// Receives events over one connection, until it breaks, falls silent, or does not receive everything.
    async fn receive_events(&self, attempt: usize) -> Result<Infallible, String> {
        let masters = self.masters_with_tokens();
        let master = masters.get(attempt % masters.len().max(1)).ok_or("no server is known")?;
        let (sender, mut messages) = mpsc::channel(MAX_WAITING_MESSAGES);
        let broken = Arc::new(Notify::new());
        let arrived = Arc::new(ArrivedProbes::default());
        let handler = push_handler(sender, arrived.clone(), broken.clone());
        let mut connection = self.connect_with_handler(master, handler).await.map_err(described)?;
        authority::prove(master, &mut connection, true).await?;
        let mut probes = BusProbes::start(self, &mut connection, arrived).await.map_err(described)?;
        connection.subscribe(&self.ending_channel).await.map_err(described)?;
        let is_read = *self.feed.demand().readers().borrow() > 0;
        if is_read {
            connection.subscribe(&self.event_channel).await.map_err(described)?;
        }
        // Events published before this are unknown here.
        self.feed.push(FeedEntry::Gap);
        self.feed.demand().set_complete(is_read);
        self.peers.record(self.count_subscribers(&mut connection).await);
        let demanding = connection.clone();
        let beat = async {
            loop {
                tokio::time::sleep(HEARTBEAT).await;
                authority::prove(master, &mut connection, true).await?;
                self.topology.counters.count_round_trip(ConnectionUse::Events);
                self.peers.record(self.count_subscribers(&mut connection).await);
                if let Some(probes) = &mut probes {
                    probes.publish_round(self, master).await?;
                    if probes.has_lost_link(&mut connection).await {
                        self.feed.push(FeedEntry::Gap);
                        self.topology.refresh_soon();
                    }
                }
            }
        };
        let take = async {
            let mut batch = Vec::new();
            while messages.recv_many(&mut batch, MESSAGES_AT_ONCE).await > 0 {
                batch.drain(..).for_each(|payload| self.hear_message(&payload));
            }
        };
        let mut take = Box::pin(take);
        let lost = tokio::select! {
            lost = beat => lost,
            lost = self.follow_demand(demanding, is_read) => lost,
            () = &mut take => Err("the connection ended".into()),
            () = broken.notified() => Err("the connection was closed, or its messages were too many".into()),
            () = self.topology.wait_until_gone(master) => Err("the server is not a master any more".into()),
            never = self.watch_for_gone_masters() => never,
        };
        drop(take);
        // What has arrived is heard, whatever ended the connection.
        while let Ok(payload) = messages.try_recv() {
            self.hear_message(&payload);
        }
        self.feed.demand().set_complete(false);
        self.topology.counters.count_reconnect(ConnectionUse::Events);
        lost
    }

    /// Subscribes to the events for readers while somebody reads the feed, and for [`FEED_KEPT`] longer.
    async fn follow_demand(
        &self,
        mut connection: MultiplexedConnection,
        mut is_subscribed: bool,
    ) -> Result<Infallible, String> {
        let mut readers = self.feed.demand().readers();
        let gone = |_| "the feed is gone".to_owned();
        loop {
            if !is_subscribed {
                readers.wait_for(|count| *count > 0).await.map_err(gone)?;
                connection.subscribe(&self.event_channel).await.map_err(described)?;
                self.feed.push(FeedEntry::Gap);
                self.feed.demand().set_complete(true);
            }
            readers.wait_for(|count| *count == 0).await.map_err(gone)?;
            let reader = readers.wait_for(|count| *count > 0);
            is_subscribed = tokio::time::timeout(FEED_KEPT, reader).await.is_ok();
            if !is_subscribed {
                self.feed.demand().set_complete(false);
                connection.unsubscribe(&self.event_channel).await.map_err(described)?;
            }
        }
    }

    /// Returns how many connections to this server subscribe to the endings, this one included; `None` if it does not tell.
    async fn count_subscribers(&self, connection: &mut MultiplexedConnection) -> Option<u64> {
        let counts = cmd("PUBSUB").arg("NUMSUB").arg(&self.ending_channel).query_async(connection).await;
        let (_, count): (String, u64) = counts.ok()?;
        Some(count)
    }

    async fn connect_with_handler(
        &self,
        master: &Master,
        handler: impl Fn(PushInfo) -> Result<(), Infallible> + Send + Sync + 'static,
    ) -> Result<MultiplexedConnection, RedisError> {
        let connector = &self.topology.connector;
        let config = connector.config().set_push_sender(handler);
        connector.connect_for_pushes(&master.address, &config).await
    }

    /// Puts a gap into the feed when a master is gone: its last events may be lost.
    async fn watch_for_gone_masters(&self) -> Result<Infallible, String> {
        let mut changes = self.topology.changes();
        let mut known = self.topology.map().clone();
        while changes.changed().await.is_ok() {
            let map = self.topology.map().clone();
            let is_known = |old: &Arc<Master>| map.masters.iter().any(|master| master.address == old.address);
            if !known.masters.iter().all(is_known) {
                self.feed.push(FeedEntry::Gap);
            }
            known = map;
        }
        std::future::pending().await
    }
}

/// Returns the handler that the connection's driver calls for each push; it must not wait.
fn push_handler(
    sender: mpsc::Sender<Value>,
    arrived: Arc<ArrivedProbes>,
    broken: Arc<Notify>,
) -> impl Fn(PushInfo) -> Result<(), Infallible> {
    move |push| {
        match (push.kind, <[Value; 2]>::try_from(push.data)) {
            (PushKind::Message, Ok([channel, payload])) if !arrived.record(&channel, &payload) => {
                // If the channel is full, the gap of the next connection covers the lost message.
                sender.try_send(payload).unwrap_or_else(|_| broken.notify_one());
            }
            (PushKind::Disconnection, _) => broken.notify_one(),
            _ => {}
        }
        Ok(())
    }
}
