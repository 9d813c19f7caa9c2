//! Asking the nodes of a Cluster which master has which slots.
//!
//! **Only the known cluster is believed.** A node may have left it for another one, and answers from there. So the known
//! masters are asked first; replicas, which take over when all masters die, and the seeds of the URL only if those fail.
//! An answer that shares no further node with the known cluster is refused and logged. One with an older epoch counts only
//! if there is no newer one.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures_util::StreamExt as _;
use futures_util::future::join_all;
use futures_util::stream::FuturesUnordered;
use redis::{Value, pipe};
use tokio::time::timeout;

use super::describe;
use super::link::{Address, Link};

/// So many nodes are asked at once at first.
const ASKED_AT_ONCE: usize = 3;
/// While none of them answers, a further one is asked so often within the timeout.
const FURTHER_PER_TIMEOUT: u32 = 8;

/// Slots of a cluster with the same master.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SlotRange {
    pub(super) first: u16,
    /// Also one of them.
    pub(super) last: u16,
    pub(super) address: Address,
    pub(super) node_id: String,
    /// The replicas of the master and their ids.
    pub(super) replicas: Vec<(Address, String)>,
}

/// The cluster as one of its nodes sees it.
#[derive(Clone)]
struct View {
    /// The id of the node that says so.
    own_id: String,
    /// Grows with every failover in the cluster.
    epoch: u64,
    ranges: Vec<SlotRange>,
}

impl View {
    fn node_ids(&self) -> BTreeSet<String> {
        let of_range = |range: &SlotRange| {
            let replicas = range.replicas.iter().map(|(_, id)| id.clone());
            replicas.chain([range.node_id.clone()]).collect::<Vec<_>>()
        };
        self.ranges.iter().flat_map(of_range).collect()
    }
}

/// The nodes of the newest view that was believed.
#[derive(Clone, Default)]
struct Members {
    node_ids: BTreeSet<String>,
    masters: Vec<Address>,
    replicas: Vec<Address>,
    epoch: u64,
}

impl Members {
    fn of(view: &View) -> Self {
        let addresses = |all: &mut dyn Iterator<Item = &Address>| -> Vec<Address> {
            all.cloned().collect::<BTreeSet<_>>().into_iter().collect()
        };
        let replicas = view.ranges.iter().flat_map(|range| &range.replicas);
        Self {
            node_ids: view.node_ids(),
            masters: addresses(&mut view.ranges.iter().map(|range| &range.address)),
            replicas: addresses(&mut replicas.map(|(address, _)| address)),
            epoch: view.epoch,
        }
    }

    fn have(&self, node: &Address) -> bool {
        self.masters.contains(node) || self.replicas.contains(node)
    }

    /// Whether a view is one of this cluster.
    ///
    /// A node keeps its id when it moves to another cluster (`CLUSTER RESET SOFT`), so its own id proves nothing where
    /// the view has unknown nodes.
    fn are_of(&self, view: &View) -> bool {
        let is_shared = |id: &String| self.node_ids.contains(id);
        let ids = view.node_ids();
        ids.iter().all(is_shared) || ids.iter().any(|id| *id != view.own_id && is_shared(id))
    }

    /// The order in which nodes are asked: masters first, then further masters, replicas and seeds by turns.
    fn candidates(&self, seeds: &[Address], round: u64) -> Vec<Address> {
        let strays: Vec<_> = seeds.iter().filter(|seed| !self.have(seed)).cloned().collect();
        let rotated = |nodes: &[Address]| {
            let mut nodes = nodes.to_vec();
            let first = round as usize % nodes.len().max(1);
            nodes.rotate_left(first);
            nodes
        };
        let mut first = rotated(&self.masters);
        let further = first.split_off(first.len().min(ASKED_AT_ONCE));
        let rest = [rotated(&self.replicas), rotated(&strays), further];
        let longest = rest.iter().map(Vec::len).max().unwrap_or(0);
        first.extend((0..longest).flat_map(|n| rest.iter().filter_map(move |nodes| nodes.get(n).cloned())));
        first
    }
}

/// Seeds that tell of the same cluster.
struct Group {
    node_ids: BTreeSet<String>,
    seeds: usize,
    /// The newest one.
    view: View,
}

