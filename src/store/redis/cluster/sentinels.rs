//! Asking Sentinels who the master is, and hearing when that changes.
//!
//! **A master is followed only when a majority of all listed Sentinels names it**, and its configuration epoch is not
//! older than that of the master known so far. One Sentinel that comes back with an old configuration, or lies, moves
//! nobody, however many of the others are silent. Without a majority the known master is kept; a node that knows none
//! yet waits.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::join_all;
use futures_util::stream::FuturesUnordered;
use redis::aio::ConnectionLike as _;
use redis::{Client, FromRedisValue as _, Value, cmd, pipe};
use tokio::time::timeout;

use super::endpoint::{Connector, ServerAddress};
use crate::store::redis::cluster::reconnect::RECONNECT_PAUSE;
use crate::store::redis::errors::describe;

/// The pause between two proofs that a silent Sentinel is still connected.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// What Sentinels publish when they follow another master.
const SWITCH_CHANNEL: &str = "+switch-master";

/// The Sentinels that the URL lists, without a login and without TLS.
pub(crate) struct Sentinels {
    addresses: Vec<ServerAddress>,
    /// The master's name.
    name: String,
    known: Mutex<Option<Named>>,
}

/// A master as Sentinels name it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Named {
    address: ServerAddress,
    /// Grows with every failover.
    epoch: u64,
}

/// The answer of one Sentinel.
struct Vote {
    /// The Sentinel's own id, the same behind each of its addresses; `None` before Redis 6.2.
    sentinel_id: Option<String>,
    named: Named,
}

impl Sentinels {
    pub(crate) fn new(mut addresses: Vec<ServerAddress>, name: &str) -> Self {
        addresses.sort();
        addresses.dedup();
        Self { addresses, name: name.to_owned(), known: Mutex::default() }
    }

    fn known(&self) -> MutexGuard<'_, Option<Named>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the master's address as soon as a majority agrees; slow Sentinels are not waited for.
    ///
    /// # Errors
    /// When there is no majority, with how many answered; or when the majority names a master of an older epoch.
    pub(crate) async fn ask(&self, connector: &Connector) -> Result<ServerAddress, String> {
        let connector = connector.anonymous();
        let known = self.known().clone();
        let mut answers: FuturesUnordered<_> =
            self.addresses.iter().map(|sentinel| ask_one(&connector, sentinel, &self.name)).collect();
        let mut votes = Votes::among(self.addresses.len());
        while let Some(answer) = answers.next().await {
            match answer {
                Ok(vote) => votes.count(vote),
                Err(failure) => votes.failure = Some(failure),
            }
            if let Some(named) = votes.elected()
                && !is_older(&named, known.as_ref())
            {
                *self.known() = Some(named.clone());
                return Ok(named.address);
            }
        }
        Err(votes.why_none(known.as_ref()))
    }

    /// The master's `down-after-milliseconds`, by the word of the first Sentinel that answers; silent ones are not
    /// waited for.
    pub(crate) async fn down_after_ms(&self, connector: &Connector) -> Option<u64> {
        let connector = connector.anonymous();
        let asked = self.addresses.iter().map(async |sentinel| {
            let mut connection = connector.connect(sentinel).await.ok()?;
            let ask = cmd("SENTINEL").arg("MASTER").arg(&self.name).to_owned();
            let known: HashMap<String, String> = ask.query_async(&mut connection).await.ok()?;
            known.get("down-after-milliseconds")?.parse().ok()
        });
        let mut answers: FuturesUnordered<_> = asked.collect();
        while let Some(answer) = answers.next().await {
            if answer.is_some() {
                return answer;
            }
        }
        None
    }

    /// Calls `changed` whenever a Sentinel follows another master, or may have done so unheard.
    pub(crate) async fn watch(&self, connector: &Connector, changed: impl Fn()) -> Infallible {
        let connector = connector.anonymous();
        join_all(self.addresses.iter().map(async |sentinel| {
            loop {
                let Err(reason) = hear(&connector, sentinel, &changed).await;
                tracing::debug!(reason, %sentinel, "sentinel subscription lost");
                tokio::time::sleep(RECONNECT_PAUSE).await;
            }
        }))
        .await;
        std::future::pending().await
    }
}

