//! A set of slots.

use super::slots::SLOTS;

const WORDS: usize = SLOTS / 64;

/// A set of slots.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct SlotSet(Box<[u64; WORDS]>);

impl Default for SlotSet {
    fn default() -> Self {
        Self(Box::new([0; WORDS]))
    }
}

impl SlotSet {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    pub(crate) fn contains(&self, slot: u16) -> bool {
        self.0.get(usize::from(slot / 64)).is_some_and(|word| word >> (slot % 64) & 1 == 1)
    }

    /// Returns the slots of this set that are not in `other`.
    pub(crate) fn without(&self, other: &Self) -> Self {
        let mut left = self.clone();
        left.0.iter_mut().zip(other.0.iter()).for_each(|(word, other)| *word &= !other);
        left
    }

    /// Adds the slots of `other`.
    pub(crate) fn add_all(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0.iter()).for_each(|(word, other)| *word |= other);
    }
}

impl FromIterator<u16> for SlotSet {
    fn from_iter<T: IntoIterator<Item = u16>>(slots: T) -> Self {
        let mut set = Self::default();
        for slot in slots {
            if let Some(word) = set.0.get_mut(usize::from(slot / 64)) {
                *word |= 1 << (slot % 64);
            }
        }
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_subtracted_and_joined() {
        let (some, others): (SlotSet, SlotSet) =
            ([0, 63, 64, 16_383].into_iter().collect(), [63, 100].into_iter().collect());
        let mut left = some.without(&others);
        assert!([0, 64, 16_383].iter().all(|slot| left.contains(*slot)) && !left.contains(63));
        left.add_all(&others);
        assert!([0, 63, 64, 100, 16_383].iter().all(|slot| left.contains(*slot)));
        assert!(!left.contains(u16::MAX) && !left.is_empty() && some.without(&some).is_empty());
    }
}
