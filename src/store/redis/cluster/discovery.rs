//! Finding the masters of a Redis Cluster by asking its nodes.
//!
//! **Only the known cluster is believed.** A node may have left it for another cluster, and answers from there. So known
//! masters are asked first. Replicas, which take over when all masters die, and the seeds of the URL are asked only if
//! the masters fail. A view that shares no further node with the known cluster is refused and logged. A view with an
//! older epoch, or of a node without the others, counts only if there is no better one.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures_util::StreamExt as _;
use futures_util::future::join_all;
use futures_util::stream::FuturesUnordered;
use tokio::time::timeout;

use super::address::ServerAddress;
use super::cluster_view::ClusterView;
use super::connector::Connector;
use super::members::{ASKED_AT_ONCE, Members, ViewWorth};
use super::slot_ranges::SlotRange;

/// While no node answers, a further one is asked this many times within the timeout.
const FURTHER_PER_TIMEOUT: u32 = 8;

/// The Cluster that the URL names.
pub(crate) struct ClusterDiscovery {
    seeds: Vec<ServerAddress>,
    members: Mutex<Members>,
    /// Nodes that answered from another cluster. Each is logged once.
    strangers: Mutex<BTreeSet<ServerAddress>>,
}

impl ClusterDiscovery {
    pub(crate) fn new(mut seeds: Vec<ServerAddress>) -> Self {
        seeds.sort();
        seeds.dedup();
        Self { seeds, members: Mutex::default(), strangers: Mutex::default() }
    }

    /// Returns the nodes that the URL names.
    pub(crate) fn seeds(&self) -> &[ServerAddress] {
        &self.seeds
    }

    fn members(&self) -> MutexGuard<'_, Members> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the masters and their slots. `round` rotates the nodes that are asked first.
    ///
    /// # Errors
    /// If no node gives a view that can be believed.
    pub(crate) async fn ask(&self, connector: &Connector, round: u64) -> Result<Vec<SlotRange>, String> {
        let members = self.members().clone();
        let view = if members.is_empty() {
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

    /// Returns the first good view. Leaves the last one of less worth in `second_best`.
    async fn next_view(
        &self,
        connector: &Connector,
        members: &Members,
        candidates: Vec<ServerAddress>,
        second_best: &mut Option<ClusterView>,
    ) -> Result<ClusterView, String> {
        let mut candidates = candidates.into_iter();
        let ask = async |node: ServerAddress| (ClusterView::ask(connector, &node).await, node);
        let mut answers: FuturesUnordered<_> = candidates.by_ref().take(ASKED_AT_ONCE).map(ask).collect();
        let mut failure = "no nodes to ask".to_owned();
        while !answers.is_empty() {
            match timeout(connector.timeout / FURTHER_PER_TIMEOUT, answers.next()).await {
                Ok(Some((Ok(view), node))) => match self.judge(&node, &view, members) {
                    ViewWorth::Good => return Ok(view),
                    ViewWorth::SecondBest => *second_best = Some(view),
                    ViewWorth::Foreign => failure = format!("{node} belongs to another cluster"),
                },
                Ok(Some((Err(reason), _))) => failure = reason,
                Ok(None) | Err(_) => {}
            }
            answers.extend(candidates.next().map(ask));
        }
        Err(failure)
    }

    /// Asks all seeds while no cluster is known, and returns a view of the cluster that most answering seeds belong to.
    async fn first_view(&self, connector: &Connector) -> Result<ClusterView, String> {
        let mut answers: FuturesUnordered<_> =
            self.seeds.iter().map(|seed| ClusterView::ask(connector, seed)).collect();
        let mut groups: Vec<SeedGroup> = Vec::new();
        let mut failure = None;
        while let Some(answer) = answers.next().await {
            match answer {
                Ok(view) => add_to_groups(&mut groups, view),
                Err(reason) => failure = Some(reason),
            }
            if let Some(group) = groups.iter().find(|group| group.seeds > self.seeds.len() / 2) {
                return Ok(group.newest.clone());
            }
        }
        groups.sort_by_key(|group| std::cmp::Reverse(group.seeds));
        match &groups[..] {
            [] => Err(failure.unwrap_or_else(|| "no seeds to ask".into())),
            [first, second, ..] if first.seeds == second.seeds => {
                Err("the seeds belong to different clusters, as many to one as to another".into())
            }
            [first, ..] => Ok(first.newest.clone()),
        }
    }

    /// Logs seeds that belong to another cluster. While the known masters answer, nothing else asks the seeds.
    pub(crate) async fn check_seeds(&self, connector: &Connector) {
        let members = self.members().clone();
        if members.is_empty() {
            return;
        }
        let strays = self.seeds.iter().filter(|seed| !members.contains(seed));
        join_all(strays.map(async |seed| {
            if let Ok(view) = ClusterView::ask(connector, seed).await {
                self.judge(seed, &view, &members);
            }
        }))
        .await;
    }

    /// Judges a view like [`Members::judge`], and logs each stranger once.
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

/// Seeds of the same cluster.
struct SeedGroup {
    node_ids: BTreeSet<String>,
    seeds: usize,
    newest: ClusterView,
}

fn add_to_groups(groups: &mut Vec<SeedGroup>, view: ClusterView) {
    let node_ids = view.node_ids();
    match groups.iter_mut().find(|group| !group.node_ids.is_disjoint(&node_ids)) {
        Some(group) => {
            group.seeds += 1;
            group.node_ids.extend(node_ids);
            if view.epoch > group.newest.epoch {
                group.newest = view;
            }
        }
        None => groups.push(SeedGroup { node_ids, seeds: 1, newest: view }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::redis::cluster::members::tests::view;

    #[test]
    fn seeds_are_grouped_by_their_cluster() {
        let mut groups = Vec::new();
        for seed in [view(1, &["a", "b"]), view(1, &["x", "y"]), view(2, &["b", "c"])] {
            add_to_groups(&mut groups, seed);
        }
        let found: Vec<_> = groups.iter().map(|group| (group.seeds, group.newest.epoch)).collect();
        assert_eq!(found, [(2, 2), (1, 1)]);
    }
}
