//! Which masters there are, and which of them has a token.
//!
//! One server is the master of everything; a Cluster has several, each with some of the slots; with Sentinel there is
//! one at a time. What is known is a [`Map`], replaced as a whole when it changes. It is asked for anew every few
//! seconds, by whoever finds that a server has gone, and by whoever is sent elsewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption, Guard};
use tokio::sync::watch;

use super::discovery::{self, SlotRange};
use super::gate::Gate;
use super::keys::Keys;
use super::link::{Address, Link};
use super::slots::{SLOTS, slot_of_key, slot_of_tag, tag_in_slot};
use crate::config::{self, Node, RedisUrl};
use crate::secret::TokenId;
use crate::store::cache::ServerIndex;

/// A cluster with more masters is refused: each costs a connection per validation thread and one for tracking.
pub(super) const MAX_MASTERS: usize = 128;
/// Servers the near cache tells apart: a master keeps its number as long as anything of it is left.
pub(super) const MAX_SERVERS: usize = 2 * MAX_MASTERS;
/// The pause between two looks at the topology when nothing seems to have changed.
pub(super) const REFRESH_INTERVAL: Duration = Duration::from_secs(2);
/// Keys a master can be probed with, each in another slot: one that is about to move answers for no key.
const PROBES_PER_MASTER: usize = 3;
const NOBODY: u16 = u16::MAX;

/// A master.
pub(super) struct Master {
    number: Number,
    pub(super) address: Address,
    /// Keys that are never there, and their slots.
    probes: Vec<(u16, String)>,
    current_probe: AtomicUsize,
}

impl Master {
    /// Its number in the near cache.
    pub(super) fn index(&self) -> ServerIndex {
        ServerIndex(self.number.0)
    }

    /// Whether it may have tokens at all: some slots have none.
    pub(super) fn may_have_tokens(&self) -> bool {
        !self.probes.is_empty()
    }

    /// A key in one of its slots that is never there: deleting it asks whether it takes writes.
    pub(super) fn probe(&self) -> &str {
        let current = self.current_probe.load(Ordering::Relaxed);
        self.probes.get(current % self.probes.len().max(1)).map_or("", |(_, key)| key)
    }

    /// The slot of [`Master::probe`] is on the move: another one from now on.
    pub(super) fn next_probe(&self) {
        self.current_probe.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether its probes are still its own when it has these slots.
    fn still_fits(&self, slots: &BTreeSet<u16>) -> bool {
        self.may_have_tokens() && self.probes.iter().all(|(slot, _)| slots.contains(slot))
    }
}

/// Who has what.
pub(super) struct Map {
    pub(super) masters: Vec<Arc<Master>>,
    /// Per slot the place in `masters`; without it the first master has everything.
    owners: Option<Box<[u16]>>,
}

impl Map {
    fn of_one(master: Option<Arc<Master>>) -> Self {
        Self { masters: master.into_iter().collect(), owners: None }
    }

    /// Whether a key's slot matters.
    pub(super) fn is_by_slot(&self) -> bool {
        self.owners.is_some()
    }

    /// The master of a slot; `None` when nobody is known to have it.
    pub(super) fn owner(&self, slot: u16) -> Option<&Arc<Master>> {
        match &self.owners {
            None => self.masters.first(),
            Some(owners) => self.masters.get(usize::from(*owners.get(usize::from(slot))?)),
        }
    }

    /// The master of a token.
    pub(super) fn owner_of(&self, id: TokenId) -> Option<&Arc<Master>> {
        match &self.owners {
            None => self.masters.first(),
            Some(_) => self.owner(slot_of_tag(id.shard_tag())),
        }
    }

    /// Whether this is still one of the masters.
    pub(super) fn has(&self, master: &Arc<Master>) -> bool {
        self.masters.iter().any(|other| Arc::ptr_eq(other, master))
    }