/// One subscription, until it breaks.
async fn hear(
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
    let (mut sink, mut messages) = subscription.map_err(|error: redis::RedisError| describe(&error))?.split();
    // A switch before the subscription was not heard.
    changed();
    loop {
        match timeout(HEARTBEAT, messages.next()).await {
            Ok(Some(_)) => changed(),
            Ok(None) => return Err("the Sentinel closed it".into()),
            Err(_) => {
                let answer = timeout(connector.timeout, sink.ping::<Value>()).await.map_err(silent)?;
                answer.map_err(|error| describe(&error))?;
            }
        }
    }
}

async fn ask_one(connector: &Connector, sentinel: &ServerAddress, name: &str) -> Result<Vote, String> {
    let mut questions = pipe();
    // During a failover the first one names the new master earlier.
    questions.cmd("SENTINEL").arg("GET-MASTER-ADDR-BY-NAME").arg(name);
    questions.cmd("SENTINEL").arg("MASTER").arg(name);
    questions.cmd("SENTINEL").arg("MYID");
    let ask = async {
        let mut connection = connector.connect(sentinel).await?;
        connection.req_packed_commands(&questions, 0, questions.len()).await
    };
    match timeout(connector.timeout, ask).await {
        Ok(Ok(answers)) => vote(&answers).ok_or_else(|| format!("{sentinel} knows no master {name}")),
        Ok(Err(error)) => Err(format!("{sentinel}: {}", describe(&error))),
        Err(_) => Err(format!("{sentinel} does not answer")),
    }
}

fn vote(answers: &[Value]) -> Option<Vote> {
    let (address, rest) = answers.split_first()?;
    let (host, port) = <(String, u16)>::from_redis_value_ref(address).ok()?;
    if host.is_empty() || port == 0 {
        return None;
    }
    let fields = rest.first().and_then(|fields| <HashMap<String, String>>::from_redis_value_ref(fields).ok());
    let epoch = fields.and_then(|fields| fields.get("config-epoch")?.parse().ok()).unwrap_or(0);
    let sentinel_id = rest.get(1).and_then(|id| match id {
        Value::BulkString(id) => String::from_utf8(id.clone()).ok(),
        _ => None,
    });
    Some(Vote { sentinel_id, named: Named { address: ServerAddress::tcp(&host, port), epoch } })
}

/// The votes of one round.
struct Votes {
    /// Sentinels that may vote: those listed, without further addresses of the same one.
    sentinels: usize,
    votes: Vec<Vote>,
    /// Why the last one that did not vote did not.
    failure: Option<String>,
}

impl Votes {
    fn among(sentinels: usize) -> Self {
        Self { sentinels, votes: Vec::new(), failure: None }
    }

    fn count(&mut self, vote: Vote) {
        let is_twice = |other: &Vote| vote.sentinel_id.is_some() && other.sentinel_id == vote.sentinel_id;
        if self.votes.iter().any(is_twice) {
            self.sentinels -= 1;
        } else {
            self.votes.push(vote);
        }
    }

    fn majority(&self) -> usize {
        self.sentinels / 2 + 1
    }

    /// The master that a majority names, with the epoch that a majority vouches for: one alone makes it neither newer
    /// nor older.
    fn elected(&self) -> Option<Named> {
        self.votes.iter().find_map(|vote| {
            let address = &vote.named.address;
            let of_it = self.votes.iter().filter(|other| other.named.address == *address);
            let mut epochs: Vec<_> = of_it.map(|vote| vote.named.epoch).collect();
            epochs.sort_unstable_by(|a, b| b.cmp(a));
            let epoch = *epochs.get(self.majority() - 1)?;
            Some(Named { address: address.clone(), epoch })
        })
    }