/// The Cluster of the URL.
pub(super) struct Cluster {
    seeds: Vec<Address>,
    members: Mutex<Members>,
    /// The nodes that answered from another cluster. Each is logged once.
    strangers: Mutex<BTreeSet<Address>>,
}

impl Cluster {
    pub(super) fn new(mut seeds: Vec<Address>) -> Self {
        seeds.sort();
        seeds.dedup();
        Self { seeds, members: Mutex::default(), strangers: Mutex::default() }
    }

    fn members(&self) -> MutexGuard<'_, Members> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns who has which slots; which nodes are asked first changes with `round`.
    ///
    /// # Errors
    /// When no node gives an answer that can be believed.
    pub(super) async fn ask(&self, link: &Link, round: u64) -> Result<Vec<SlotRange>, String> {
        let members = self.members().clone();
        let view = if members.node_ids.is_empty() {
            self.first_view(link).await?
        } else {
            let candidates = members.candidates(&self.seeds, round);
            let mut outdated = None;
            let ask = self.next_view(link, &members, candidates, &mut outdated);
            match timeout(link.timeout, ask).await {
                Ok(Ok(view)) => view,
                Ok(Err(reason)) => outdated.ok_or(reason)?,
                Err(_) => outdated.ok_or("no node of the cluster answers in time")?,
            }
        };
        *self.members() = Members::of(&view);
        Ok(view.ranges)
    }

    /// The first answer that can be believed; one with an older epoch goes into `outdated`.
    async fn next_view(
        &self,
        link: &Link,
        members: &Members,
        candidates: Vec<Address>,
        outdated: &mut Option<View>,
    ) -> Result<View, String> {
        let mut candidates = candidates.into_iter();
        let ask = async |node: Address| (ask_node(link, &node).await, node);
        let mut answers: FuturesUnordered<_> = candidates.by_ref().take(ASKED_AT_ONCE).map(ask).collect();
        let mut failure = "no nodes to ask".to_owned();
        while !answers.is_empty() {
            match timeout(link.timeout / FURTHER_PER_TIMEOUT, answers.next()).await {
                Ok(Some((Ok(view), node))) if self.is_believed(&node, &view, members) => {
                    if view.epoch >= members.epoch {
                        return Ok(view);
                    }
                    *outdated = Some(view);
                }
                Ok(Some((Ok(_), node))) => failure = format!("{node} belongs to another cluster"),
                Ok(Some((Err(other), _))) => failure = other,
                Ok(None) | Err(_) => {}
            }
            answers.extend(candidates.next().map(ask));
        }
        Err(failure)
    }

