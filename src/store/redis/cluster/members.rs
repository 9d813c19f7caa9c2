//! The nodes of the known cluster, and whether a view of it can be believed.

use std::collections::BTreeSet;

use super::address::ServerAddress;
use super::cluster_view::ClusterView;
use super::master::MAX_MASTERS;

/// Nodes asked at once at the start of a round.
pub(crate) const ASKED_AT_ONCE: usize = 3;

/// The most replicas of earlier views that are remembered.
const MAX_EARLIER_REPLICAS: usize = MAX_MASTERS;

/// The nodes of the newest view that was believed.
#[derive(Clone, Default)]
pub(crate) struct Members {
    node_ids: BTreeSet<String>,
    masters: Vec<ServerAddress>,
    replicas: Vec<ServerAddress>,
    /// Replicas of earlier views: `CLUSTER SLOTS` omits a replica that fails or has just begun to replicate.
    earlier_replicas: Vec<ServerAddress>,
    epoch: u64,
}

impl Members {
    pub(crate) fn of(view: &ClusterView) -> Self {
        let addresses = |all: &mut dyn Iterator<Item = &ServerAddress>| -> Vec<ServerAddress> {
            all.cloned().collect::<BTreeSet<_>>().into_iter().collect()
        };
        let replicas = view.ranges.iter().flat_map(|range| &range.replicas);
        Self {
            node_ids: view.node_ids(),
            masters: addresses(&mut view.ranges.iter().map(|range| &range.address)),
            replicas: addresses(&mut replicas.map(|(address, _)| address)),
            earlier_replicas: Vec::new(),
            epoch: view.epoch,
        }
    }

    /// Adds the replicas of earlier views that this one lacks.
    pub(crate) fn remembering(mut self, earlier: Self) -> Self {
        let replicas = earlier.replicas.into_iter().chain(earlier.earlier_replicas);
        self.earlier_replicas =
            replicas.filter(|replica| !self.contains(replica)).take(MAX_EARLIER_REPLICAS).collect();
        self
    }

    /// Returns whether no view has been believed yet.
    pub(crate) fn is_empty(&self) -> bool {
        self.node_ids.is_empty()
    }

    pub(crate) fn contains(&self, node: &ServerAddress) -> bool {
        self.masters.contains(node) || self.replicas.contains(node)
    }

    /// Judges a view of a node.
    ///
    /// A node keeps its id when it moves to another cluster (`CLUSTER RESET SOFT`). So if the view has unknown nodes, the
    /// node's own id alone proves nothing. If the view has no other nodes at all, the node may have been expelled.
    pub(crate) fn judge(&self, view: &ClusterView) -> ViewWorth {
        let is_shared = |id: &String| self.node_ids.contains(id);
        let ids = view.node_ids();
        if ids.iter().any(|id| *id != view.own_id && is_shared(id)) || ids == self.node_ids {
            if view.epoch >= self.epoch { ViewWorth::Good } else { ViewWorth::SecondBest }
        } else if ids.iter().all(is_shared) {
            ViewWorth::SecondBest
        } else {
            ViewWorth::Foreign
        }
    }

    /// Returns the nodes in the order in which they are asked: some masters first, then replicas, unknown seeds and the
    /// remaining masters in turn. `round` rotates each kind.
    pub(crate) fn candidates(&self, seeds: &[ServerAddress], round: u64) -> Vec<ServerAddress> {
        let strays: Vec<_> = seeds.iter().filter(|seed| !self.contains(seed)).cloned().collect();
        let rotated = |nodes: &[ServerAddress]| {
            let mut nodes = nodes.to_vec();
            let first = round as usize % nodes.len().max(1);
            nodes.rotate_left(first);
            nodes
        };
        let mut first = rotated(&self.masters);
        let further = first.split_off(first.len().min(ASKED_AT_ONCE));
        let replicas = [&self.replicas[..], &self.earlier_replicas].concat();
        let rest = [rotated(&replicas), rotated(&strays), further];
        let longest = rest.iter().map(Vec::len).max().unwrap_or(0);
        first.extend((0..longest).flat_map(|n| rest.iter().filter_map(move |nodes| nodes.get(n).cloned())));
        first
    }
}

/// The worth of a view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ViewWorth {
    Good,
    /// A view of an older epoch, or of a node without the others: counts only if there is no better one.
    SecondBest,
    /// A view of another cluster.
    Foreign,
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::store::redis::cluster::slot_ranges::SlotRange;

    /// Returns a view of the first of these masters. Each master has a replica, whose id is in capitals.
    pub(crate) fn view(epoch: u64, masters: &[&str]) -> ClusterView {
        let range = |(n, id): (usize, &&str)| SlotRange {
            first: n as u16,
            last: n as u16,
            address: ServerAddress::tcp(id, 1),
            node_id: (*id).to_owned(),
            replicas: vec![(ServerAddress::tcp(&id.to_uppercase(), 1), id.to_uppercase())],
        };
        let ranges = masters.iter().enumerate().map(range).collect();
        ClusterView { own_id: masters[0].to_owned(), epoch, ranges }
    }

    #[test]
    fn views_of_another_cluster_are_foreign() {
        let members = Members::of(&view(5, &["a", "b", "c"]));
        for good in [view(5, &["a", "b", "c"]), view(6, &["d", "c"]), view(6, &["A", "B", "C"])] {
            assert_eq!(members.judge(&good), ViewWorth::Good, "{:?}", good.node_ids());
        }
        let without_replicas = |id: &str, others: &[&str]| {
            let mut view = view(6, &[&[id], others].concat());
            view.ranges.iter_mut().for_each(|range| range.replicas.clear());
            view
        };
        // The replica of the only master has taken over; or a node was expelled.
        assert_eq!(Members::of(&view(5, &["a"])).judge(&without_replicas("A", &[])), ViewWorth::SecondBest);
        assert_eq!(
            Members::of(&without_replicas("a", &[])).judge(&without_replicas("a", &[])),
            ViewWorth::Good
        );
        assert_eq!(members.judge(&view(4, &["a", "b", "c"])), ViewWorth::SecondBest);
        assert_eq!(members.judge(&view(9, &["x", "y"])), ViewWorth::Foreign);
        // A node that moved to another cluster has kept its id.
        assert_eq!(members.judge(&without_replicas("a", &["x"])), ViewWorth::Foreign);
    }

    #[test]
    fn replicas_of_earlier_views_are_remembered() {
        let mut newer = view(1, &["A", "b"]);
        newer.ranges.iter_mut().for_each(|range| range.replicas.clear());
        let members = Members::of(&newer).remembering(Members::of(&view(1, &["a", "b"])));
        let asked: Vec<_> = members.candidates(&[], 0).iter().map(ServerAddress::to_string).collect();
        assert_eq!(asked, ["A:1", "b:1", "B:1"], "A is a master now");
    }

    #[test]
    fn known_masters_are_asked_first_and_replicas_and_seeds_soon_after() {
        let members = Members::of(&view(1, &["a", "b", "c", "d", "e"]));
        let seeds = ["a", "s", "t"].map(|host| ServerAddress::tcp(host, 1));
        let order: String = members
            .candidates(&seeds, 6)
            .iter()
            .map(|node| node.to_string().trim_end_matches(":1").to_owned())
            .collect();
        assert_eq!(order, "bcdBseCtaDEA");
    }
}
