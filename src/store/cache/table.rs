//! The entries of a shard: bounded, evicted by CLOCK (second chance). It takes no lock and judges no lease.
//!
//! Entries are in one vector of at most `capacity`. An index of 4-byte positions finds them by token id. An entry takes
//! about 40 bytes beside its value.

use hashbrown::HashTable;

use super::lease::{ReadOrigin, ServerIndex};
use crate::token_string::TokenId;

/// The most entries of a shard: positions are 4 bytes.
const MAX_CAPACITY: usize = u32::MAX as usize;
/// The first size of the vector. It then doubles, but never past the capacity.
const FIRST_ENTRIES: usize = 16;

/// The entries. The fields that a hit reads and writes come first, in this order: they share a cache line with the shard's
/// lock, which moves to this core with the lock. The vector's length may be in the next line; hits do not write it.
#[repr(C)]
pub(crate) struct Table<V> {
    hits: u64,
    index: HashTable<u32>,
    entries: Vec<Entry<V>>,
    /// The position where the next search for an entry to evict starts.
    hand: usize,
    capacity: usize,
    inserts: u64,
    evictions: u64,
}

/// An entry. The fields of its origin are inlined, which saves 8 bytes.
pub(crate) struct Entry<V> {
    pub(crate) value: V,
    epoch: u64,
    id: TokenId,
    server: ServerIndex,
    /// A hit since the hand last passed.
    referenced: bool,
}

impl<V> Entry<V> {
    pub(crate) fn origin(&self) -> ReadOrigin {
        ReadOrigin { server: self.server, epoch: self.epoch }
    }
}

/// An entry that was found. It counts as a hit once [`count_hit`](Self::count_hit) is called.
pub(crate) struct FoundEntry<'a, V> {
    entry: &'a mut Entry<V>,
    hits: &'a mut u64,
}

impl<'a, V> FoundEntry<'a, V> {
    #[inline]
    pub(crate) fn value(&self) -> &V {
        &self.entry.value
    }

    /// Counts a hit and returns the value.
    #[inline]
    pub(crate) fn count_hit(self) -> &'a V {
        if !self.entry.referenced {
            // Written only if needed: an unmodified cache line stays shared by all cores.
            self.entry.referenced = true;
        }
        *self.hits += 1;
        &self.entry.value
    }
}

impl<V> Table<V> {
    pub(crate) fn new(capacity: usize) -> Self {
        let capacity = capacity.min(MAX_CAPACITY);
        let (index, entries) = (HashTable::new(), Vec::new());
        Self { hits: 0, index, entries, hand: 0, capacity, inserts: 0, evictions: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
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
        let entries = &self.entries;
        self.index.find(id.random_bits(), |&at| entries[at as usize].id == *id).map(|&at| at as usize)
    }

    /// Returns the value of this token, whatever its origin, without counting a hit.
    pub(crate) fn peek(&self, id: &TokenId) -> Option<&V> {
        self.entries.get(self.position(id)?).map(|entry| &entry.value)
    }

    pub(crate) fn find(&mut self, id: &TokenId) -> Option<&mut Entry<V>> {
        let at = self.position(id)?;
        self.entries.get_mut(at)
    }

    /// Returns the entry of this token if its origin `passes`.
    #[inline]
    pub(crate) fn find_if(
        &mut self,
        id: &TokenId,
        passes: impl FnOnce(ReadOrigin) -> bool,
    ) -> Option<FoundEntry<'_, V>> {
        let at = self.position(id)?;
        let entry = self.entries.get_mut(at).filter(|entry| passes(entry.origin()))?;
        Some(FoundEntry { entry, hits: &mut self.hits })
    }

    /// Inserts an entry and returns the value that it displaced: the same token's previous value, an evicted one, or
    /// `value` itself if the capacity is 0. To be dropped outside the lock.
    pub(crate) fn insert(&mut self, id: TokenId, origin: ReadOrigin, value: V) -> Option<V> {
        if self.capacity == 0 {
            return Some(value);
        }
        self.inserts += 1;
        let mut fresh = Entry { value, epoch: origin.epoch, id, server: origin.server, referenced: false };
        if let Some(entry) = self.find(&id) {
            fresh.referenced = entry.referenced;
            return Some(std::mem::replace(entry, fresh).value);
        }
        if self.entries.len() < self.capacity {
            self.reserve_one();
            self.entries.push(fresh);
            self.add_to_index(id, self.entries.len() - 1);
            return None;
        }
        let victim = self.advance_to_victim();
        self.remove_from_index(victim);
        let old = std::mem::replace(&mut self.entries[victim], fresh);
        self.add_to_index(id, victim);
        // The hand reaches the new entry last.
        self.hand = (victim + 1) % self.entries.len();
        self.evictions += 1;
        Some(old.value)
    }

