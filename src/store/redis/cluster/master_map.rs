//! The masters and their slots: one immutable `MasterMap`, replaced as a whole.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::address::ServerAddress;
use super::master::{MAX_MASTERS, Master, MasterNumbers, Probe};
use super::master_data::MasterData;
use super::slot_ranges::SlotRange;
use super::slot_set::SlotSet;
use super::slots::{SLOTS, hash_tag_in_slot, slot_of_key, slot_of_tag};
use crate::store::redis::schema::keys::Keys;
use crate::token_string::HashTag;

/// Probes of a master, each in another slot: a slot that is about to move answers for no key.
const PROBES_PER_MASTER: usize = 3;
/// The owner of a slot that no known master has.
const NO_OWNER: u16 = u16::MAX;

/// The masters, and which slots each of them owns.
pub(crate) struct MasterMap {
    pub(crate) masters: Vec<Arc<Master>>,
    /// The position in `masters`, for each slot. `None`: the first master owns all slots.
    owners: Option<Box<[u16]>>,
}

impl MasterMap {
    /// Returns the map of one master that owns everything, or of none.
    pub(crate) fn of_one(master: Option<Arc<Master>>) -> Self {
        Self { masters: master.into_iter().collect(), owners: None }
    }

    /// Returns whether the slot of a key decides its master.
    pub(crate) fn is_by_slot(&self) -> bool {
        self.owners.is_some()
    }

    /// Returns the number of slots without a master.
    pub(crate) fn uncovered_slots(&self) -> usize {
        self.owners.iter().flatten().filter(|owner| **owner == NO_OWNER).count()
    }

    /// Returns the master of a slot, if it is known.
    pub(crate) fn owner(&self, slot: u16) -> Option<&Arc<Master>> {
        match &self.owners {
            None => self.masters.first(),
            Some(owners) => self.masters.get(usize::from(*owners.get(usize::from(slot))?)),
        }
    }

    /// Returns the master of the keys with this hash tag, if it is known.
    pub(crate) fn owner_of(&self, hash_tag: HashTag) -> Option<&Arc<Master>> {
        match &self.owners {
            None => self.masters.first(),
            Some(_) => self.owner(slot_of_tag(hash_tag)),
        }
    }

    /// Returns the slots of a master: all of them, if it owns everything.
    pub(crate) fn slots_of(&self, master: &Arc<Master>) -> SlotSet {
        let slots = 0..SLOTS as u16;
        slots.filter(|slot| self.owner(*slot).is_some_and(|owner| Arc::ptr_eq(owner, master))).collect()
    }

    /// Returns the master at this address, if it is one.
    pub(crate) fn at(&self, address: &ServerAddress) -> Option<&Arc<Master>> {
        self.masters.iter().find(|master| master.address == *address)
    }

    /// Returns whether this object is still one of the masters.
    pub(crate) fn contains(&self, master: &Arc<Master>) -> bool {
        self.masters.iter().any(|other| Arc::ptr_eq(other, master))
    }

    /// Returns whether both maps have the same masters with the same slots.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.owners == other.owners
            && self.masters.len() == other.masters.len()
            && self.masters.iter().all(|master| other.contains(master))
    }
}

/// Creates the masters of a map, each with its own number, and keeps those that have not changed.
pub(crate) struct MasterRegistry {
    keys: Keys,
    numbers: MasterNumbers,
}

impl MasterRegistry {
    pub(crate) fn new(keys: Keys) -> Self {
        Self { keys, numbers: MasterNumbers::default() }
    }

    /// Returns the map of one master that owns everything: the known one, if it has this address.
    pub(crate) fn sole(&self, known: &MasterMap, address: ServerAddress) -> MasterMap {
        let same = known.masters.first().filter(|known| known.address == address).cloned();
        MasterMap::of_one(Some(same.unwrap_or_else(|| {
            let key = self.keys.probe();
            self.master(known, address, vec![Probe { slot: slot_of_key(key.as_bytes()), key }])
        })))
    }