    fn why_none(&self, known: Option<&Named>) -> String {
        if let (Some(named), Some(known)) = (self.elected(), known) {
            let (address, epoch) = (&named.address, named.epoch);
            let Named { address: kept, epoch: newer } = known;
            return format!(
                "the Sentinels name {address} of epoch {epoch}, which is older than {kept} of epoch {newer}"
            );
        }
        let (answered, sentinels, majority) = (self.votes.len(), self.sentinels, self.majority());
        let agree =
            |vote: &Vote| self.votes.iter().filter(|other| other.named.address == vote.named.address).count();
        let agreed = self.votes.iter().map(agree).max().unwrap_or(0);
        let failure = self.failure.as_deref().map(|failure| format!(" ({failure})")).unwrap_or_default();
        format!(
            "{answered} of {sentinels} Sentinels answered, {agreed} of them agree on a master, {majority} must{failure}"
        )
    }
}

/// Whether following `named` would be a step back. The known master itself is never one.
fn is_older(named: &Named, known: Option<&Named>) -> bool {
    known.is_some_and(|known| known.address != named.address && named.epoch < known.epoch)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vote(id: &str, host: &str, epoch: u64) -> Vote {
        Vote { sentinel_id: Some(id.into()), named: named(host, epoch) }
    }

    fn named(host: &str, epoch: u64) -> Named {
        Named { address: ServerAddress::tcp(host, 1), epoch }
    }

    fn elected(sentinels: usize, votes: impl IntoIterator<Item = Vote>) -> Option<Named> {
        let mut counted = Votes::among(sentinels);
        votes.into_iter().for_each(|vote| counted.count(vote));
        counted.elected()
    }

    #[test]
    fn a_majority_of_all_listed_is_needed() {
        assert_eq!(elected(1, [vote("1", "a", 3)]), Some(named("a", 3)));
        assert_eq!(elected(2, [vote("1", "a", 3)]), None);
        assert_eq!(elected(3, [vote("1", "a", 3)]), None);
        assert_eq!(elected(3, [vote("1", "a", 3), vote("2", "b", 4)]), None);
        assert_eq!(
            elected(3, [vote("1", "b", 3), vote("2", "a", 3), vote("3", "a", 3)]),
            Some(named("a", 3))
        );
        assert_eq!(elected(4, [vote("1", "a", 3), vote("2", "a", 3)]), None);
    }

    #[test]
    fn one_sentinel_alone_does_not_make_the_epoch() {
        assert_eq!(elected(3, [vote("1", "a", 900), vote("2", "a", 3)]), Some(named("a", 3)));
        let all = [vote("1", "a", 3), vote("2", "a", 0), vote("3", "a", 3)];
        assert_eq!(elected(3, all), Some(named("a", 3)));
    }

    #[test]
    fn a_sentinel_listed_twice_has_one_vote() {
        let votes = || [vote("1", "a", 3), vote("1", "a", 3)];
        assert_eq!(elected(4, votes()), None);
        assert_eq!(elected(4, votes().into_iter().chain([vote("2", "a", 3)])), Some(named("a", 3)));
    }

    #[test]
    fn no_master_of_an_older_epoch_is_followed() {
        assert!(!is_older(&named("a", 0), None));
        assert!(is_older(&named("a", 1), Some(&named("b", 2))));
        assert!(!is_older(&named("a", 2), Some(&named("b", 2))));
        assert!(!is_older(&named("b", 1), Some(&named("b", 2))));
    }

    #[test]
    fn the_answers_of_a_sentinel_are_read() {
        let bulk = |text: &str| Value::BulkString(text.into());
        let address = |host: &str, port: &str| Value::Array(vec![bulk(host), bulk(port)]);
        let fields = Value::Array(["name", "sessions", "config-epoch", "7"].map(bulk).to_vec());
        let read = super::vote(&[address("::1", "6379"), fields, bulk("id")]).unwrap();
        assert_eq!(read.named, Named { address: ServerAddress::tcp("::1", 6379), epoch: 7 });
        assert_eq!(read.sentinel_id.as_deref(), Some("id"));
        let read = super::vote(&[address("a", "1"), Value::Nil, Value::Nil]).unwrap();
        assert_eq!((read.named.epoch, read.sentinel_id), (0, None));
        for other in [Value::Nil, address("", "1"), address("a", "0"), address("a", "70000"), bulk("a")] {
            assert!(super::vote(&[other, Value::Nil, Value::Nil]).is_none());
        }
    }
}
