//! What happened to a user; written and told by the scripts that made it happen (lua/prelude.lua).
//!
//! The feed is heard over a connection of its own. On a Cluster a message reaches every node of it, over the cluster's
//! bus, so one connection to any of them hears all.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use redis::{Client, ProtocolVersion, PushInfo, PushKind, cmd};
use tokio::sync::{Notify, mpsc};

use super::codec::event as codec;
use super::pipe::RECONNECT_PAUSE;
use super::{RedisStore, describe};
use crate::event::Event;
use crate::feed::Told;
use crate::secret::ShardTag;
use crate::store::StoreError;

impl RedisStore {
    pub(in crate::store) async fn user_events(
        &self,
        user: &str,
        now_ms: u64,
    ) -> Result<Vec<Event>, StoreError> {
        let shard = ShardTag::of_user(user);
        let range = cmd("LRANGE").arg(self.keys.events(user)).arg(0).arg(-1).to_owned();
        let packed: Vec<Vec<u8>> = self.with_connection(async |c| range.query_async(c).await).await?;
        let is_kept = |event: &Event| event.at_ms.saturating_add(self.limits.event_retention_ms) > now_ms;
        Ok(packed.iter().filter_map(|packed| codec::event(shard, packed)).filter(is_kept).collect())
    }

    /// The worker that fills the feed. Ends with its runtime.
    pub(in crate::store) async fn hear_events(&self) -> Infallible {
        // Each time another master: the first may be the one that is away.
        for attempt in 0.. {
            let Err(reason) = self.hear_some_events(attempt).await;
            tracing::debug!(reason, "the connection for events was lost");
            tokio::time::sleep(RECONNECT_PAUSE).await;
        }
        std::future::pending().await
    }

    /// One connection, until it breaks or says nothing any more.
    async fn hear_some_events(&self, attempt: usize) -> Result<Infallible, String> {
        let described = |error| describe(&error);
        let map = self.topology.map().clone();
        let master = map.masters.get(attempt % map.masters.len().max(1));
        let address = master.map(|master| &master.address).ok_or("no server is known")?;
        let (pushes, mut pushed) = mpsc::channel(PUSHES);
        let broken = Arc::new(Notify::new());
        let link = &self.topology.link;
        let config = link.limits().set_push_sender(push_handler(pushes, broken.clone()));
        let settings = link.login().clone().set_protocol(ProtocolVersion::RESP3);
        let info = link.info(address).map_err(described)?.set_redis_settings(settings);
        let client = Client::open(info).map_err(described)?;
        let mut connection =
            client.get_multiplexed_async_connection_with_config(&config).await.map_err(described)?;
        connection.subscribe(&self.event_channel).await.map_err(described)?;
        // What was told before this is unknown here.
        self.feed.tell(Told::Gap);
        let beat = async {
            loop {
                tokio::time::sleep(HEARTBEAT).await;
                if let Err(error) = cmd("PING").exec_async(&mut connection).await {
                    return describe(&error);
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
            reason = beat => Err(reason),
            () = take => Err("the connection ended".into()),
            () = broken.notified() => Err("it was closed, or told more than could be taken".into()),
        }
    }
}

/// Messages that wait to be taken; when there are more the connection is given up, which readers are told of.
const PUSHES: usize = 10_000;
/// A connection that fails to answer in the middle of silence is dead.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// Called by the connection's driver, so it must not wait.
fn push_handler(
    pushes: mpsc::Sender<redis::Value>,
    broken: Arc<Notify>,
) -> impl Fn(PushInfo) -> Result<(), Infallible> {
    move |mut push| {
        match push.kind {
            PushKind::Message if push.data.pop().is_some_and(|payload| pushes.try_send(payload).is_err()) => {
                broken.notify_one();
            }
            PushKind::Disconnection => broken.notify_one(),
            _ => {}
        }
        Ok(())
    }
}
