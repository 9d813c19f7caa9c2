//! The votes of Sentinels: which master a majority names.
//!
//! **A master is followed only if a majority of all listed Sentinels names it**, and its configuration epoch is not older
//! than the known master's. A single Sentinel that returns with an old configuration, or lies, changes nothing,
//! however many of the others are silent. Without a majority the known master is kept. A node that knows none waits.

use std::collections::HashMap;

use redis::{FromRedisValue as _, Value};

use super::address::ServerAddress;

/// A master as Sentinels name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NamedMaster {
    pub(crate) address: ServerAddress,
    /// Grows with every failover.
    epoch: u64,
}

impl NamedMaster {
    /// Returns whether following this master instead of `known` would be a step back. The known master itself never is.
    fn is_older_than(&self, known: Option<&Self>) -> bool {
        known.is_some_and(|known| known.address != self.address && self.epoch < known.epoch)
    }
}

/// The answer of one Sentinel.
pub(crate) struct SentinelVote {
    /// The Sentinel's own id, the same at each of its addresses; `None` before Redis 6.2.
    sentinel_id: Option<String>,
    named: NamedMaster,
}

impl SentinelVote {
    /// Parses the answers to `GET-MASTER-ADDR-BY-NAME`, `MASTER` and `MYID`; `None` if the Sentinel knows no such master.
    pub(crate) fn parse(answers: &[Value]) -> Option<Self> {
        let (address, rest) = answers.split_first()?;
        let (host, port) = <(String, u16)>::from_redis_value_ref(address).ok()?;
        if host.is_empty() || port == 0 {
            return None;
        }
        let fields =
            rest.first().and_then(|fields| <HashMap<String, String>>::from_redis_value_ref(fields).ok());
        let epoch = fields.and_then(|fields| fields.get("config-epoch")?.parse().ok()).unwrap_or(0);
        let sentinel_id = rest.get(1).and_then(|id| match id {
            Value::BulkString(id) => String::from_utf8(id.clone()).ok(),
            _ => None,
        });
        Some(Self { sentinel_id, named: NamedMaster { address: ServerAddress::tcp(&host, port), epoch } })
    }
}

/// The votes of one round.
pub(crate) struct SentinelVotes {
    /// Sentinels that may vote: those listed, without further addresses of the same Sentinel.
    sentinels: usize,
    votes: Vec<SentinelVote>,
    /// The last failure to get a vote.
    pub(crate) failure: Option<String>,
}

impl SentinelVotes {
    pub(crate) fn among(sentinels: usize) -> Self {
        Self { sentinels, votes: Vec::new(), failure: None }
    }

    pub(crate) fn count(&mut self, vote: SentinelVote) {
        let is_same =
            |other: &SentinelVote| vote.sentinel_id.is_some() && other.sentinel_id == vote.sentinel_id;
        if self.votes.iter().any(is_same) {
            self.sentinels -= 1;
        } else {
            self.votes.push(vote);
        }
    }

    fn majority(&self) -> usize {
        self.sentinels / 2 + 1
    }

    /// Returns the master that a majority names, with the epoch that a majority vouches for: one Sentinel alone makes it
    /// neither newer nor older.
    fn named_by_majority(&self) -> Option<NamedMaster> {
        self.votes.iter().find_map(|vote| {
            let address = &vote.named.address;
            let for_it = self.votes.iter().filter(|other| other.named.address == *address);
            let mut epochs: Vec<_> = for_it.map(|vote| vote.named.epoch).collect();
            epochs.sort_unstable_by(|a, b| b.cmp(a));
            let epoch = *epochs.get(self.majority() - 1)?;
            Some(NamedMaster { address: address.clone(), epoch })
        })
    }

    /// Returns the master to follow: a majority names it, and it is not older than the known one.
    pub(crate) fn elected(&self, known: Option<&NamedMaster>) -> Option<NamedMaster> {
        self.named_by_majority().filter(|named| !named.is_older_than(known))
    }

    /// Returns why no master was elected.
    pub(crate) fn why_none(&self, known: Option<&NamedMaster>) -> String {
        if let (Some(named), Some(known)) = (self.named_by_majority(), known) {
            let (address, epoch) = (&named.address, named.epoch);
            let NamedMaster { address: kept, epoch: newer } = known;
            return format!(
                "the Sentinels name {address} of epoch {epoch}, which is older than {kept} of epoch {newer}"
            );
        }
        let (answered, sentinels, majority) = (self.votes.len(), self.sentinels, self.majority());
        let count = |vote: &SentinelVote| {
            self.votes.iter().filter(|other| other.named.address == vote.named.address).count()
        };
        let agreed = self.votes.iter().map(count).max().unwrap_or(0);
        let failure = self.failure.as_deref().map(|failure| format!(" ({failure})")).unwrap_or_default();
        format!(
            "{answered} of {sentinels} Sentinels answered, {agreed} of them agree on a master, {majority} must{failure}"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vote(id: &str, host: &str, epoch: u64) -> SentinelVote {
        SentinelVote { sentinel_id: Some(id.into()), named: named(host, epoch) }
    }

    fn named(host: &str, epoch: u64) -> NamedMaster {
        NamedMaster { address: ServerAddress::tcp(host, 1), epoch }
    }

    fn elected(sentinels: usize, votes: impl IntoIterator<Item = SentinelVote>) -> Option<NamedMaster> {
        let mut counted = SentinelVotes::among(sentinels);
        votes.into_iter().for_each(|vote| counted.count(vote));
        counted.elected(None)
    }

    #[test]
    fn a_majority_of_all_listed_sentinels_is_needed() {
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
    fn one_sentinel_alone_does_not_set_the_epoch() {
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
    fn a_master_of_an_older_epoch_is_not_followed() {
        assert!(!named("a", 0).is_older_than(None));
        assert!(named("a", 1).is_older_than(Some(&named("b", 2))));
        assert!(!named("a", 2).is_older_than(Some(&named("b", 2))));
        assert!(!named("b", 1).is_older_than(Some(&named("b", 2))));
    }

    #[test]
    fn the_answers_of_a_sentinel_are_parsed() {
        let bulk = |text: &str| Value::BulkString(text.into());
        let address = |host: &str, port: &str| Value::Array(vec![bulk(host), bulk(port)]);
        let fields = Value::Array(["name", "sessions", "config-epoch", "7"].map(bulk).to_vec());
        let vote = SentinelVote::parse(&[address("::1", "6379"), fields, bulk("id")]).unwrap();
        assert_eq!(vote.named, NamedMaster { address: ServerAddress::tcp("::1", 6379), epoch: 7 });
        assert_eq!(vote.sentinel_id.as_deref(), Some("id"));
        let vote = SentinelVote::parse(&[address("a", "1"), Value::Nil, Value::Nil]).unwrap();
        assert_eq!((vote.named.epoch, vote.sentinel_id), (0, None));
        for other in [Value::Nil, address("", "1"), address("a", "0"), address("a", "70000"), bulk("a")] {
            assert!(SentinelVote::parse(&[other, Value::Nil, Value::Nil]).is_none());
        }
    }
}
