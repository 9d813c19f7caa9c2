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
    /// A front may have a copy of it.
    is_copied: bool,
}

impl<V> Entry<V> {
    pub(crate) fn origin(&self) -> ReadOrigin {
        ReadOrigin { server: self.server, epoch: self.epoch }
    }

    fn displaced(self) -> Displaced<V> {
        Displaced { value: Some(self.value), ends_copies: self.is_copied }
    }
}

/// A value that is no longer in the table, to be dropped outside the lock, and whether copies in fronts have to end.
pub(crate) struct Displaced<V> {
    pub(crate) value: Option<V>,
    pub(crate) ends_copies: bool,
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

    /// Returns the position of this token if the origin of its entry `passes`.
    #[inline]
    pub(crate) fn position_if(&self, id: &TokenId, passes: impl FnOnce(ReadOrigin) -> bool) -> Option<usize> {
        self.position(id).filter(|at| self.entries.get(*at).is_some_and(|entry| passes(entry.origin())))
    }

    /// Returns the entry at this position.
    #[inline]
    pub(crate) fn entry(&self, at: usize) -> Option<&Entry<V>> {
        self.entries.get(at)
    }

    /// Counts a hit on the entry at this position.
    #[inline]
    pub(crate) fn count_hit(&mut self, at: usize) {
        self.hits += 1;
        if let Some(entry) = self.entries.get_mut(at)
            // Written only if needed: an unmodified cache line stays shared by all cores.
            && !entry.referenced
        {
            entry.referenced = true;
        }
    }

    /// Notes that a front is about to copy the entry at this position.
    pub(crate) fn mark_copied(&mut self, at: usize) {
        if let Some(entry) = self.entries.get_mut(at) {
            entry.is_copied = true;
        }
    }

    /// Inserts an entry. Displaces the same token's previous value, an evicted one, or `value` itself if the capacity is 0.
    pub(crate) fn insert(&mut self, id: TokenId, origin: ReadOrigin, value: V) -> Displaced<V> {
        if self.capacity == 0 {
            return Displaced { value: Some(value), ends_copies: false };
        }
        self.inserts += 1;
        let ReadOrigin { server, epoch } = origin;
        let mut fresh = Entry { value, epoch, id, server, referenced: false, is_copied: false };
        if let Some(entry) = self.position(&id).and_then(|at| self.entries.get_mut(at)) {
            fresh.referenced = entry.referenced;
            return std::mem::replace(entry, fresh).displaced();
        }
        if self.entries.len() < self.capacity {
            self.reserve_one();
            self.entries.push(fresh);
            self.add_to_index(id, self.entries.len() - 1);
            return Displaced { value: None, ends_copies: false };
        }
        let (victim, passed_copied) = self.advance_to_victim();
        self.remove_from_index(victim);
        let old = std::mem::replace(&mut self.entries[victim], fresh);
        self.add_to_index(id, victim);
        // The hand reaches the new entry last.
        self.hand = (victim + 1) % self.entries.len();
        self.evictions += 1;
        let evicted = old.displaced();
        Displaced { ends_copies: evicted.ends_copies || passed_copied, ..evicted }
    }

    pub(crate) fn remove(&mut self, id: &TokenId) -> Option<Displaced<V>> {
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
        Some(removed.displaced())
    }

    /// Moves the hand to the next entry without a hit since its last pass. Returns that position, and whether the hand passed
    /// an entry that was copied: its copies hide its hits, so they have to end. Takes at most one round, because passing an
    /// entry clears its mark.
    fn advance_to_victim(&mut self) -> (usize, bool) {
        let mut passed_copied = false;
        while std::mem::take(&mut self.entries[self.hand].referenced) {
            passed_copied |= std::mem::take(&mut self.entries[self.hand].is_copied);
            self.hand = (self.hand + 1) % self.entries.len();
        }
        (self.hand, passed_copied)
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

    fn hit(table: &mut Table<u64>, token: &TokenId) -> Option<u64> {
        let at = table.position_if(token, |_| true)?;
        table.count_hit(at);
        table.entry(at).map(|entry| entry.value)
    }

    fn put(table: &mut Table<u64>, token: TokenId, value: u64) -> Option<u64> {
        table.insert(token, ORIGIN, value).value
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
                    put(&mut table, token, step);
                    map.insert(token, step);
                }
                8..11 => {
                    let removed = table.remove(&token).and_then(|gone| gone.value);
                    let kept = map.remove(&token);
                    assert!(removed.is_none() || removed == kept);
                }
                _ => {
                    if let Some(value) = hit(&mut table, &token) {
                        assert_eq!(
                            Some(&value),
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
            assert_eq!(put(&mut table, id(n), n), None);
        }
        assert_eq!(hit(&mut table, &id(0)), Some(0));
        assert!(table.position(&id(1)).is_some(), "found without a hit");
        assert_eq!(put(&mut table, id(3), 3), Some(1), "0 had a hit, so 1 is evicted");
        assert_eq!(put(&mut table, id(4), 4), Some(2));
        assert_eq!(put(&mut table, id(5), 5), Some(0), "no further hit, so its second chance is over");
        assert_eq!(table.evictions(), 3);
    }

    #[test]
    fn an_insert_replaces_the_same_token_and_capacity_0_keeps_nothing() {
        let mut table = Table::new(1);
        assert_eq!(put(&mut table, id(1), 10), None);
        assert_eq!(put(&mut table, id(1), 11), Some(10));
        assert_eq!((table.len(), table.evictions()), (1, 0));
        assert_eq!(table.remove(&id(1)).and_then(|gone| gone.value), Some(11));
        assert!(table.remove(&id(1)).is_none());
        assert_eq!(put(&mut Table::new(0), id(1), 12), Some(12));
    }

    #[test]
    fn the_copies_of_an_entry_end_when_it_leaves_or_is_passed() {
        let mut table = Table::new(2);
        let copied = |table: &mut Table<u64>| {
            put(table, id(1), 10);
            table.mark_copied(table.position(&id(1)).unwrap());
        };
        copied(&mut table);
        assert!(table.insert(id(1), ORIGIN, 11).ends_copies, "replaced");
        assert!(!table.remove(&id(1)).unwrap().ends_copies, "its successor was not copied");
        copied(&mut table);
        assert!(table.remove(&id(1)).unwrap().ends_copies, "removed");
        copied(&mut table);
        hit(&mut table, &id(1));
        put(&mut table, id(2), 20);
        assert!(table.insert(id(3), ORIGIN, 30).ends_copies, "passed");
        assert!(!table.insert(id(4), ORIGIN, 40).ends_copies, "evicted after its copies have ended");
        assert!(table.position(&id(1)).is_none());
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
