//! The entries of one shard: bounded, evicted by CLOCK (second chance). Holds no lock and judges no validity.
//!
//! Entries lie in one vector, at most `capacity` of them, and an index of their 4-byte positions finds them by
//! id: about 40 bytes an entry beside its value.

use hashbrown::HashTable;

use super::lease::{Origin, ServerIndex};
use crate::token_string::TokenId;

/// More entries than this in one shard are never kept: positions are 4 bytes.
const MAX_CAPACITY: usize = u32::MAX as usize;
/// The vector starts with this many entries and then doubles, but never past the capacity.
const FIRST_ENTRIES: usize = 16;

/// What a hit reads and writes comes first and in this order: with the shard's lock it is in one line of memory, which
/// moves to this core with the lock. The vector's length may be in the next; hits do not write there.
#[repr(C)]
pub(crate) struct Table<V> {
    hits: u64,
    index: HashTable<u32>,
    slots: Vec<Slot<V>>,
    /// Where the next search for an entry to evict starts.
    hand: usize,
    capacity: usize,
    inserts: u64,
    evictions: u64,
}

/// One entry. The origin lies flat in it, which saves 8 bytes.
pub(crate) struct Slot<V> {
    pub(crate) value: V,
    epoch: u64,
    id: TokenId,
    server: ServerIndex,
    /// Used since the hand last passed.
    referenced: bool,
}

impl<V> Slot<V> {
    pub(crate) fn origin(&self) -> Origin {
        Origin { server: self.server, epoch: self.epoch }
    }
}

/// An entry that was looked up.
pub(crate) struct Found<'a, V> {
    slot: &'a mut Slot<V>,
    hits: &'a mut u64,
}

impl<'a, V> Found<'a, V> {
    #[inline]
    pub(crate) fn value(&self) -> &V {
        &self.slot.value
    }

    /// The entry answered a look-up.
    #[inline]
    pub(crate) fn count_hit(self) -> &'a V {
        if !self.slot.referenced {
            // Only then: what is not written stays in the caches of all cores.
            self.slot.referenced = true;
        }
        *self.hits += 1;
        &self.slot.value
    }
}

