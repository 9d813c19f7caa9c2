//! Which masters there are and which slots each of them has: one immutable [`MasterMap`], replaced as a whole.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use super::endpoint::ServerAddress;
use super::slot_ranges::SlotRange;
use super::slots::{SLOTS, slot_of_key, slot_of_tag, tag_in_slot};
use crate::store::cache::ServerIndex;
use crate::store::redis::schema::keys::Keys;
use crate::token_string::TokenId;

/// A cluster with more masters is refused: each costs a connection per validation thread and one for tracking.
pub(crate) const MAX_MASTERS: usize = 128;
/// Servers the node_cache cache tells apart: a master keeps its number as long as anything of it is left.
pub(crate) const MAX_SERVERS: usize = 2 * MAX_MASTERS;
/// Keys a master can be probed with, each in another slot: one that is about to move answers for no key.
const PROBES_PER_MASTER: usize = 3;
const NOBODY: u16 = u16::MAX;

/// A master.
pub(crate) struct Master {
    number: Number,
    pub(crate) address: ServerAddress,
    /// Keys that are never there, and their slots.
    probes: Vec<(u16, String)>,
    current_probe: AtomicUsize,
    /// How often it answered again after it did not.
    returns: watch::Sender<u64>,
}

impl Master {
    fn new(number: Number, address: ServerAddress, probes: Vec<(u16, String)>) -> Self {
        let (current_probe, returns) = (AtomicUsize::new(0), watch::Sender::new(0));
        Self { number, address, probes, current_probe, returns }
    }

    /// Its number in the node_cache cache.
    pub(crate) fn index(&self) -> ServerIndex {
        ServerIndex(self.number.0)
    }

    /// Whether it may have tokens at all: some slots have none.
    pub(crate) fn may_have_tokens(&self) -> bool {
        !self.probes.is_empty()
    }

    /// A key in one of its slots that is never there: deleting it asks whether it takes writes.
    pub(crate) fn probe(&self) -> &str {
        let current = self.current_probe.load(Ordering::Relaxed);
        self.probes.get(current % self.probes.len().max(1)).map_or("", |(_, key)| key)
    }

    /// It answers again. Whoever takes it for lost should try now.
    pub(crate) fn has_returned(&self) {
        self.returns.send_modify(|returns| *returns += 1);
    }

    /// How often it has returned so far; tells of each time.
    pub(crate) fn returns(&self) -> watch::Receiver<u64> {
        self.returns.subscribe()
    }

    /// The slot of [`Master::probe`] is on the move: another one from now on.
    pub(crate) fn next_probe(&self) {
        self.current_probe.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether its probes are still its own when it has these slots.
    fn still_fits(&self, slots: &BTreeSet<u16>) -> bool {
        self.may_have_tokens() && self.probes.iter().all(|(slot, _)| slots.contains(slot))
    }
}

/// Who has what.
pub(crate) struct MasterMap {
    pub(crate) masters: Vec<Arc<Master>>,
    /// Per slot the place in `masters`; without it the first master has everything.
    owners: Option<Box<[u16]>>,
}

impl MasterMap {
    /// The map of one master that has everything, or of none.
    pub(crate) fn of_one(master: Option<Arc<Master>>) -> Self {
        Self { masters: master.into_iter().collect(), owners: None }
    }

    /// Whether a key's slot matters.
    pub(crate) fn is_by_slot(&self) -> bool {
        self.owners.is_some()
    }

    /// The master of a slot; `None` when nobody is known to have it.
    pub(crate) fn owner(&self, slot: u16) -> Option<&Arc<Master>> {
        match &self.owners {
            None => self.masters.first(),
            Some(owners) => self.masters.get(usize::from(*owners.get(usize::from(slot))?)),
        }
    }

    /// The master of a token.
    pub(crate) fn owner_of(&self, id: TokenId) -> Option<&Arc<Master>> {
        match &self.owners {
            None => self.masters.first(),
            Some(_) => self.owner(slot_of_tag(id.hash_tag())),
        }
    }

    /// Whether this is still one of the masters.
    pub(crate) fn has(&self, master: &Arc<Master>) -> bool {
        self.masters.iter().any(|other| Arc::ptr_eq(other, master))
    }

    /// Whether both are of the very same masters and slots.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.owners == other.owners
            && self.masters.len() == other.masters.len()
            && self.masters.iter().all(|master| other.has(master))
    }
}

/// Makes masters, each with a number of its own.
pub(crate) struct MasterRegistry {
    keys: Keys,
    numbers: Arc<Mutex<BTreeSet<u16>>>,
}

impl MasterRegistry {
    pub(crate) fn new(keys: Keys) -> Self {
        Self { keys, numbers: Arc::default() }
    }

    /// The map of one master that has everything: the known one, if it is still at this address.
    pub(crate) fn sole(&self, known: &MasterMap, address: ServerAddress) -> MasterMap {
        let same = known.masters.first().filter(|known| known.address == address).cloned();
        MasterMap::of_one(Some(same.unwrap_or_else(|| {
            let key = self.keys.probe();
            self.master(address, vec![(slot_of_key(key.as_bytes()), key)])
        })))
    }

