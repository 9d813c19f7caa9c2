//! Probes whether a Cluster's bus carries the other masters' messages to the server of the event connection.
//!
//! The bus may be cut, or the server removed from the Cluster, while the connection to the server is fine. So each round
//! publishes a probe at every other master, on a channel that only this connection subscribes to. If a probe does not
//! arrive, events do not arrive either. A bus link that broke and was made again between two rounds may have lost events.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use redis::aio::MultiplexedConnection;
use redis::{FromRedisValue as _, RedisResult, Value, cmd, pipe};
use tokio::time::timeout;

use crate::store::redis::cluster::master_map::Master;
use crate::store::redis::redis_store::RedisStore;

/// Rounds that a probe may take to arrive.
const PATIENCE: usize = 3;
/// The longest that publishing a probe may take; after that, the master counts as not probed.
const PUBLISH_TIMEOUT: Duration = Duration::from_secs(1);

/// The probes of one event connection.
pub(crate) struct BusProbes {
    channel: String,
    round: u64,
    /// The latest rounds, and the masters where their probes were published.
    pending: VecDeque<(u64, Vec<String>)>,
    arrived: Arc<ArrivedProbes>,
    links: BTreeSet<BusLink>,
}

/// A bus link that messages arrive over: the node at its other end, and when it was made.
type BusLink = (String, i64);

/// The probes that have arrived.
#[derive(Default)]
pub(crate) struct ArrivedProbes {
    channel: OnceLock<String>,
    /// The newest round of each master.
    rounds: Mutex<BTreeMap<String, u64>>,
}

impl ArrivedProbes {
    /// Records a message if it is a probe. Returns whether it is one.
    pub(crate) fn record(&self, channel: &Value, payload: &Value) -> bool {
        let (Value::BulkString(channel), Some(own)) = (channel, self.channel.get()) else { return false };
        if channel != own.as_bytes() {
            return false;
        }
        if let Value::BulkString(payload) = payload
            && let Ok(payload) = std::str::from_utf8(payload)
            && let Some((round, master)) = payload.split_once(' ')
            && let Ok(round) = round.parse()
        {
            self.rounds().insert(master.to_owned(), round);
        }
        true
    }

    fn rounds(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, u64>> {
        self.rounds.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl BusProbes {
    /// Subscribes to a channel of this connection's own. Returns `None` without a Cluster.
    pub(crate) async fn start(
        store: &RedisStore,
        connection: &mut MultiplexedConnection,
        arrived: Arc<ArrivedProbes>,
    ) -> RedisResult<Option<Self>> {
        if !store.topology.map().is_by_slot() {
            return Ok(None);
        }
        let mut own = pipe();
        own.cmd("CLUSTER").arg("MYID").cmd("CLIENT").arg("ID");
        let (node, client): (String, u64) = own.query_async(connection).await?;
        let channel = format!("{}:probe:{node}:{client}", store.event_channel);
        let _ = arrived.channel.set(channel.clone());
        connection.subscribe(&channel).await?;
        let links = inbound_links(connection).await.unwrap_or_default();
        Ok(Some(Self { channel, round: 0, pending: VecDeque::new(), arrived, links }))
    }

    /// Publishes the next probes. `subscribed_at` is the server of the event connection.
    ///
    /// # Errors
    /// A probe of an earlier round has not arrived.
    pub(crate) async fn publish_round(
        &mut self,
        store: &RedisStore,
        subscribed_at: &Master,
    ) -> Result<(), String> {
        self.round += 1;
        let mut others = store.masters_with_tokens();
        others.retain(|master| master.address != subscribed_at.address);
        let published = join_all(others.iter().map(|master| self.publish(store, master))).await;
        self.pending.push_back((self.round, published.into_iter().flatten().collect()));
        if self.pending.len() <= PATIENCE {
            return Ok(());
        }
        let Some((round, masters)) = self.pending.pop_front() else { return Ok(()) };
        let arrived = self.arrived.rounds();
        match masters.iter().find(|master| arrived.get(*master).is_none_or(|newest| *newest < round)) {
            Some(master) => Err(format!("messages published at {master} do not arrive")),
            None => Ok(()),
        }
    }

    /// Returns whether a link of the last round is gone.
    pub(crate) async fn has_lost_link(&mut self, connection: &mut MultiplexedConnection) -> bool {
        let Some(links) = inbound_links(connection).await else { return false };
        let before = std::mem::replace(&mut self.links, links);
        !before.is_subset(&self.links)
    }

    /// Publishes a probe at a master, and returns the master's address if it worked. A master that takes no writes publishes
    /// no events, so it needs no probe.
    async fn publish(&self, store: &RedisStore, master: &Master) -> Option<String> {
        let address = master.address.to_string();
        let mut probe = pipe();
        probe.cmd("DEL").arg(master.probe()).ignore();
        probe.cmd("PUBLISH").arg(&self.channel).arg(format!("{} {address}", self.round)).ignore();
        let publish = store.with_connection(async |c| probe.query_async::<()>(c).await);
        matches!(timeout(PUBLISH_TIMEOUT, publish).await, Ok(Ok(()))).then_some(address)
    }
}

/// Reads the bus links of the server; `None` if it does not tell.
async fn inbound_links(connection: &mut MultiplexedConnection) -> Option<BTreeSet<BusLink>> {
    let links: Vec<HashMap<String, Value>> =
        cmd("CLUSTER").arg("LINKS").query_async(connection).await.ok()?;
    let inbound = links.iter().filter_map(|link| {
        let text = |field: &str| String::from_redis_value_ref(link.get(field)?).ok();
        let made_at = i64::from_redis_value_ref(link.get("create-time")?).ok()?;
        (text("direction")? == "from").then_some((text("node")?, made_at))
    });
    Some(inbound.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probes_are_distinguished_from_events() {
        let arrived = ArrivedProbes::default();
        let bulk = |text: &str| Value::BulkString(text.into());
        assert!(!arrived.record(&bulk("own"), &bulk("1 a:1")), "before the channel is known");
        arrived.channel.set("own".into()).unwrap();
        assert!(!arrived.record(&bulk("other"), &bulk("1 a:1")));
        assert!(arrived.record(&bulk("own"), &bulk("7 a:1")));
        assert!(arrived.record(&bulk("own"), &bulk("not a probe")));
        assert_eq!(*arrived.rounds(), BTreeMap::from([("a:1".to_owned(), 7)]));
    }
}
