//! Asking Sentinels for the master, and hearing when it changes. `sentinel_votes` decides whether an answer counts.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::join_all;
use futures_util::stream::FuturesUnordered;
use redis::aio::ConnectionLike as _;
use redis::{Client, RedisError, Value, cmd, pipe};
use tokio::time::timeout;

use super::address::ServerAddress;
use super::connector::{Connector, RECONNECT_PAUSE};
use super::sentinel_votes::{NamedMaster, SentinelVote, SentinelVotes};
use crate::store::redis::errors::describe;

/// The pause between two proofs that a silent Sentinel is still connected.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// The channel on which Sentinels publish that they follow another master.
const SWITCH_CHANNEL: &str = "+switch-master";

/// The Sentinels that the URL lists. They are asked without a login and without TLS.
pub(crate) struct Sentinels {
    addresses: Vec<ServerAddress>,
    /// The master's name.
    name: String,
    known: Mutex<Option<NamedMaster>>,
}

impl Sentinels {
    pub(crate) fn new(mut addresses: Vec<ServerAddress>, name: &str) -> Self {
        addresses.sort();
        addresses.dedup();
        Self { addresses, name: name.to_owned(), known: Mutex::default() }
    }

    fn known(&self) -> MutexGuard<'_, Option<NamedMaster>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the master's address as soon as a majority agrees, without waiting for slow Sentinels.
    ///
    /// # Errors
    /// If no majority agrees, with the number of answers; or if the majority names a master of an older epoch.
    pub(crate) async fn ask(&self, connector: &Connector) -> Result<ServerAddress, String> {
        let connector = connector.anonymous();
        let known = self.known().clone();
        let mut answers: FuturesUnordered<_> =
            self.addresses.iter().map(|sentinel| ask_one(&connector, sentinel, &self.name)).collect();
        let mut votes = SentinelVotes::among(self.addresses.len());
        while let Some(answer) = answers.next().await {
            match answer {
                Ok(vote) => votes.count(vote),
                Err(failure) => votes.failure = Some(failure),
            }
            if let Some(named) = votes.elected(known.as_ref()) {
                *self.known() = Some(named.clone());
                return Ok(named.address);
            }
        }
        Err(votes.why_none(known.as_ref()))
    }

    /// Returns the master's `down-after-milliseconds`, as told by the first Sentinel that answers.
    pub(crate) async fn down_after_ms(&self, connector: &Connector) -> Option<u64> {
        let connector = connector.anonymous();
        let asked = self.addresses.iter().map(async |sentinel| {
            let mut connection = connector.connect(sentinel).await.ok()?;
            let ask = cmd("SENTINEL").arg("MASTER").arg(&self.name).to_owned();
            let fields: HashMap<String, String> = ask.query_async(&mut connection).await.ok()?;
            fields.get("down-after-milliseconds")?.parse().ok()
        });
        let mut answers: FuturesUnordered<_> = asked.collect();
        while let Some(answer) = answers.next().await {
            if answer.is_some() {
                return answer;
            }
        }
        None
    }

    /// Calls `changed` whenever a Sentinel follows another master, or may have done so while it was not heard.
    pub(crate) async fn watch(&self, connector: &Connector, changed: impl Fn()) -> Infallible {
        let connector = connector.anonymous();
        join_all(self.addresses.iter().map(async |sentinel| {
            loop {
                let Err(reason) = watch_one(&connector, sentinel, &changed).await;
                tracing::debug!(reason, %sentinel, "sentinel subscription lost");
                tokio::time::sleep(RECONNECT_PAUSE).await;
            }
        }))
        .await;
        std::future::pending().await
    }
}

/// Subscribes to one Sentinel, until the subscription breaks.
async fn watch_one(
    connector: &Connector,
    sentinel: &ServerAddress,
    changed: impl Fn(),
) -> Result<Infallible, String> {
    let silent = |_| "no answer in time".to_owned();
    let subscribe = async {
        let mut subscription = Client::open(connector.info(sentinel)?)?.get_async_pubsub().await?;
        subscription.subscribe(SWITCH_CHANNEL).await?;
        Ok(subscription)
    };
    let subscription = timeout(connector.timeout, subscribe).await.map_err(silent)?;
    let (mut sink, mut messages) = subscription.map_err(|error: RedisError| describe(&error))?.split();
    // A switch before the subscription was not heard.
    changed();
    loop {
        match timeout(HEARTBEAT, messages.next()).await {
            Ok(Some(_)) => changed(),
            Ok(None) => return Err("the Sentinel closed the connection".into()),
            Err(_) => {
                let answer = timeout(connector.timeout, sink.ping::<Value>()).await.map_err(silent)?;
                answer.map_err(|error| describe(&error))?;
            }
        }
    }
}

async fn ask_one(
    connector: &Connector,
    sentinel: &ServerAddress,
    name: &str,
) -> Result<SentinelVote, String> {
    let mut requests = pipe();
    // During a failover, this command names the new master earlier than the next one does.
    requests.cmd("SENTINEL").arg("GET-MASTER-ADDR-BY-NAME").arg(name);
    requests.cmd("SENTINEL").arg("MASTER").arg(name);
    requests.cmd("SENTINEL").arg("MYID");
    let ask = async {
        let mut connection = connector.connect(sentinel).await?;
        connection.req_packed_commands(&requests, 0, requests.len()).await
    };
    match timeout(connector.timeout, ask).await {
        Ok(Ok(answers)) => {
            SentinelVote::parse(&answers).ok_or_else(|| format!("{sentinel} knows no master {name}"))
        }
        Ok(Err(error)) => Err(format!("{sentinel}: {}", describe(&error))),
        Err(_) => Err(format!("{sentinel} does not answer")),
    }
}