    /// The map of a cluster. A master of which nothing important has changed stays the same one.
    ///
    /// # Errors
    /// When the cluster has too many masters.
    pub(crate) fn by_slot(&self, known: &MasterMap, ranges: Vec<SlotRange>) -> Result<MasterMap, String> {
        let mut slots: BTreeMap<ServerAddress, BTreeSet<u16>> = BTreeMap::new();
        for range in ranges {
            slots.entry(range.address).or_default().extend(range.first..=range.last);
        }
        if slots.len() > MAX_MASTERS {
            return Err(format!("the cluster has more than {MAX_MASTERS} masters"));
        }
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
        Ok(MasterMap { masters, owners: Some(owners) })
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

    /// A server that is not, or not yet, one of the masters: nothing it says is cached.
    pub(crate) fn guest(&self, address: ServerAddress) -> Arc<Master> {
        let number = Number(u16::MAX, self.numbers.clone());
        Arc::new(Master::new(number, address, Vec::new()))
    }

    fn master(&self, address: ServerAddress, probes: Vec<(u16, String)>) -> Arc<Master> {
        let number = Number::take(&self.numbers);
        Arc::new(Master::new(number, address, probes))
    }
}

/// The number of a master, nobody else's until this is dropped.
struct Number(u16, Arc<Mutex<BTreeSet<u16>>>);

impl Number {
    /// The lowest that is free. When all are taken, one that the node_cache cache keeps nothing for.
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

    /// MasterRegistry, and what is known of them.
    struct Known(MasterRegistry, Arc<MasterMap>);

    fn known() -> Known {
        Known(MasterRegistry::new(Keys::new("dw:")), Arc::new(MasterMap::of_one(None)))
    }

    /// Whether the map is another one than before.
    fn adopt(Known(masters, map): &mut Known, ranges: &[(u16, u16, &str)]) -> bool {
        let range = |&(first, last, host): &(u16, u16, &str)| SlotRange {
            first,
            last,
            address: ServerAddress::tcp(host, 1),
            node_id: host.into(),
            replicas: Vec::new(),
        };
        let next = masters.by_slot(map, ranges.iter().map(range).collect()).unwrap();
        let has_changed = !map.is_same(&next);
        if has_changed {
            *map = Arc::new(next);
        }
        has_changed
    }

    fn owner(known: &Known, slot: u16) -> Option<(String, u16)> {
        known.1.owner(slot).map(|master| (master.address.to_string(), master.index().0))
    }

    #[test]
    fn slots_find_their_master_and_the_others_find_none() {
        let mut known = known();
        assert_eq!(owner(&known, 0), None);
        adopt(&mut known, &[(0, 99, "a"), (200, 299, "a"), (100, 149, "b")]);
        let host = |slot| owner(&known, slot).map(|(address, _)| address);
        for (slot, address) in [(0, "a:1"), (99, "a:1"), (100, "b:1"), (149, "b:1"), (299, "a:1")] {
            assert_eq!(host(slot).as_deref(), Some(address), "{slot}");
        }
        assert_eq!([150, 300, 16_383, u16::MAX].map(host), [None, None, None, None]);
    }

    #[test]
    fn a_master_stays_the_same_while_its_probes_do() {
        let mut known = known();
        adopt(&mut known, &[(0, 8000, "a"), (8001, 16_383, "b")]);
        let (a, b) = (owner(&known, 0).unwrap(), owner(&known, 9000).unwrap());
        assert_ne!(a.1, b.1);
        assert!(!adopt(&mut known, &[(0, 8000, "a"), (8001, 16_383, "b")]));
        // a gains and loses a little, b loses the half and so its probes.
        assert!(adopt(
            &mut known,
            &[(1, 8000, "a"), (12_000, 16_383, "a"), (8001, 11_999, "b"), (0, 0, "c")]
        ));
        assert_eq!(owner(&known, 9000).unwrap().0, "b:1");
        assert_eq!(owner(&known, 1), Some(a));
        assert_ne!(owner(&known, 9000).unwrap().1, b.1, "nobody else's number while b was there");
    }

    #[test]
    fn a_number_is_free_again_once_nothing_of_its_master_is_left() {
        let mut known = known();
        adopt(&mut known, &[(0, 8000, "a"), (8001, 16_383, "b")]);
        let kept = known.1.owner(0).unwrap().clone();
        adopt(&mut known, &[(0, 16_383, "c")]);
        adopt(&mut known, &[(0, 16_383, "d")]);
        assert_ne!(owner(&known, 0).unwrap().1, kept.index().0);
        drop(kept);
        adopt(&mut known, &[(0, 5000, "e"), (5001, 10_000, "f"), (10_001, 16_383, "g")]);
        let numbers: BTreeSet<_> = [0, 6000, 11_000].map(|slot| owner(&known, slot).unwrap().1).into();
        assert!(numbers.iter().all(|number| *number < 4), "{numbers:?}");
    }

    #[test]
    fn probes_are_in_their_masters_slots() {
        let mut known = known();
        adopt(&mut known, &[(0, 2, "a"), (3, 3, "b"), (4, 16_383, "c")]);
        for (slot, count) in [(0, 1), (3, 1), (4, 3)] {
            let master = known.1.owner(slot).unwrap().clone();
            assert_eq!(master.probes.len(), count, "{slot}");
            for _ in 0..=count {
                let owner = known.1.owner(slot_of_key(master.probe().as_bytes())).cloned();
                assert!(Arc::ptr_eq(&owner.unwrap(), &master), "{}", master.probe());
                master.next_probe();
            }
        }
        // No shard tag is in slot 1.
        adopt(&mut known, &[(1, 1, "a")]);
        assert!(!known.1.owner(1).unwrap().may_have_tokens());
    }

    #[test]
    fn too_many_masters_are_refused() {
        let range = |n: u16| SlotRange {
            first: n,
            last: n,
            address: ServerAddress::tcp("a", n + 1),
            node_id: n.to_string(),
            replicas: Vec::new(),
        };
        let Known(masters, map) = known();
        assert!(masters.by_slot(&map, (0..MAX_MASTERS as u16).map(range).collect()).is_ok());
        assert!(masters.by_slot(&map, (0..=MAX_MASTERS as u16).map(range).collect()).is_err());
    }
}
