//! What happened to a user; written and told by the scripts that made it happen (lua/prelude.lua).
//!
//! The feed is heard over a connection of its own. On a Cluster a message reaches every node of it, over the cluster's
//! bus, so one connection to any of them hears all ([`BusProbes`] find out where that fails).
//!
//! **A gap is put into the feed whenever events may be missing**: with each new connection, and when a master has gone,
//! because it may have taken its last messages along. The connection goes elsewhere when its server is none of the
//! masters any more or refuses a write.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{PushInfo, PushKind, RedisError, Value, cmd};
use tokio::sync::{Notify, mpsc};

use super::bus_probes::{Arrived, BusProbes};
use crate::model::event::Event;
use crate::store::error::StoreError;
use crate::store::feed::Told;
use crate::store::redis::cluster::authority;
use crate::store::redis::cluster::connector::RECONNECT_PAUSE;
use crate::store::redis::cluster::master::Master;
use crate::store::redis::errors::describe;
use crate::store::redis::redis_store::RedisStore;
use crate::store::redis::schema::codec::event as codec;
use crate::token_string::HashTag;

/// Messages that wait to be taken; when there are more the connection is given up, which readers are told of.
const PUSHES: usize = 10_000;
/// The pause between two proofs that the server still answers as a master.
const HEARTBEAT: Duration = Duration::from_millis(500);

impl RedisStore {
    pub(crate) async fn user_events(&self, user: &str, now_ms: u64) -> Result<Vec<Event>, StoreError> {
        let _turn = self.listing().await?;
        let shard = HashTag::of_user(user);
        let range = cmd("LRANGE").arg(self.keys.events(user)).arg(0).arg(-1).to_owned();
        let packed: Vec<Vec<u8>> = self.with_connection(async |c| range.query_async(c).await).await?;
        let is_kept = |event: &Event| event.at_ms.saturating_add(self.limits.event_retention_ms) > now_ms;
        Ok(packed.iter().filter_map(|packed| codec::event(shard, packed)).filter(is_kept).collect())
    }

    /// The worker that fills the feed. Ends with its runtime.
    pub(crate) async fn hear_events(&self) -> Infallible {
        // Each time another master: the first may be the one that is away.
        for attempt in 0.. {
            let Err(reason) = self.hear_some_events(attempt).await;
            tracing::debug!(reason, "event connection lost");
            tokio::time::sleep(RECONNECT_PAUSE).await;
        }
        std::future::pending().await
    }

    /// One connection, until it breaks, says nothing any more, or does not hear of everything.
    async fn hear_some_events(&self, attempt: usize) -> Result<Infallible, String> {
        let masters = self.masters_with_tokens();
        let master = masters.get(attempt % masters.len().max(1)).ok_or("no server is known")?;
        let (pushes, mut pushed) = mpsc::channel(PUSHES);
        let broken = Arc::new(Notify::new());
        let arrived = Arc::new(Arrived::default());
        let handler = push_handler(pushes, arrived.clone(), broken.clone());
        let mut connection = self.connect_to_hear(master, handler).await.map_err(described)?;
        authority::prove(master, &mut connection, true).await?;
        let mut probes = BusProbes::start(self, &mut connection, arrived).await.map_err(described)?;
        connection.subscribe(&self.event_channel).await.map_err(described)?;
        // What was told before this is unknown here.
        self.feed.tell(Told::Gap);
        let beat = async {
            loop {
                tokio::time::sleep(HEARTBEAT).await;
                authority::prove(master, &mut connection, true).await?;
                if let Some(probes) = &mut probes {
                    probes.round(self, master).await?;
                    if probes.has_lost_link(&mut connection).await {
                        self.feed.tell(Told::Gap);
                        self.topology.refresh_soon();
                    }
                }
            }
        };
        let take = async {
            while let Some(payload) = pushed.recv().await {
                if let Some((user, event)) = codec::message(&payload) {
                    self.feed.tell(Told::Event(user, event));
                }
            }
        };
        tokio::select! {
            lost = beat => lost,
            () = take => Err("the connection ended".into()),
            () = broken.notified() => Err("it was closed, or told more than could be taken".into()),
            () = self.topology.wait_until_gone(master) => Err("its server is no master any more".into()),
            never = self.tell_of_gone_masters() => never,
        }
    }

    pub(crate) fn masters_with_tokens(&self) -> Vec<Arc<Master>> {
        let map = self.topology.map();
        map.masters.iter().filter(|master| master.may_have_tokens()).cloned().collect()
    }

    async fn connect_to_hear(
        &self,
        master: &Master,
        handler: impl Fn(PushInfo) -> Result<(), Infallible> + Send + Sync + 'static,
    ) -> Result<MultiplexedConnection, RedisError> {
        let connector = &self.topology.connector;
        let config = connector.config().set_push_sender(handler);
        connector.connect_for_pushes(&master.address, &config).await
    }

    /// Events that a master published last may have died with it.
    async fn tell_of_gone_masters(&self) -> Result<Infallible, String> {
        let mut changes = self.topology.changes();
        let mut known = self.topology.map().clone();
        while changes.changed().await.is_ok() {
            let map = self.topology.map().clone();
            let is_there =
                |gone: &Arc<Master>| map.masters.iter().any(|master| master.address == gone.address);
            if !known.masters.iter().all(is_there) {
                self.feed.tell(Told::Gap);
            }
            known = map;
        }
        std::future::pending().await
    }
}

fn described(error: RedisError) -> String {
    describe(&error)
}

/// Called by the connection's driver, so it must not wait.
fn push_handler(
    pushes: mpsc::Sender<Value>,
    arrived: Arc<Arrived>,
    broken: Arc<Notify>,
) -> impl Fn(PushInfo) -> Result<(), Infallible> {
    move |push| {
        match (push.kind, <[Value; 2]>::try_from(push.data)) {
            (PushKind::Message, Ok([channel, payload])) if !arrived.takes(&channel, &payload) => {
                // Full: what is thrown away is covered by the gap of the next connection.
                pushes.try_send(payload).unwrap_or_else(|_| broken.notify_one());
            }
            (PushKind::Disconnection, _) => broken.notify_one(),
            _ => {}
        }
        Ok(())
    }
}
