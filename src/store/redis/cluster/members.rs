//! Which nodes belong to the known cluster, and whether a view of it can be believed.

use std::collections::BTreeSet;

use super::discovery::ASKED_AT_ONCE;
use super::endpoint::Address;
use super::master_map::MAX_MASTERS;
use super::slot_ranges::SlotRange;

/// More replicas are not remembered.
const MAX_EARLIER_REPLICAS: usize = MAX_MASTERS;

/// The cluster as one of its nodes sees it.
#[derive(Clone)]
pub(crate) struct View {
    /// The id of the node that says so.
    pub(crate) own_id: String,
    /// Grows with every failover in the cluster.
    pub(crate) epoch: u64,
    pub(crate) ranges: Vec<SlotRange>,
}

impl View {
    pub(crate) fn node_ids(&self) -> BTreeSet<String> {
        let of_range = |range: &SlotRange| {
            let replicas = range.replicas.iter().map(|(_, id)| id.clone());
            replicas.chain([range.node_id.clone()]).collect::<Vec<_>>()
        };
        self.ranges.iter().flat_map(of_range).collect()
    }
}

/// The nodes of the newest view that was believed.
#[derive(Clone, Default)]
pub(crate) struct Members {
    pub(crate) node_ids: BTreeSet<String>,
    pub(crate) masters: Vec<Address>,
    pub(crate) replicas: Vec<Address>,
    /// Replicas of earlier views: one that fails, or has just begun to follow, is in no list of slots.
    earlier_replicas: Vec<Address>,
    pub(crate) epoch: u64,
}

impl Members {
    pub(crate) fn of(view: &View) -> Self {
        let addresses = |all: &mut dyn Iterator<Item = &Address>| -> Vec<Address> {
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

    /// Keeps the replicas of earlier views that this one lacks.
    pub(crate) fn remembering(mut self, earlier: Self) -> Self {
        let replicas = earlier.replicas.into_iter().chain(earlier.earlier_replicas);
        self.earlier_replicas =
            replicas.filter(|replica| !self.have(replica)).take(MAX_EARLIER_REPLICAS).collect();
        self
    }

    pub(crate) fn have(&self, node: &Address) -> bool {
        self.masters.contains(node) || self.replicas.contains(node)
    }

    /// How much a view is worth.
    ///
    /// A node keeps its id when it moves to another cluster (`CLUSTER RESET SOFT`), so its own id alone proves nothing
    /// where the view has unknown nodes; and where it has no other nodes at all, the node may have been expelled.
    pub(crate) fn judge(&self, view: &View) -> Worth {
        let is_shared = |id: &String| self.node_ids.contains(id);
        let ids = view.node_ids();
        if ids.iter().any(|id| *id != view.own_id && is_shared(id)) || ids == self.node_ids {
            if view.epoch >= self.epoch { Worth::Good } else { Worth::SecondBest }
        } else if ids.iter().all(is_shared) {
            Worth::SecondBest
        } else {
            Worth::Foreign
        }
    }

    /// The order in which nodes are asked: masters first, then further masters, replicas and seeds by turns.
    pub(crate) fn candidates(&self, seeds: &[Address], round: u64) -> Vec<Address> {
        let strays: Vec<_> = seeds.iter().filter(|seed| !self.have(seed)).cloned().collect();
        let rotated = |nodes: &[Address]| {
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

/// How much a view is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Worth {
    Good,
    /// Of the past, or of a node without the others: counts if there is no better one.
    SecondBest,
    /// Of another cluster.
    Foreign,
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A view of the first of these masters; each has a replica, whose id is in capitals.
    pub(crate) fn view(epoch: u64, masters: &[&str]) -> View {
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
        for good in [view(5, &["a", "b", "c"]), view(6, &["d", "c"]), view(6, &["A", "B", "C"])] {
            assert_eq!(members.judge(&good), Worth::Good, "{:?}", good.node_ids());
        }
        let alone = |id: &str, others: &[&str]| {
            let mut view = view(6, &[&[id], others].concat());
            view.ranges.iter_mut().for_each(|range| range.replicas.clear());
            view
        };
        // The replica of the only master has taken over; or a node was expelled.
        assert_eq!(Members::of(&view(5, &["a"])).judge(&alone("A", &[])), Worth::SecondBest);
        assert_eq!(Members::of(&alone("a", &[])).judge(&alone("a", &[])), Worth::Good);
        assert_eq!(members.judge(&view(4, &["a", "b", "c"])), Worth::SecondBest);
        assert_eq!(members.judge(&view(9, &["x", "y"])), Worth::Foreign);
        // It took its own id along.
        assert_eq!(members.judge(&alone("a", &["x"])), Worth::Foreign);
    }

    #[test]
    fn replicas_are_remembered() {
        let mut without = view(1, &["A", "b"]);
        without.ranges.iter_mut().for_each(|range| range.replicas.clear());
        let members = Members::of(&without).remembering(Members::of(&view(1, &["a", "b"])));
        let asked: Vec<_> = members.candidates(&[], 0).iter().map(Address::to_string).collect();
        assert_eq!(asked, ["A:1", "b:1", "B:1"], "A is a master now");
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
}