    /// Returns the map of a cluster. A known master stays the same object if it keeps its address and the slots of its
    /// probes.
    ///
    /// # Errors
    /// If the cluster has more than [`MAX_MASTERS`] masters.
    pub(crate) fn by_slot(&self, known: &MasterMap, ranges: Vec<SlotRange>) -> Result<MasterMap, String> {
        let mut slots: BTreeMap<ServerAddress, BTreeSet<u16>> = BTreeMap::new();
        for range in ranges {
            slots.entry(range.address).or_default().extend(range.first..=range.last);
        }
        if slots.len() > MAX_MASTERS {
            return Err(format!("the cluster has more than {MAX_MASTERS} masters"));
        }
        let mut owners = vec![NO_OWNER; SLOTS].into_boxed_slice();
        let mut masters = Vec::with_capacity(slots.len());
        for (address, slots) in slots {
            for slot in &slots {
                if let Some(owner) = owners.get_mut(usize::from(*slot)) {
                    *owner = masters.len() as u16;
                }
            }
            let is_same = |known: &&Arc<Master>| known.address == address && known.has_probes_in(&slots);
            let same = known.masters.iter().find(is_same).cloned();
            masters.push(same.unwrap_or_else(|| self.master(known, address, self.probes_in(&slots))));
        }
        Ok(MasterMap { masters, owners: Some(owners) })
    }

    fn probes_in(&self, slots: &BTreeSet<u16>) -> Vec<Probe> {
        let usable: Vec<_> =
            slots.iter().filter_map(|slot| Some((*slot, hash_tag_in_slot(*slot)?))).collect();
        // Far apart: slots move in ranges.
        let spread = (1..=PROBES_PER_MASTER).map(|n| usable.get(usable.len() * n / (PROBES_PER_MASTER + 1)));
        let mut probes: Vec<_> =
            spread.flatten().map(|(slot, tag)| Probe { slot: *slot, key: self.keys.probe_at(tag) }).collect();
        probes.dedup_by_key(|probe| probe.slot);
        probes
    }

    /// Returns a server that is not, or not yet, one of the masters. Nothing that it answers is cached.
    pub(crate) fn untracked(&self, address: ServerAddress) -> Arc<Master> {
        Arc::new(Master::new(self.numbers.untracked(), address, Vec::new(), MasterData::new(false)))
    }

    fn master(&self, known: &MasterMap, address: ServerAddress, probes: Vec<Probe>) -> Arc<Master> {
        let data = match known.at(&address) {
            Some(former) => former.data.clone(),
            None => MasterData::new(known.masters.is_empty()),
        };
        Arc::new(Master::new(self.numbers.take(), address, probes, data))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A registry and the newest map.
    struct Known(MasterRegistry, Arc<MasterMap>);

    fn known() -> Known {
        Known(MasterRegistry::new(Keys::new("dw:")), Arc::new(MasterMap::of_one(None)))
    }

    /// Makes the next map from these ranges, and returns whether it differs from the one before.
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
    fn a_slot_has_the_master_of_its_range_or_none() {
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
    fn a_master_stays_the_same_while_it_has_the_slots_of_its_probes() {
        let mut known = known();
        adopt(&mut known, &[(0, 8000, "a"), (8001, 16_383, "b")]);
        let (a, b) = (owner(&known, 0).unwrap(), owner(&known, 9000).unwrap());
        assert_ne!(a.1, b.1);
        assert!(!adopt(&mut known, &[(0, 8000, "a"), (8001, 16_383, "b")]));
        // a gains and loses a few slots. b loses half of its slots, and so its probes.
        assert!(adopt(
            &mut known,
            &[(1, 8000, "a"), (12_000, 16_383, "a"), (8001, 11_999, "b"), (0, 0, "c")]
        ));
        assert_eq!(owner(&known, 9000).unwrap().0, "b:1");
        assert_eq!(owner(&known, 1), Some(a));
        assert_ne!(owner(&known, 9000).unwrap().1, b.1, "b's number was taken until then");
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
            let mut keys = BTreeSet::new();
            for _ in 0..=count {
                keys.insert(master.probe().to_owned());
                let owner = known.1.owner(slot_of_key(master.probe().as_bytes())).cloned();
                assert!(Arc::ptr_eq(&owner.unwrap(), &master), "{}", master.probe());
                master.next_probe();
            }
            assert_eq!(keys.len(), count, "{slot}");
        }
        // No hash tag is in slot 1.
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