impl<V> Table<V> {
    pub(crate) fn new(capacity: usize) -> Self {
        let capacity = capacity.min(MAX_CAPACITY);
        let (index, slots) = (HashTable::new(), Vec::new());
        Self { hits: 0, index, slots, hand: 0, capacity, inserts: 0, evictions: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(crate) fn hits(&self) -> u64 {
        self.hits
    }

    pub(crate) fn inserts(&self) -> u64 {
        self.inserts
    }

    pub(crate) fn evictions(&self) -> u64 {
        self.evictions
    }

    #[inline]
    fn position(&self, id: &TokenId) -> Option<usize> {
        let slots = &self.slots;
        self.index.find(id.random_bits(), |&at| slots[at as usize].id == *id).map(|&at| at as usize)
    }

    /// The value of this token, whatever its origin. No hit.
    pub(crate) fn peek(&self, id: &TokenId) -> Option<&V> {
        self.slots.get(self.position(id)?).map(|slot| &slot.value)
    }

    pub(crate) fn find(&mut self, id: &TokenId) -> Option<&mut Slot<V>> {
        let at = self.position(id)?;
        self.slots.get_mut(at)
    }

    /// The entry of this token, if its origin passes. No hit until it is counted.
    #[inline]
    pub(crate) fn find_if(
        &mut self,
        id: &TokenId,
        passes: impl FnOnce(Origin) -> bool,
    ) -> Option<Found<'_, V>> {
        let at = self.position(id)?;
        let slot = self.slots.get_mut(at).filter(|slot| passes(slot.origin()))?;
        Some(Found { slot, hits: &mut self.hits })
    }

    /// Puts an entry in and gives back the value that had to go for it, if any: the same token's former one,
    /// an evicted one, or the new one itself where the capacity is 0. To be dropped outside the lock.
    pub(crate) fn insert(&mut self, id: TokenId, origin: Origin, value: V) -> Option<V> {
        if self.capacity == 0 {
            return Some(value);
        }
        self.inserts += 1;
        let mut fresh = Slot { value, epoch: origin.epoch, id, server: origin.server, referenced: false };
        if let Some(slot) = self.find(&id) {
            fresh.referenced = slot.referenced;
            return Some(std::mem::replace(slot, fresh).value);
        }
        if self.slots.len() < self.capacity {
            self.reserve_one();
            self.slots.push(fresh);
            self.add_to_index(id, self.slots.len() - 1);
            return None;
        }
        let victim = self.advance_to_victim();
        self.remove_from_index(victim);
        let old = std::mem::replace(&mut self.slots[victim], fresh);
        self.add_to_index(id, victim);
        // The new entry is the last the hand will come to.
        self.hand = (victim + 1) % self.slots.len();
        self.evictions += 1;
        Some(old.value)
    }

    pub(crate) fn remove(&mut self, id: &TokenId) -> Option<V> {
        let slots = &self.slots;
        let found = self.index.find_entry(id.random_bits(), |&at| slots[at as usize].id == *id).ok()?;
        let at = found.remove().0 as usize;
        let last = self.slots.len() - 1;
        if at != last {
            // The last entry moves into the gap.
            self.remove_from_index(last);
            self.add_to_index(self.slots[last].id, at);
        }
        let removed = self.slots.swap_remove(at);
        if self.hand >= self.slots.len() {
            self.hand = 0;
        }
        Some(removed.value)
    }

    /// The first entry from the hand on that was not used since the hand passed it; at the latest after one
    /// round, because passing takes the mark away.
    fn advance_to_victim(&mut self) -> usize {
        while std::mem::take(&mut self.slots[self.hand].referenced) {
            self.hand = (self.hand + 1) % self.slots.len();
        }
        self.hand
    }

    fn reserve_one(&mut self) {
        let len = self.slots.len();
        if len == self.slots.capacity() {
            self.slots.reserve_exact(len.max(FIRST_ENTRIES).min(self.capacity - len));
        }
    }

    /// `id` need not be in its slot yet.
    fn add_to_index(&mut self, id: TokenId, at: usize) {
        let slots = &self.slots;
        self.index
            .insert_unique(id.random_bits(), at as u32, |&other| slots[other as usize].id.random_bits());
    }

    fn remove_from_index(&mut self, at: usize) {
        let bits = self.slots[at].id.random_bits();
        if let Ok(found) = self.index.find_entry(bits, |&other| other as usize == at) {
            found.remove();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    const ORIGIN: Origin = Origin { server: ServerIndex(0), epoch: 1 };

    fn id(n: u64) -> TokenId {
        TokenId::parse(&format!("{n:016}")).unwrap()
    }

    /// Everything the table relies on between two calls.
    fn assert_sound(table: &Table<u64>) {
        assert!(table.slots.len() <= table.capacity);
        assert!(table.slots.capacity() <= table.capacity, "no memory past the bound");
        assert_eq!(table.index.len(), table.slots.len());
        assert!(table.hand < table.slots.len().max(1));
        for (at, slot) in table.slots.iter().enumerate() {
            let found = table.index.find(slot.id.random_bits(), |&other| other as usize == at);
            assert!(found.is_some(), "slot {at} is in the index");
        }
    }

    #[test]
    fn it_agrees_with_a_map_whatever_is_done() {
        let (mut table, mut map) = (Table::new(50), HashMap::new());
        // A fixed walk (a full-period congruential generator), so that a failure repeats.
        let mut state = 1_u64;
        for step in 0..20_000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let token = id(state >> 33 & 127);
            match state >> 60 {
                0..8 => {
                    table.insert(token, ORIGIN, step);
                    map.insert(token, step);
                }
                8..11 => {
                    let removed = table.remove(&token);
                    let kept = map.remove(&token);
                    assert!(removed.is_none() || removed == kept);
                }
                _ => {
                    if let Some(value) = table.find_if(&token, |_| true).map(Found::count_hit) {
                        assert_eq!(Some(value), map.get(&token), "never another's, never a former value");
                    }
                }
            }
            assert_sound(&table);
        }
        assert_eq!(table.len(), 50);
        assert!(table.evictions() > 1000);
    }

    #[test]
    fn what_was_used_gets_a_second_chance() {
        let mut table = Table::new(3);
        for n in 0..3 {
            assert_eq!(table.insert(id(n), ORIGIN, n), None);
        }
        table.find_if(&id(0), |_| true).unwrap().count_hit();
        assert!(table.find_if(&id(1), |_| true).is_some(), "found and not used");
        assert_eq!(table.insert(id(3), ORIGIN, 3), Some(1), "0 was used, so 1 goes");
        assert_eq!(table.insert(id(4), ORIGIN, 4), Some(2));
        assert_eq!(table.insert(id(5), ORIGIN, 5), Some(0), "not used again, so its chance is over");
        assert_eq!(table.evictions(), 3);
    }

    #[test]
    fn the_same_token_is_replaced_and_nothing_fits_into_nothing() {
        let mut table = Table::new(1);
        assert_eq!(table.insert(id(1), ORIGIN, 10), None);
        assert_eq!(table.insert(id(1), ORIGIN, 11), Some(10));
        assert_eq!((table.len(), table.evictions()), (1, 0));
        assert_eq!(table.remove(&id(1)), Some(11));
        assert_eq!(table.remove(&id(1)), None);
        assert_eq!(Table::new(0).insert(id(1), ORIGIN, 12), Some(12));
    }

    #[test]
    fn a_hit_writes_to_the_line_of_the_lock() {
        assert_eq!(std::mem::offset_of!(Table<u64>, hits), 0);
        assert!(std::mem::offset_of!(Table<u64>, slots) + 2 * size_of::<usize>() + 8 <= 64);
    }

    #[test]
    fn an_entry_is_32_bytes_with_its_pointer() {
        assert_eq!(size_of::<Slot<std::sync::Arc<u8>>>(), 32);
    }
}
