//! A bounded map that keeps what is used.

use std::collections::HashMap;
use std::hash::Hash;

/// A map of two generations: a new or used entry is in the young one. When that is full, it becomes the old one, and what
/// was left in the old one goes. Takes twice as long to forget an entry as to fill half of the map.
pub(crate) struct GenerationMap<K, V> {
    /// The most entries of a generation.
    capacity: usize,
    young: HashMap<K, V>,
    old: HashMap<K, V>,
}

impl<K: Hash + Eq + Copy, V: Copy> GenerationMap<K, V> {
    /// An empty map for at most `capacity` entries; it keeps none if that is below 2.
    pub(crate) fn new(capacity: usize) -> Self {
        Self { capacity: capacity / 2, young: HashMap::new(), old: HashMap::new() }
    }

    pub(crate) fn get(&mut self, key: &K) -> Option<V> {
        if let Some(value) = self.young.get(key) {
            return Some(*value);
        }
        let value = self.old.remove(key)?;
        self.insert(*key, value);
        Some(value)
    }

    pub(crate) fn insert(&mut self, key: K, value: V) {
        if self.capacity == 0 {
            return;
        }
        if self.young.len() >= self.capacity && !self.young.contains_key(&key) {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, value);
    }

    pub(crate) fn remove(&mut self, key: &K) {
        self.young.remove(key);
        self.old.remove(key);
    }

    pub(crate) fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn used_entries_stay_and_others_go() {
        let mut map = GenerationMap::new(8);
        map.insert(0, "used");
        map.insert(1, "unused");
        for key in 2..100 {
            map.insert(key, "new");
            assert_eq!(map.get(&0), Some("used"));
            assert!(map.len() <= 8);
        }
        assert_eq!((map.get(&1), map.get(&99)), (None, Some("new")));
        map.remove(&0);
        assert_eq!(map.get(&0), None);
    }

    #[test]
    fn a_map_without_room_keeps_nothing() {
        let mut map = GenerationMap::new(0);
        map.insert(1, 1);
        assert_eq!((map.get(&1), map.len()), (None, 0));
    }
}