    pub(crate) fn remove(&mut self, id: &TokenId) -> Option<V> {
        let entries = &self.entries;
        let found = self.index.find_entry(id.random_bits(), |&at| entries[at as usize].id == *id).ok()?;
        let at = found.remove().0 as usize;
        let last = self.entries.len() - 1;
        if at != last {
            // The last entry moves into the gap.
            self.remove_from_index(last);
            self.add_to_index(self.entries[last].id, at);
        }
        let removed = self.entries.swap_remove(at);
        if self.hand >= self.entries.len() {
            self.hand = 0;
        }
        Some(removed.value)
    }

    /// Moves the hand to the next entry without a hit since its last pass, and returns that position. Takes at most one
    /// round, because passing an entry clears its mark.
    fn advance_to_victim(&mut self) -> usize {
        while std::mem::take(&mut self.entries[self.hand].referenced) {
            self.hand = (self.hand + 1) % self.entries.len();
        }
        self.hand
    }

    fn reserve_one(&mut self) {
        let len = self.entries.len();
        if len == self.entries.capacity() {
            self.entries.reserve_exact(len.max(FIRST_ENTRIES).min(self.capacity - len));
        }
    }

    /// The entry at `at` need not hold `id` yet.
    fn add_to_index(&mut self, id: TokenId, at: usize) {
        let entries = &self.entries;
        self.index
            .insert_unique(id.random_bits(), at as u32, |&other| entries[other as usize].id.random_bits());
    }

    fn remove_from_index(&mut self, at: usize) {
        let bits = self.entries[at].id.random_bits();
        if let Ok(found) = self.index.find_entry(bits, |&other| other as usize == at) {
            found.remove();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    const ORIGIN: ReadOrigin = ReadOrigin { server: ServerIndex(0), epoch: 1 };

    fn id(n: u64) -> TokenId {
        TokenId::parse(&format!("{n:016}")).unwrap()
    }

    /// Asserts what the table relies on between two calls.
    fn assert_sound(table: &Table<u64>) {
        assert!(table.entries.len() <= table.capacity);
        assert!(table.entries.capacity() <= table.capacity, "no memory past the bound");
        assert_eq!(table.index.len(), table.entries.len());
        assert!(table.hand < table.entries.len().max(1));
        for (at, entry) in table.entries.iter().enumerate() {
            let found = table.index.find(entry.id.random_bits(), |&other| other as usize == at);
            assert!(found.is_some(), "entry {at} is in the index");
        }
    }

    #[test]
    fn the_table_agrees_with_a_map_after_every_step() {
        let (mut table, mut map) = (Table::new(50), HashMap::new());
        // A full-period congruential generator with a fixed seed, so that a failure repeats.
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
                    if let Some(value) = table.find_if(&token, |_| true).map(FoundEntry::count_hit) {
                        assert_eq!(
                            Some(value),
                            map.get(&token),
                            "neither another token's nor an older value"
                        );
                    }
                }
            }
            assert_sound(&table);
        }
        assert_eq!(table.len(), 50);
        assert!(table.evictions() > 1000);
    }

    #[test]
    fn an_entry_with_a_hit_is_evicted_one_round_later() {
        let mut table = Table::new(3);
        for n in 0..3 {
            assert_eq!(table.insert(id(n), ORIGIN, n), None);
        }
        table.find_if(&id(0), |_| true).unwrap().count_hit();
        assert!(table.find_if(&id(1), |_| true).is_some(), "found without a hit");
        assert_eq!(table.insert(id(3), ORIGIN, 3), Some(1), "0 had a hit, so 1 is evicted");
        assert_eq!(table.insert(id(4), ORIGIN, 4), Some(2));
        assert_eq!(table.insert(id(5), ORIGIN, 5), Some(0), "no further hit, so its second chance is over");
        assert_eq!(table.evictions(), 3);
    }

    #[test]
    fn an_insert_replaces_the_same_token_and_capacity_0_keeps_nothing() {
        let mut table = Table::new(1);
        assert_eq!(table.insert(id(1), ORIGIN, 10), None);
        assert_eq!(table.insert(id(1), ORIGIN, 11), Some(10));
        assert_eq!((table.len(), table.evictions()), (1, 0));
        assert_eq!(table.remove(&id(1)), Some(11));
        assert_eq!(table.remove(&id(1)), None);
        assert_eq!(Table::new(0).insert(id(1), ORIGIN, 12), Some(12));
    }

    #[test]
    fn a_hit_writes_only_to_the_cache_line_of_the_lock() {
        assert_eq!(std::mem::offset_of!(Table<u64>, hits), 0);
        assert!(std::mem::offset_of!(Table<u64>, entries) + 2 * size_of::<usize>() + 8 <= 64);
    }

    #[test]
    fn an_entry_with_its_pointer_is_32_bytes() {
        assert_eq!(size_of::<Entry<std::sync::Arc<u8>>>(), 32);
    }
}