    fn is_same(&self, other: &Self) -> bool {
        self.owners == other.owners
            && self.masters.len() == other.masters.len()
            && self.masters.iter().all(|master| other.has(master))
    }
}

enum Source {
    /// It never changes.
    Fixed,
    /// Nodes to ask for the others.
    Cluster(Vec<Address>),
    Sentinels {
        sentinels: Vec<Address>,
        master: String,
    },
}

/// See the module.
pub(super) struct Topology {
    source: Source,
    pub(super) link: Link,
    pub(super) keys: Keys,
    numbers: Arc<Mutex<BTreeSet<u16>>>,
    map: ArcSwap<Map>,
    changed: watch::Sender<()>,
    /// How often it was asked for.
    rounds: AtomicU64,
    turn: tokio::sync::Mutex<()>,
    /// Why the last round found nothing out.
    last_failure: ArcSwapOption<String>,
    /// Whether the servers may be used.
    pub(super) gate: Gate,
}

impl Topology {
    /// What the URL names. Asks nobody yet.
    pub(super) fn new(url: &RedisUrl, link: Link, keys: Keys) -> Self {
        let addresses = |nodes: &[Node]| nodes.iter().cloned().map(Address::Tcp).collect();
        let (source, only) = match &url.topology {
            config::Topology::Standalone { node, .. } => (Source::Fixed, Some(Address::Tcp(node.clone()))),
            config::Topology::Unix { path } => (Source::Fixed, Some(Address::Unix(path.clone()))),
            config::Topology::Cluster { nodes } => (Source::Cluster(addresses(nodes)), None),
            config::Topology::Sentinel { nodes, master } => {
                (Source::Sentinels { sentinels: addresses(nodes), master: master.clone() }, None)
            }
        };
        let topology = Self {
            source,
            link,
            keys,
            numbers: Arc::default(),
            map: ArcSwap::from_pointee(Map::of_one(None)),
            changed: watch::Sender::new(()),
            rounds: AtomicU64::new(0),
            turn: tokio::sync::Mutex::default(),
            last_failure: ArcSwapOption::empty(),
            gate: Gate::default(),
        };
        if let Some(address) = only {
            topology.map.store(Arc::new(Map::of_one(Some(topology.sole_master(address)))));
        }
        topology
    }

    /// What is known now.
    pub(super) fn map(&self) -> Guard<Arc<Map>> {
        self.map.load()
    }

    /// Why the last round found nothing out; `None` when it did.
    pub(super) fn last_failure(&self) -> Option<String> {
        self.last_failure.load_full().map(|reason| reason.to_string())
    }

    /// The nodes of a Cluster that the URL names.
    pub(super) fn seeds(&self) -> &[Address] {
        match &self.source {
            Source::Cluster(seeds) => seeds,
            Source::Fixed | Source::Sentinels { .. } => &[],
        }
    }

    pub(super) fn is_cluster(&self) -> bool {
        matches!(self.source, Source::Cluster(_))
    }

    /// Whether another server may become the master.
    pub(super) fn may_fail_over(&self) -> bool {
        !matches!(self.source, Source::Fixed)
    }

    /// After how long the Sentinels take a silent master for down, by the word of the first that answers.
    pub(super) async fn sentinels_down_after_ms(&self) -> Option<u64> {
        let Source::Sentinels { sentinels, master } = &self.source else { return None };
        discovery::down_after_ms(&self.link.anonymous(), sentinels, master).await
    }

    /// Hears of every change of the map.
    pub(super) fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// Asks anew. Those who want that at the same time share one answer; without one all stays as it was.
    pub(super) async fn refresh(&self) {
        if matches!(self.source, Source::Fixed) {
            return;
        }
        let round = self.rounds.load(Ordering::SeqCst);
        let _turn = self.turn.lock().await;
        if self.rounds.load(Ordering::SeqCst) != round {
            return;
        }
        let outcome = tokio::time::timeout(self.link.timeout, self.ask(round)).await;
        match outcome.unwrap_or_else(|_| Err("no answer in time".into())) {
            Ok(map) => {
                self.last_failure.store(None);
                self.adopt(map);
            }
            Err(reason) => {
                tracing::debug!(reason, "topology refresh failed");
                self.last_failure.store(Some(Arc::new(reason)));
            }
        }
        self.rounds.fetch_add(1, Ordering::SeqCst);
    }

    /// [`Topology::refresh`] in the background.
    pub(super) fn refresh_soon(self: &Arc<Self>) {
        if !matches!(self.source, Source::Fixed) {
            let topology = self.clone();
            tokio::spawn(async move { topology.refresh().await });
        }
    }