    /// Nothing is known yet: all seeds are asked, and the cluster that most of those that answer belong to is it.
    async fn first_view(&self, link: &Link) -> Result<View, String> {
        let mut answers: FuturesUnordered<_> = self.seeds.iter().map(|seed| ask_node(link, seed)).collect();
        let mut groups: Vec<Group> = Vec::new();
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
    pub(super) async fn check_seeds(&self, link: &Link) {
        let members = self.members().clone();
        if members.node_ids.is_empty() {
            return;
        }
        let strays = self.seeds.iter().filter(|seed| !members.have(seed));
        join_all(strays.map(async |seed| {
            if let Ok(view) = ask_node(link, seed).await {
                self.is_believed(seed, &view, &members);
            }
        }))
        .await;
    }

    fn is_believed(&self, node: &Address, view: &View, members: &Members) -> bool {
        let is_believed = members.are_of(view);
        let mut strangers = self.strangers.lock().unwrap_or_else(PoisonError::into_inner);
        if is_believed {
            strangers.remove(node);
        } else if strangers.insert(node.clone()) {
            tracing::warn!(%node, "cluster view refused: the node belongs to another cluster");
        }
        is_believed
    }
}

fn add(groups: &mut Vec<Group>, view: View) {
    let node_ids = view.node_ids();
    match groups.iter_mut().find(|group| !group.node_ids.is_disjoint(&node_ids)) {
        Some(group) => {
            group.seeds += 1;
            group.node_ids.extend(node_ids);
            if view.epoch > group.view.epoch {
                group.view = view;
            }
        }
        None => groups.push(Group { node_ids, seeds: 1, view }),
    }
}

/// A node that has lost touch with the others says so, and its word does not count.
async fn ask_node(link: &Link, node: &Address) -> Result<View, String> {
    let mut questions = pipe();
    questions.cmd("CLUSTER").arg("INFO").cmd("CLUSTER").arg("MYID").cmd("CLUSTER").arg("SLOTS");
    let ask = async { questions.query_async(&mut link.connect(node).await?).await };
    let answer = timeout(link.timeout, ask).await.map_err(|_| format!("{node} does not answer"))?;
    let (info, own_id, slots): (String, String, Value) =
        answer.map_err(|error| format!("{node}: {}", describe(&error)))?;
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
    Ok(View { own_id, epoch, ranges })
}

/// Reads the answer to `CLUSTER SLOTS` of the node that was `asked`.
pub(super) fn slot_ranges(answer: &Value, asked: &Address) -> Option<Vec<SlotRange>> {
    let Value::Array(ranges) = answer else { return None };
    ranges.iter().map(|range| slot_range(range, asked)).collect()
}

fn slot_range(range: &Value, asked: &Address) -> Option<SlotRange> {
    let Value::Array(range) = range else { return None };
    let [Value::Int(first), Value::Int(last), master, replicas @ ..] = &range[..] else { return None };
    let (address, node_id) = member(master, asked)?;
    Some(SlotRange {
        first: u16::try_from(*first).ok()?,
        last: u16::try_from(*last).ok()?,
        address,
        node_id,
        replicas: replicas.iter().filter_map(|replica| member(replica, asked)).collect(),
    })
}

/// The address and the id of a node.
fn member(node: &Value, asked: &Address) -> Option<(Address, String)> {
    let Value::Array(node) = node else { return None };
    let [host, Value::Int(port), node_id, ..] = &node[..] else { return None };
    let host = match host {
        Value::Nil => "",
        host => text(host)?,
    };
    Some((Address::parse(&format!("{host}:{port}"), asked)?, text(node_id)?.to_owned()))
}

fn text(value: &Value) -> Option<&str> {
    match value {
        Value::BulkString(bytes) => std::str::from_utf8(bytes).ok(),
        Value::SimpleString(text) => Some(text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let asked = Address::tcp("asked", 1);
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
        assert_eq!(ranges[0].replicas, [(Address::tcp("other", 1), "other id".into())]);
    }

    #[test]
    fn other_forms_are_none() {
        let asked = Address::tcp("asked", 1);
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

    /// A view of the first of these masters; each has a replica, whose id is in capitals.
    fn view(epoch: u64, masters: &[&str]) -> View {
        let range = |(n, id): (usize, &&str)| SlotRange {
            first: n as u16,
            last: n as u16,
            address: Address::tcp(id, 1),
            node_id: (*id).to_owned(),
            replicas: vec![(Address::tcp(&id.to_uppercase(), 1), id.to_uppercase())],
        };
        View { own_id: masters[0].to_owned(), epoch, ranges: masters.iter().enumerate().map(range).collect() }
    }

    #[test]
    fn views_of_another_cluster_are_refused() {
        let members = Members::of(&view(5, &["a", "b", "c"]));
        for fine in [view(5, &["a", "b", "c"]), view(6, &["d", "c"]), view(6, &["A", "B", "C"])] {
            assert!(members.are_of(&fine), "{:?}", fine.node_ids());
        }
        // The replica of the only master has taken over.
        let mut alone = view(6, &["A"]);
        alone.ranges[0].replicas.clear();
        assert!(Members::of(&view(5, &["a"])).are_of(&alone));
        assert!(!members.are_of(&view(9, &["x", "y"])));
        // It took its own id along.
        let mut moved = view(9, &["a", "x"]);
        moved.ranges[0].replicas.clear();
        assert!(!members.are_of(&moved));
    }

    #[test]
    fn known_masters_are_asked_first_and_replicas_and_seeds_soon_after() {
        let members = Members::of(&view(1, &["a", "b", "c", "d", "e"]));
        let seeds = ["a", "s", "t"].map(|host| Address::tcp(host, 1));
        let order: String = members
            .candidates(&seeds, 6)
            .iter()
            .map(|node| node.to_string().trim_end_matches(":1").to_owned())
            .collect();
        assert_eq!(order, "bcdBseCtaDEA");
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
