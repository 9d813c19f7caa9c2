//! Asking the nodes of a Cluster which master has which slots.
//!
//! **Only the known cluster is believed.** A node may have left it for another one, and answers from there. So the known
//! masters are asked first; replicas, which take over when all masters die, and the seeds of the URL only if those fail.
//! An answer that shares no further node with the known cluster is refused and logged. One with an older epoch, or of a
//! node without the others, counts only if there is no better one.

use super::members::ASKED_AT_ONCE;
use super::slot_ranges::{SlotRange, slot_ranges};
use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures_util::StreamExt as _;
use futures_util::future::join_all;
use futures_util::stream::FuturesUnordered;
use redis::{RedisError, Value, pipe};
use tokio::time::timeout;

use super::endpoint::{Connector, ServerAddress};
use super::members::{ClusterView, Members, ViewWorth};
use crate::store::redis::errors::{describe, first_error};

/// While none of them answers, a further one is asked so often within the timeout.
pub(crate) const FURTHER_PER_TIMEOUT: u32 = 8;

/// Seeds that tell of the same cluster.
pub(crate) struct SeedGroup {
    node_ids: BTreeSet<String>,
    seeds: usize,
    /// The newest one.
    view: ClusterView,
}

/// The Cluster of the URL.
pub(crate) struct ClusterDiscovery {
    seeds: Vec<ServerAddress>,
    members: Mutex<Members>,
    /// The nodes that answered from another cluster. Each is logged once.
    strangers: Mutex<BTreeSet<ServerAddress>>,
}

impl ClusterDiscovery {
    pub(crate) fn new(mut seeds: Vec<ServerAddress>) -> Self {
        seeds.sort();
        seeds.dedup();
        Self { seeds, members: Mutex::default(), strangers: Mutex::default() }
    }

    /// The nodes that the URL names.
    pub(crate) fn seeds(&self) -> &[ServerAddress] {
        &self.seeds
    }

    fn members(&self) -> MutexGuard<'_, Members> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns who has which slots; which nodes are asked first changes with `round`.
    ///
    /// # Errors
    /// When no node gives an answer that can be believed.
    pub(crate) async fn ask(&self, connector: &Connector, round: u64) -> Result<Vec<SlotRange>, String> {
        let members = self.members().clone();
        let view = if members.node_ids.is_empty() {
            self.first_view(connector).await?
        } else {
            let candidates = members.candidates(&self.seeds, round);
            let mut second_best = None;
            let ask = self.next_view(connector, &members, candidates, &mut second_best);
            match timeout(connector.timeout, ask).await {
                Ok(Ok(view)) => view,
                Ok(Err(reason)) => second_best.ok_or(reason)?,
                Err(_) => second_best.ok_or("no node of the cluster answers in time")?,
            }
        };
        *self.members() = Members::of(&view).remembering(members);
        Ok(view.ranges)
    }

    /// The first good view.
    async fn next_view(
        &self,
        connector: &Connector,
        members: &Members,
        candidates: Vec<ServerAddress>,
        second_best: &mut Option<ClusterView>,
    ) -> Result<ClusterView, String> {
        let mut candidates = candidates.into_iter();
        let ask = async |node: ServerAddress| (ask_node(connector, &node).await, node);
        let mut answers: FuturesUnordered<_> = candidates.by_ref().take(ASKED_AT_ONCE).map(ask).collect();
        let mut failure = "no nodes to ask".to_owned();
        while !answers.is_empty() {
            match timeout(connector.timeout / FURTHER_PER_TIMEOUT, answers.next()).await {
                Ok(Some((Ok(view), node))) => match self.judge(&node, &view, members) {
                    ViewWorth::Good => return Ok(view),
                    ViewWorth::SecondBest => *second_best = Some(view),
                    ViewWorth::Foreign => failure = format!("{node} belongs to another cluster"),
                },
                Ok(Some((Err(other), _))) => failure = other,
                Ok(None) | Err(_) => {}
            }
            answers.extend(candidates.next().map(ask));
        }
        Err(failure)
    }

    /// Nothing is known yet: all seeds are asked, and the cluster that most of those that answer belong to is it.
    async fn first_view(&self, connector: &Connector) -> Result<ClusterView, String> {
        let mut answers: FuturesUnordered<_> =
            self.seeds.iter().map(|seed| ask_node(connector, seed)).collect();
        let mut groups: Vec<SeedGroup> = Vec::new();
        let mut failure = None;
        while let Some(answer) = answers.next().await {
            match answer {
                Ok(view) => add(&mut groups, view),
                Err(other) => failure = Some(other),
            }
            if let Some(group) = groups.iter().find(|group| group.seeds > self.seeds.len() / 2) {
                return Ok(group.view.clone());
            }
        }
        groups.sort_by_key(|group| std::cmp::Reverse(group.seeds));
        match &groups[..] {
            [] => Err(failure.unwrap_or_else(|| "no seeds to ask".into())),
            [first, second, ..] if first.seeds == second.seeds => {
                Err("the seeds belong to different clusters, as many to one as to another".into())
            }
            [first, ..] => Ok(first.view.clone()),
        }
    }

    /// Logs the seeds that belong to another cluster: while the known masters answer nobody else would ask them.
    pub(crate) async fn check_seeds(&self, connector: &Connector) {
        let members = self.members().clone();
        if members.node_ids.is_empty() {
            return;
        }
        let strays = self.seeds.iter().filter(|seed| !members.have(seed));
        join_all(strays.map(async |seed| {
            if let Ok(view) = ask_node(connector, seed).await {
                self.judge(seed, &view, &members);
            }
        }))
        .await;
    }