    async fn ask(&self, round: u64) -> Result<Map, String> {
        match &self.source {
            Source::Fixed => Err("it never changes".into()),
            Source::Cluster(seeds) => {
                let known =
                    self.map().masters.iter().map(|master| master.address.clone()).collect::<Vec<_>>();
                let asked = known.iter().chain(seeds.iter().filter(|seed| !known.contains(seed)));
                self.by_slot(discovery::cluster_slots(&self.link, asked, round).await?)
            }
            Source::Sentinels { sentinels, master } => {
                let address = discovery::sentinels_master(&self.link.anonymous(), sentinels, master).await?;
                let known = self.map().masters.first().filter(|known| known.address == address).cloned();
                Ok(Map::of_one(Some(known.unwrap_or_else(|| self.sole_master(address)))))
            }
        }
    }

    fn adopt(&self, map: Map) {
        if !self.map().is_same(&map) {
            let masters: Vec<_> = map.masters.iter().map(|master| master.address.to_string()).collect();
            tracing::info!(masters = masters.join(" "), "the masters have changed");
            self.map.store(Arc::new(map));
            self.changed.send_replace(());
        }
    }

    /// The map of a cluster. A master of which nothing important has changed stays the same one.
    fn by_slot(&self, ranges: Vec<SlotRange>) -> Result<Map, String> {
        let mut slots: BTreeMap<Address, BTreeSet<u16>> = BTreeMap::new();
        for range in ranges {
            slots.entry(range.address).or_default().extend(range.first..=range.last);
        }
        if slots.len() > MAX_MASTERS {
            return Err(format!("the cluster has more than {MAX_MASTERS} masters"));
        }
        let known = self.map();
        let mut owners = vec![NOBODY; SLOTS].into_boxed_slice();
        let mut masters = Vec::with_capacity(slots.len());
        for (address, slots) in slots {
            for slot in &slots {
                if let Some(owner) = owners.get_mut(usize::from(*slot)) {
                    *owner = masters.len() as u16;
                }
            }
            let same =
                known.masters.iter().find(|known| known.address == address && known.still_fits(&slots));
            masters.push(same.cloned().unwrap_or_else(|| self.master(address, self.probes_in(&slots))));
        }
        Ok(Map { masters, owners: Some(owners) })
    }

    fn probes_in(&self, slots: &BTreeSet<u16>) -> Vec<(u16, String)> {
        let usable: Vec<_> = slots.iter().filter_map(|slot| Some((*slot, tag_in_slot(*slot)?))).collect();
        // Far from each other: slots move in ranges.
        let spread = (1..=PROBES_PER_MASTER).map(|n| usable.get(usable.len() * n / (PROBES_PER_MASTER + 1)));
        let mut probes: Vec<_> =
            spread.flatten().map(|(slot, tag)| (*slot, self.keys.probe_at(tag))).collect();
        probes.dedup();
        probes
    }

    fn sole_master(&self, address: Address) -> Arc<Master> {
        let key = self.keys.probe();
        self.master(address, vec![(slot_of_key(key.as_bytes()), key)])
    }

    /// A server that is not, or not yet, one of the masters: nothing it says is cached.
    pub(super) fn guest(&self, address: Address) -> Arc<Master> {
        let number = Number(u16::MAX, self.numbers.clone());
        Arc::new(Master { number, address, probes: Vec::new(), current_probe: AtomicUsize::new(0) })
    }

