//! Whether a cluster's bus carries the other masters' messages to the server of the event connection.
//!
//! The bus may be cut, or the server removed from the cluster, while the connection to it is fine. So each round a probe
//! is published at every other master, on a channel that only this connection listens to. If a probe does not arrive,
//! events do not either. A link of the bus that broke and was made anew between two rounds may have lost some.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use redis::aio::MultiplexedConnection;
use redis::{FromRedisValue as _, RedisResult, Value, cmd, pipe};
use tokio::time::timeout;

use crate::store::redis::cluster::master::Master;
use crate::store::redis::redis_store::RedisStore;

/// A probe may take so many rounds.
const PATIENCE: usize = 3;
/// A master that does not take the probe within this has not been probed.
const PUBLISH_TIMEOUT: Duration = Duration::from_secs(1);

/// The probes of one event connection.
pub(crate) struct BusProbes {
    channel: String,
    round: u64,
    /// The rounds that are waited for, and the masters where their probes were published.
    under_way: VecDeque<(u64, Vec<String>)>,
    arrived: Arc<Arrived>,
    links: BTreeSet<Link>,
}

/// A link that messages arrive over: the node at its other end, and when it was made.
type Link = (String, i64);

/// The probes that have arrived.
#[derive(Default)]
pub(crate) struct Arrived {
    channel: OnceLock<String>,
    /// The newest round of each master.
    rounds: Mutex<BTreeMap<String, u64>>,
}

impl Arrived {
    /// Notes a message if it is a probe, and returns whether it is.
    pub(crate) fn takes(&self, channel: &Value, payload: &Value) -> bool {
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
    /// Subscribes to a channel of this connection's own; `None` where there is no cluster.
    pub(crate) async fn start(
        store: &RedisStore,
        connection: &mut MultiplexedConnection,
        arrived: Arc<Arrived>,
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
        Ok(Some(Self { channel, round: 0, under_way: VecDeque::new(), arrived, links }))
    }

    /// Publishes the next probes.
    ///
    /// # Errors
    /// When one of an earlier round has not arrived at `heard_at`.
    pub(crate) async fn round(&mut self, store: &RedisStore, heard_at: &Master) -> Result<(), String> {
        self.round += 1;
        let mut others = store.masters_with_tokens();
        others.retain(|master| master.address != heard_at.address);
        let published = join_all(others.iter().map(|master| self.publish(store, master))).await;
        self.under_way.push_back((self.round, published.into_iter().flatten().collect()));
        if self.under_way.len() <= PATIENCE {
            return Ok(());
        }
        let Some((round, masters)) = self.under_way.pop_front() else { return Ok(()) };
        let arrived = self.arrived.rounds();
        match masters.iter().find(|master| arrived.get(*master).is_none_or(|newest| *newest < round)) {
            Some(master) => Err(format!("messages published at {master} do not arrive")),
            None => Ok(()),
        }
    }

    /// Whether a link that there was is not there any more.
    pub(crate) async fn has_lost_link(&mut self, connection: &mut MultiplexedConnection) -> bool {
        let Some(links) = inbound_links(connection).await else { return false };
        let before = std::mem::replace(&mut self.links, links);
        !before.is_subset(&self.links)
    }

    /// Gives the master if the probe was published there. A master that takes no writes publishes no events, so it needs
    /// no probe.
    async fn publish(&self, store: &RedisStore, master: &Master) -> Option<String> {
        let address = master.address.to_string();
        let mut probe = pipe();
        probe.cmd("DEL").arg(master.probe()).ignore();
        probe.cmd("PUBLISH").arg(&self.channel).arg(format!("{} {address}", self.round)).ignore();
        let publish = store.with_connection(async |c| probe.query_async::<()>(c).await);
        matches!(timeout(PUBLISH_TIMEOUT, publish).await, Ok(Ok(()))).then_some(address)
    }
}

/// `None` where the server does not tell.
async fn inbound_links(connection: &mut MultiplexedConnection) -> Option<BTreeSet<Link>> {
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
    fn probes_are_told_from_events() {
        let arrived = Arrived::default();
        let bulk = |text: &str| Value::BulkString(text.into());
        assert!(!arrived.takes(&bulk("own"), &bulk("1 a:1")), "before there is a channel");
        arrived.channel.set("own".into()).unwrap();
        assert!(!arrived.takes(&bulk("other"), &bulk("1 a:1")));
        assert!(arrived.takes(&bulk("own"), &bulk("7 a:1")));
        assert!(arrived.takes(&bulk("own"), &bulk("not a probe")));
        assert_eq!(*arrived.rounds(), BTreeMap::from([("a:1".to_owned(), 7)]));
    }
}
