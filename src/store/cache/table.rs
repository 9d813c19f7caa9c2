//! The entries of a shard: bounded, evicted by CLOCK (second chance). It takes no lock and judges no lease.
//!
//! A hash table with linear probing that holds the entries themselves. A look among many entries is a wait for memory: here
//! it is one line for the entry, and then the value. At most three of four slots are taken, so a slot takes 43 bytes for
//! each entry of a full table, beside the value.

use super::lease::{ReadOrigin, ServerIndex};
use crate::token_string::TokenId;

/// The first number of slots. It then doubles, but never past what the capacity needs.
const FIRST_SLOTS: usize = 16;

/// The entries. The fields that a hit reads and writes come first, in this order: they share a cache line with the shard's
/// lock, which moves to this core with the lock.
#[repr(C)]
pub(crate) struct Table<V> {
    hits: u64,
    slots: Vec<Option<Entry<V>>>,
    len: usize,
    /// The slot where the next search for an entry to evict starts.
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
    chances: Chances,
    /// A front may have a copy of it.
    pub(crate) is_copied: bool,
}

/// How often the hand passes an entry before it evicts it. A new entry gets one chance, because its slot may be the next
/// that the hand reaches.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Chances {
    None,
    One,
    /// After a hit.
    Two,
}

impl<V> Entry<V> {
    pub(crate) fn origin(&self) -> ReadOrigin {
        ReadOrigin { server: self.server, epoch: self.epoch }
    }
}

/// Returns the number of slots that these entries need: three of four are taken.
fn slots_for(entries: usize) -> usize {
    entries + entries / 3 + 1
}

impl<V> Table<V> {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { hits: 0, slots: Vec::new(), len: 0, hand: 0, capacity, inserts: 0, evictions: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
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

    /// Returns the slot where the search for a token starts: its highest bits, scaled to the number of slots.
    #[inline]
    fn home(&self, id: &TokenId) -> usize {
        ((u128::from(id.random_bits()) * self.slots.len() as u128) >> 64) as usize
    }

    #[inline]
    fn after(&self, slot: usize) -> usize {
        if slot + 1 == self.slots.len() { 0 } else { slot + 1 }
    }

    /// Returns the slot of this token. There is always a vacant slot, where the search ends.
    #[inline]
    pub(crate) fn position(&self, id: &TokenId) -> Option<usize> {
        let mut slot = self.home(id);
        while let Some(entry) = self.slots.get(slot)? {
            if entry.id == *id {
                return Some(slot);
            }
            slot = self.after(slot);
        }
        None
    }

    /// Returns the slot of this token if the origin of its entry `passes`.
    #[inline]
    pub(crate) fn position_if(&self, id: &TokenId, passes: impl FnOnce(ReadOrigin) -> bool) -> Option<usize> {
        self.position(id).filter(|slot| self.entry(*slot).is_some_and(|entry| passes(entry.origin())))
    }

    /// Returns the entry in this slot.
    #[inline]
    pub(crate) fn entry(&self, slot: usize) -> Option<&Entry<V>> {
        self.slots.get(slot)?.as_ref()
    }

    /// Returns the value of this token, whatever its origin, without counting a hit.
    pub(crate) fn peek(&self, id: &TokenId) -> Option<&V> {
        self.entry(self.position(id)?).map(|entry| &entry.value)
    }

    /// Counts a hit on the entry in this slot.
    #[inline]
    pub(crate) fn count_hit(&mut self, slot: usize) {
        self.hits += 1;
        if let Some(Some(entry)) = self.slots.get_mut(slot)
            // Written only if needed: an unmodified cache line stays shared by all cores.
            && entry.chances != Chances::Two
        {
            entry.chances = Chances::Two;
        }
    }

    /// Notes that a front is about to copy the entry in this slot.
    pub(crate) fn mark_copied(&mut self, slot: usize) {
        if let Some(Some(entry)) = self.slots.get_mut(slot) {
            entry.is_copied = true;
        }
    }