    /// [`Members::judge`], with a log line when a node turns out to be a stranger.
    fn judge(&self, node: &ServerAddress, view: &ClusterView, members: &Members) -> ViewWorth {
        let worth = members.judge(view);
        let mut strangers = self.strangers.lock().unwrap_or_else(PoisonError::into_inner);
        if worth != ViewWorth::Foreign {
            strangers.remove(node);
        } else if strangers.insert(node.clone()) {
            tracing::warn!(%node, "cluster view refused: the node belongs to another cluster");
        }
        worth
    }
}

pub(crate) fn add(groups: &mut Vec<SeedGroup>, view: ClusterView) {
    let node_ids = view.node_ids();
    match groups.iter_mut().find(|group| !group.node_ids.is_disjoint(&node_ids)) {
        Some(group) => {
            group.seeds += 1;
            group.node_ids.extend(node_ids);
            if view.epoch > group.view.epoch {
                group.view = view;
            }
        }
        None => groups.push(SeedGroup { node_ids, seeds: 1, view }),
    }
}

/// A node that has lost touch with the others says so, and its word does not count.
pub(crate) async fn ask_node(connector: &Connector, node: &ServerAddress) -> Result<ClusterView, String> {
    let mut questions = pipe();
    questions.cmd("CLUSTER").arg("INFO").cmd("CLUSTER").arg("MYID").cmd("CLUSTER").arg("SLOTS");
    let ask = async { questions.query_async(&mut connector.connect(node).await?).await };
    let answer = timeout(connector.timeout, ask).await.map_err(|_| format!("{node} does not answer"))?;
    let (info, own_id, slots): (String, String, Value) =
        answer.map_err(|error| format!("{node}: {}", why_no_answer(error)))?;
    let field = |name: &str| info.lines().find_map(|line| line.trim().strip_prefix(name));
    if field("cluster_state:") != Some("ok") {
        return Err(format!("{node} says that the cluster is down"));
    }
    let epoch = field("cluster_current_epoch:").and_then(|epoch| epoch.parse().ok()).unwrap_or(0);
    let ranges =
        slot_ranges(&slots, node).ok_or_else(|| format!("{node} gives slots of an unexpected form"))?;
    if ranges.is_empty() {
        return Err(format!("{node} knows no master of any slot"));
    }
    Ok(ClusterView { own_id, epoch, ranges })
}

pub(crate) fn why_no_answer(error: RedisError) -> String {
    let error = first_error(error);
    let is_single = error.detail().is_some_and(|text| text.contains("cluster support disabled"));
    if is_single {
        "the server belongs to no Cluster: redis:// instead of redis+cluster://".into()
    } else {
        describe(&error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::redis::cluster::members::tests::view;

    fn bulk(text: &str) -> Value {
        Value::BulkString(text.into())
    }

    fn range(first: i64, last: i64, host: Value, port: i64) -> Value {
        let master = Value::Array(vec![host, Value::Int(port), bulk("id"), Value::Array(vec![])]);
        let replica = Value::Array(vec![bulk("other"), Value::Int(1), bulk("other id")]);
        Value::Array(vec![Value::Int(first), Value::Int(last), master, replica])
    }

    #[test]
    fn the_answer_to_cluster_slots_is_read() {
        let asked = ServerAddress::tcp("asked", 1);
        let answer = Value::Array(vec![
            range(0, 5, bulk("10.0.0.1"), 7000),
            range(6, 16_383, Value::Nil, 7001),
            range(7, 7, bulk(""), 7002),
        ]);
        let ranges = slot_ranges(&answer, &asked).unwrap();
        let read: Vec<_> = ranges.iter().map(|r| (r.first, r.last, r.address.to_string())).collect();
        let expected = [(0, 5, "10.0.0.1:7000"), (6, 16_383, "asked:7001"), (7, 7, "asked:7002")]
            .map(|(f, l, a)| (f, l, a.to_owned()));
        assert_eq!(read, expected);
        assert_eq!(ranges[0].node_id, "id");
        assert_eq!(ranges[0].replicas, [(ServerAddress::tcp("other", 1), "other id".into())]);
    }

    #[test]
    fn other_forms_are_none() {
        let asked = ServerAddress::tcp("asked", 1);
        for answer in [
            Value::Nil,
            Value::Array(vec![Value::Nil]),
            Value::Array(vec![Value::Array(vec![])]),
            Value::Array(vec![range(-1, 5, bulk("a"), 1)]),
            Value::Array(vec![range(0, 70_000, bulk("a"), 1)]),
            Value::Array(vec![range(0, 5, bulk("a"), 70_000)]),
            Value::Array(vec![range(0, 5, Value::Int(1), 1)]),
        ] {
            assert_eq!(slot_ranges(&answer, &asked), None, "{answer:?}");
        }
    }

    #[test]
    fn seeds_are_grouped_by_their_cluster() {
        let mut groups = Vec::new();
        for seed in [view(1, &["a", "b"]), view(1, &["x", "y"]), view(2, &["b", "c"])] {
            add(&mut groups, seed);
        }
        let found: Vec<_> = groups.iter().map(|group| (group.seeds, group.view.epoch)).collect();
        assert_eq!(found, [(2, 2), (1, 1)]);
    }
}