    fn master(&self, address: Address, probes: Vec<(u16, String)>) -> Arc<Master> {
        let number = Number::take(&self.numbers);
        Arc::new(Master { number, address, probes, current_probe: AtomicUsize::new(0) })
    }
}

/// The number of a master, nobody else's until this is dropped.
struct Number(u16, Arc<Mutex<BTreeSet<u16>>>);

impl Number {
    /// The lowest that is free. When all are taken, one that the near cache keeps nothing for.
    fn take(taken: &Arc<Mutex<BTreeSet<u16>>>) -> Self {
        let mut numbers = taken.lock().unwrap_or_else(PoisonError::into_inner);
        let free = (0..MAX_SERVERS as u16).find(|number| !numbers.contains(number)).unwrap_or(u16::MAX);
        numbers.insert(free);
        Self(free, taken.clone())
    }
}

impl Drop for Number {
    fn drop(&mut self) {
        self.1.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topology() -> Topology {
        let url = RedisUrl::parse("redis+cluster://a:1/").unwrap();
        let link = Link::new(&url, None, Duration::from_secs(1));
        Topology::new(&url, link, Keys::new("dw:"))
    }

    fn adopt(topology: &Topology, ranges: &[(u16, u16, &str)]) {
        let range = |&(first, last, host): &(u16, u16, &str)| SlotRange {
            first,
            last,
            address: Address::tcp(host, 1),
            node_id: host.into(),
        };
        let map = topology.by_slot(ranges.iter().map(range).collect()).unwrap();
        topology.adopt(map);
    }

    fn owner(topology: &Topology, slot: u16) -> Option<(String, u16)> {
        let map = topology.map();
        map.owner(slot).map(|master| (master.address.to_string(), master.index().0))
    }

    #[test]
    fn slots_find_their_master_and_the_others_find_none() {
        let topology = topology();
        assert_eq!(owner(&topology, 0), None);
        adopt(&topology, &[(0, 99, "a"), (200, 299, "a"), (100, 149, "b")]);
        let host = |slot| owner(&topology, slot).map(|(address, _)| address);
        for (slot, address) in [(0, "a:1"), (99, "a:1"), (100, "b:1"), (149, "b:1"), (299, "a:1")] {
            assert_eq!(host(slot).as_deref(), Some(address), "{slot}");
        }
        assert_eq!([150, 300, 16_383, u16::MAX].map(host), [None, None, None, None]);
    }

    #[test]
    fn a_master_stays_the_same_while_its_probes_do() {
        let topology = topology();
        adopt(&topology, &[(0, 8000, "a"), (8001, 16_383, "b")]);
        let mut changes = topology.changes();
        let (a, b) = (owner(&topology, 0).unwrap(), owner(&topology, 9000).unwrap());
        assert_ne!(a.1, b.1);
        adopt(&topology, &[(0, 8000, "a"), (8001, 16_383, "b")]);
        assert!(!changes.has_changed().unwrap());
        // a gains and loses a little, b loses the half and so its probes.
        adopt(&topology, &[(1, 8000, "a"), (12_000, 16_383, "a"), (8001, 11_999, "b"), (0, 0, "c")]);
        assert!(changes.has_changed().unwrap());
        changes.mark_unchanged();
        assert_eq!(owner(&topology, 9000).unwrap().0, "b:1");
        assert_eq!(owner(&topology, 1), Some(a));
        assert_ne!(owner(&topology, 9000).unwrap().1, b.1, "nobody else's number while b was there");
    }

    #[test]
    fn a_number_is_free_again_once_nothing_of_its_master_is_left() {
        let topology = topology();
        adopt(&topology, &[(0, 8000, "a"), (8001, 16_383, "b")]);
        let kept = topology.map().owner(0).unwrap().clone();
        adopt(&topology, &[(0, 16_383, "c")]);
        adopt(&topology, &[(0, 16_383, "d")]);
        assert_ne!(owner(&topology, 0).unwrap().1, kept.index().0);
        drop(kept);
        adopt(&topology, &[(0, 5000, "e"), (5001, 10_000, "f"), (10_001, 16_383, "g")]);
        let numbers: BTreeSet<_> = [0, 6000, 11_000].map(|slot| owner(&topology, slot).unwrap().1).into();
        assert!(numbers.iter().all(|number| *number < 4), "{numbers:?}");
    }

    #[test]
    fn probes_are_in_their_masters_slots() {
        let topology = topology();
        adopt(&topology, &[(0, 2, "a"), (3, 3, "b"), (4, 16_383, "c")]);
        for (slot, count) in [(0, 1), (3, 1), (4, 3)] {
            let master = topology.map().owner(slot).unwrap().clone();
            assert_eq!(master.probes.len(), count, "{slot}");
            for _ in 0..=count {
                let owner = topology.map().owner(slot_of_key(master.probe().as_bytes())).cloned();
                assert!(Arc::ptr_eq(&owner.unwrap(), &master), "{}", master.probe());
                master.next_probe();
            }
        }
        // No shard tag is in slot 1.
        adopt(&topology, &[(1, 1, "a")]);
        assert!(!topology.map().owner(1).unwrap().may_have_tokens());
    }

    #[test]
    fn too_many_masters_are_refused() {
        let range = |n: u16| SlotRange {
            first: n,
            last: n,
            address: Address::tcp("a", n + 1),
            node_id: n.to_string(),
        };
        let topology = topology();
        assert!(topology.by_slot((0..MAX_MASTERS as u16).map(range).collect()).is_ok());
        assert!(topology.by_slot((0..=MAX_MASTERS as u16).map(range).collect()).is_err());
    }
}