    /// Inserts an entry. Returns what it displaced, to be dropped outside the lock: the same token's previous entry, or the
    /// entry itself if the capacity is 0. If the table is full, call [`evict`](Self::evict) before.
    pub(crate) fn insert(&mut self, id: TokenId, origin: ReadOrigin, value: V) -> Option<Entry<V>> {
        let mut fresh = Entry {
            value,
            epoch: origin.epoch,
            id,
            server: origin.server,
            chances: Chances::One,
            is_copied: false,
        };
        if self.capacity == 0 {
            return Some(fresh);
        }
        self.inserts += 1;
        if let Some(Some(entry)) = self.position(&id).and_then(|slot| self.slots.get_mut(slot)) {
            fresh.chances = entry.chances;
            return Some(std::mem::replace(entry, fresh));
        }
        if slots_for(self.len + 1) > self.slots.len() {
            self.grow();
        }
        self.len += 1;
        self.put(fresh);
        None
    }

    /// Evicts entries until there is room for this token. Returns the evicted one. `pass` is called when an entry that a
    /// front may have copied loses a chance: from then on it needs hits in the table, which the copies hide.
    pub(crate) fn evict(&mut self, id: &TokenId, mut pass: impl FnMut()) -> Option<Entry<V>> {
        if self.len < self.capacity || self.capacity == 0 || self.position(id).is_some() {
            return None;
        }
        // Ends: each pass takes a chance.
        loop {
            let hand = self.hand;
            let chances = match self.slots.get_mut(hand)? {
                None => Chances::One,
                Some(entry) => {
                    if std::mem::take(&mut entry.is_copied) {
                        pass();
                    }
                    let had = entry.chances;
                    entry.chances = if had == Chances::Two { Chances::One } else { Chances::None };
                    had
                }
            };
            if chances == Chances::None {
                self.evictions += 1;
                // Another entry may move into the slot, so the hand stays.
                return self.take(hand);
            }
            self.hand = self.after(hand);
        }
    }

    /// Removes the token's entry and returns it, to be dropped outside the lock.
    pub(crate) fn remove(&mut self, id: &TokenId) -> Option<Entry<V>> {
        self.take(self.position(id)?)
    }

    /// Puts an entry of a new token into the first vacant slot from its home on.
    fn put(&mut self, entry: Entry<V>) {
        let mut slot = self.home(&entry.id);
        while self.slots[slot].is_some() {
            slot = self.after(slot);
        }
        self.slots[slot] = Some(entry);
    }

    /// Takes an entry out and closes the gap, so that no search ends in it too early (Knuth, The Art of Computer
    /// Programming, volume 3, section 6.4, algorithm R).
    fn take(&mut self, slot: usize) -> Option<Entry<V>> {
        let taken = self.slots[slot].take()?;
        self.len -= 1;
        let (mut gap, mut slot) = (slot, self.after(slot));
        while let Some(entry) = &self.slots[slot] {
            // An entry may move back to the gap, but not to before its home.
            if self.distance(self.home(&entry.id), slot) >= self.distance(gap, slot) {
                self.slots.swap(gap, slot);
                gap = slot;
            }
            slot = self.after(slot);
        }
        Some(taken)
    }

    /// Returns how many slots `to` is after `from`, around the end.
    fn distance(&self, from: usize, to: usize) -> usize {
        if to >= from { to - from } else { to + self.slots.len() - from }
    }

