//! A bounded map whose entries can be gone through by age.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

/// The memory that a value takes beside the map's own.
pub(crate) trait Weigh {
    /// Its bytes on the heap.
    fn heap_bytes(&self) -> usize;
}

/// The bounds of a map.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// The most entries.
    pub(crate) entries: usize,
    /// The most bytes of the values on the heap.
    pub(crate) heap_bytes: usize,
}

struct AgedEntry<V> {
    /// When it was put, on the boot time clock.
    at_ms: u64,
    value: V,
}

/// A map in the order of putting. At a bound, the oldest entry goes.
pub(crate) struct AgedMap<K, V> {
    bounds: Bounds,
    entries: HashMap<K, AgedEntry<V>>,
    /// Times and keys, oldest first. An entry that was put again is in it twice: only the newer time counts.
    order: VecDeque<(u64, K)>,
    /// Entries beyond their age that may not go yet, oldest first.
    overdue: VecDeque<(u64, K)>,
    heap_bytes: usize,
}

impl<K: Clone + Eq + Hash, V: Weigh> AgedMap<K, V> {
    pub(crate) fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            entries: HashMap::new(),
            order: VecDeque::new(),
            overdue: VecDeque::new(),
            heap_bytes: 0,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.heap_bytes
    }

    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        self.entries.get(key).map(|entry| &entry.value)
    }

    /// The entries, each with the time of putting.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, u64, &V)> {
        self.entries.iter().map(|(key, entry)| (key, entry.at_ms, &entry.value))
    }

    /// Puts an entry, in place of an older one of this key. Returns how many entries went at a bound.
    pub(crate) fn put(&mut self, at_ms: u64, key: K, value: V) -> u64 {
        self.heap_bytes += value.heap_bytes();
        if let Some(old) = self.entries.insert(key.clone(), AgedEntry { at_ms, value }) {
            self.heap_bytes -= old.value.heap_bytes();
        }
        self.order.push_back((at_ms, key));
        // A key that is put again and again must not fill the queue.
        if self.order.len() > 2 * self.entries.len() + 16 {
            let entries = &self.entries;
            self.order.retain(|(at_ms, key)| entries.get(key).is_some_and(|entry| entry.at_ms == *at_ms));
        }
        let mut forgotten = 0;
        while self.entries.len() > self.bounds.entries || self.heap_bytes > self.bounds.heap_bytes {
            let Some((at_ms, key)) = self.overdue.pop_front().or_else(|| self.order.pop_front()) else {
                break;
            };
            forgotten += u64::from(self.remove_if_of(at_ms, &key));
        }
        forgotten
    }

    pub(crate) fn remove(&mut self, key: &K) -> Option<V> {
        let entry = self.entries.remove(key)?;
        self.heap_bytes -= entry.value.heap_bytes();
        Some(entry.value)
    }

    /// Removes the entries that were put at `until_ms` or before and that `may_go`.
    pub(crate) fn forget(&mut self, until_ms: u64, may_go: impl Fn(&K, u64) -> bool) {
        let mut overdue = std::mem::take(&mut self.overdue);
        while self.order.front().is_some_and(|(at_ms, _)| *at_ms <= until_ms) {
            overdue.extend(self.order.pop_front());
        }
        overdue.retain(|(at_ms, key)| {
            if may_go(key, *at_ms) {
                self.remove_if_of(*at_ms, key);
                return false;
            }
            self.entries.get(key).is_some_and(|entry| entry.at_ms == *at_ms)
        });
        self.overdue = overdue;
    }

    /// Removes the entry of this key, if it was put at this time. Returns whether it was.
    fn remove_if_of(&mut self, at_ms: u64, key: &K) -> bool {
        let is_current = self.entries.get(key).is_some_and(|entry| entry.at_ms == at_ms);
        is_current && self.remove(key).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Bytes(usize);

    impl Weigh for Bytes {
        fn heap_bytes(&self) -> usize {
            self.0
        }
    }

    fn keys(map: &AgedMap<u32, Bytes>) -> Vec<u32> {
        let mut keys: Vec<_> = map.iter().map(|(key, ..)| *key).collect();
        keys.sort_unstable();
        keys
    }

    #[test]
    fn at_a_bound_the_oldest_entry_goes() {
        let mut map = AgedMap::new(Bounds { entries: 3, heap_bytes: 100 });
        assert_eq!([1, 2, 3].map(|key| map.put(u64::from(key), key, Bytes(1))), [0, 0, 0]);
        assert_eq!(map.put(4, 1, Bytes(1)), 0, "1 is the newest again");
        assert_eq!(map.put(5, 4, Bytes(1)), 1);
        assert_eq!(keys(&map), [1, 3, 4]);
        assert_eq!(map.put(6, 5, Bytes(98)), 1, "by bytes");
        assert_eq!((keys(&map), map.heap_bytes()), (vec![1, 4, 5], 100));
        assert_eq!(map.put(7, 6, Bytes(101)), 4, "too large for the map");
        assert_eq!((map.len(), map.heap_bytes()), (0, 0));
    }

    #[test]
    fn entries_go_by_age_if_they_may() {
        let mut map = AgedMap::new(Bounds { entries: 10, heap_bytes: 100 });
        for key in 1..=4 {
            map.put(u64::from(key), key, Bytes(1));
        }
        map.put(9, 1, Bytes(1));
        map.forget(3, |key, _| *key != 2);
        assert_eq!(keys(&map), [1, 2, 4], "2 may not go, 1 was put again, 4 is younger");
        map.forget(3, |_, _| true);
        assert_eq!(keys(&map), [1, 4]);
        map.remove(&4);
        map.put(10, 4, Bytes(1));
        map.forget(9, |_, _| true);
        assert_eq!(keys(&map), [4], "the time of a removed entry does not count for the next");
    }

    #[test]
    fn a_key_that_is_put_again_and_again_takes_no_more_memory() {
        let mut map = AgedMap::new(Bounds { entries: 10, heap_bytes: 100 });
        for at_ms in 0..10_000 {
            map.put(at_ms, 7, Bytes(1));
        }
        assert!(map.order.len() < 32, "{}", map.order.len());
    }
}