    fn grow(&mut self) {
        let slots = (self.slots.len() * 2).max(FIRST_SLOTS).min(slots_for(self.capacity));
        let mut grown = Vec::new();
        grown.reserve_exact(slots);
        grown.resize_with(slots, || None);
        let entries = std::mem::replace(&mut self.slots, grown);
        entries.into_iter().flatten().for_each(|entry| self.put(entry));
        self.hand = 0;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    const ORIGIN: ReadOrigin = ReadOrigin { server: ServerIndex(0), epoch: 1 };

    /// Returns one of the ids that tests use, whose homes are spread.
    fn id(n: u64) -> TokenId {
        let n = n.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        TokenId::parse(&format!("{:016x}", n)).unwrap()
    }

    fn hit(table: &mut Table<u64>, token: &TokenId) -> Option<u64> {
        let slot = table.position_if(token, |_| true)?;
        table.count_hit(slot);
        table.entry(slot).map(|entry| entry.value)
    }

    fn put(table: &mut Table<u64>, token: TokenId, value: u64) -> Option<u64> {
        let evicted = table.evict(&token, || ());
        let displaced = table.insert(token, ORIGIN, value);
        evicted.or(displaced).map(|gone| gone.value)
    }

    /// Asserts what the table relies on between two calls.
    fn assert_sound(table: &Table<u64>) {
        assert!(table.len <= table.capacity);
        assert!(table.slots.capacity() <= slots_for(table.capacity), "no memory past the bound");
        assert!(table.hand < table.slots.len().max(1));
        let entries = table.slots.iter().enumerate().filter_map(|(at, slot)| Some((at, slot.as_ref()?)));
        assert_eq!(entries.clone().count(), table.len);
        for (at, entry) in entries {
            assert_eq!(table.position(&entry.id), Some(at), "every entry is found");
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
                    let removed = table.remove(&token).map(|gone| gone.value);
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
        assert!(table.len() > 40);
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
        let evicted = [3, 4].map(|n| put(&mut table, id(n), n).unwrap());
        assert!(!evicted.contains(&0), "0 had a hit: {evicted:?}");
        let evicted: Vec<_> = (5..11).map(|n| put(&mut table, id(n), n).unwrap()).collect();
        assert!(evicted.contains(&0), "no further hit, so its second chance is over: {evicted:?}");
        assert_eq!(table.evictions(), 8);
    }

    #[test]
    fn an_insert_replaces_the_same_token_and_capacity_0_keeps_nothing() {
        let mut table = Table::new(1);
        assert_eq!(put(&mut table, id(1), 10), None);
        assert_eq!(put(&mut table, id(1), 11), Some(10));
        assert_eq!((table.len(), table.evictions()), (1, 0));
        assert_eq!(table.remove(&id(1)).map(|gone| gone.value), Some(11));
        assert!(table.remove(&id(1)).is_none());
        assert_eq!(put(&mut Table::new(0), id(1), 12), Some(12));
    }

    #[test]
    fn an_entry_that_was_copied_is_told_when_it_leaves_or_loses_a_chance() {
        let mut table = Table::new(1);
        let copied = |table: &mut Table<u64>| {
            put(table, id(1), 10);
            let slot = table.position(&id(1)).unwrap();
            table.mark_copied(slot);
        };
        copied(&mut table);
        assert!(table.insert(id(1), ORIGIN, 11).unwrap().is_copied, "replaced");
        assert!(!table.remove(&id(1)).unwrap().is_copied, "its successor was not copied");
        copied(&mut table);
        assert!(table.remove(&id(1)).unwrap().is_copied, "removed");
        copied(&mut table);
        let mut passes = 0;
        let evicted = table.evict(&id(2), || passes += 1).unwrap();
        assert_eq!((passes, evicted.is_copied), (1, false), "the pass told it");
    }

    #[test]
    fn a_hit_writes_only_to_the_cache_line_of_the_lock() {
        assert_eq!(std::mem::offset_of!(Table<u64>, hits), 0);
        assert!(std::mem::offset_of!(Table<u64>, slots) + 3 * size_of::<usize>() + 8 <= 64);
    }

    #[test]
    fn an_entry_with_its_pointer_is_32_bytes() {
        assert_eq!(size_of::<Option<Entry<std::sync::Arc<u8>>>>(), 32);
        assert_eq!(size_of::<Option<Entry<Option<std::sync::Arc<u8>>>>>(), 32);
    }
}
