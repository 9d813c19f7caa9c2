//! Fronts: each thread's own copies of the entries that it uses most. A hit in a front takes no lock that another thread
//! wants, and writes no memory that another core reads.
//!
//! # Why a copy is never staler than the entry
//!
//! Each shard has a *generation*, a number that grows under the shard's lock whenever an entry that may have been copied
//! leaves the table: it is invalidated, replaced or evicted. A copy is made under the same lock, and keeps the generation
//! of that moment. A look at a copy makes three steps, in this order:
//!
//! 1. It finds the copy in the thread's front.
//! 2. It judges lease and epoch, as for an entry (`Leases::may_serve`).
//! 3. It reads the generation, and serves the copy only if that is still the copy's.
//!
//! If step 3 finds the copy's generation, the entry was in the table at that moment, so at the moment of step 2 as well. A
//! look under the lock at the moment of step 3 would have found the same entry. Two conclusions:
//!
//! - *Invalidations that have arrived.* [`NearCache::invalidate`](super::near_cache::NearCache::invalidate) returns after
//!   the generation has grown. A look that begins afterwards reads the new generation and does not serve the copy.
//! - *Invalidations that were lost.* The heartbeat that made the lease of step 2 was applied after every invalidation that
//!   had been acknowledged before it was sent. If one of them was the copy's, the generation had grown before the lease
//!   did, so before step 2, and step 3 sees that. With step 3 before step 2, the invalidation and the heartbeat could both
//!   arrive between them.
//!
//! What differs from a look under the lock: an invalidation no longer waits for the looks under way. Such a look began
//! before the invalidation was acknowledged, so either answer is right.
//!
//! Copies hide hits from the table. So an entry that is passed by the eviction's hand counts as one that leaves: its copies
//! end, and the next look hits the table again.
//!
//! # Which entries are copied
//!
//! An entry is copied if its set has a vacant place, or if two of the thread's looks that missed the front in this set, one
//! after the other, were for this token. So a thread that walks through a million tokens copies few of them.

use std::borrow::Borrow;

use super::lease::{ReadOrigin, ServerIndex};
use super::table::Table;
use crate::sync::{Mutex, MutexGuard, PoisonError, thread_number};
use crate::token_string::TokenId;

/// The most fronts of a cache. If more threads look tokens up, some share a front; a look that finds its front in use does
/// without.
const MAX_FRONTS: usize = 64;
/// The most entries of a front.
const MAX_FRONT_ENTRIES: usize = 16_384;
/// The places of a set. A token has its place in one set.
const WAYS: usize = 4;

/// The fronts of a cache, by the number of the thread.
pub(crate) struct Fronts<H>(Box<[PaddedFront<H>]>);

/// A front on its own cache lines: threads that use two fronts do not slow each other down.
#[repr(align(128))]
struct PaddedFront<H>(Mutex<Front<H>>);

/// A thread's copies. It reserves its memory with the first one.
pub(crate) struct Front<H> {
    hits: u64,
    sets: Box<[Set]>,
    copies: Box<[Option<Copied<H>>]>,
    max_sets: usize,
}

/// The places of a set, so that a miss reads one line of memory. Tags are parts of token ids; 0 is none.
#[derive(Clone, Copy, Default)]
struct Set {
    tags: [u32; WAYS],
    /// The tag of the last look that found no copy and no vacant place.
    candidate: u32,
    /// The place that is replaced next.
    next: u32,
}

/// A copy of an entry.
pub(crate) struct Copied<H> {
    held: H,
    epoch: u64,
    generation: u64,
    id: TokenId,
    server: ServerIndex,
}

impl<H> Copied<H> {
    /// Copies the entry in this slot. `generation` is that of its shard, whose lock is held.
    pub(crate) fn of<V: Clone>(
        table: &mut Table<V>,
        slot: usize,
        id: TokenId,
        generation: u64,
    ) -> Option<Self>
    where
        H: From<V>,
    {
        table.mark_copied(slot);
        let entry = table.entry(slot)?;
        let ReadOrigin { server, epoch } = entry.origin();
        Some(Self { held: entry.value.clone().into(), epoch, generation, id, server })
    }

    pub(crate) fn held(&self) -> &H {
        &self.held
    }

    pub(crate) fn origin(&self) -> ReadOrigin {
        ReadOrigin { server: self.server, epoch: self.epoch }
    }

    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }

    /// Returns the copied value.
    pub(crate) fn value<V>(&self) -> &V
    where
        H: Borrow<V>,
    {
        self.held.borrow()
    }
}

impl<H> Fronts<H> {
    /// Returns fronts for a cache of this capacity.
    pub(crate) fn new(capacity_entries: usize) -> Self {
        // A power of two: a mask selects the front.
        let fronts = capacity_entries.clamp(1, MAX_FRONTS).next_power_of_two();
        let front = |_| PaddedFront(Mutex::new(Front::new(sets_of(capacity_entries))));
        Self((0..fronts).map(front).collect())
    }

    /// Returns the thread's front, unless another thread with the same front uses it now.
    #[inline]
    pub(crate) fn own(&self) -> Option<MutexGuard<'_, Front<H>>> {
        self.0[thread_number() & (self.0.len() - 1)].0.try_lock().ok()
    }

    /// Returns the hits of all fronts. Takes each front's lock in turn.
    pub(crate) fn hits(&self) -> u64 {
        let hits = |front: &PaddedFront<H>| front.0.lock().unwrap_or_else(PoisonError::into_inner).hits;
        self.0.iter().map(hits).sum()
    }
}

/// Returns the number of sets of a front, a power of two: as many entries as the cache has, up to the limit.
fn sets_of(capacity_entries: usize) -> usize {
    capacity_entries.clamp(WAYS, MAX_FRONT_ENTRIES).next_power_of_two() / WAYS
}

impl<H> Front<H> {
    fn new(max_sets: usize) -> Self {
        Self { hits: 0, sets: Box::default(), copies: Box::default(), max_sets }
    }

    /// Returns the number of the token's set, and its tag. The shard uses other bits of the id.
    #[inline]
    fn set_of(&self, id: &TokenId) -> (usize, u32) {
        let bits = id.random_bits();
        (bits as usize & (self.max_sets - 1), ((bits >> 24) as u32).max(1))
    }

    /// Returns the place of the token's copy, if there is one.
    #[inline]
    pub(crate) fn position(&self, id: &TokenId) -> Option<usize> {
        let (number, tag) = self.set_of(id);
        let set = self.sets.get(number)?;
        // All ways are compared before the first branch: which one matches cannot be predicted.
        let mut matching = 0_u32;
        for (way, other) in set.tags.iter().enumerate() {
            matching |= u32::from(*other == tag) << way;
        }
        while matching != 0 {
            let place = number * WAYS + matching.trailing_zeros() as usize;
            if self.copy(place).is_some_and(|copy| copy.id == *id) {
                return Some(place);
            }
            matching &= matching - 1;
        }
        None
    }

    #[inline]
    pub(crate) fn copy(&self, place: usize) -> Option<&Copied<H>> {
        self.copies.get(place)?.as_ref()
    }

    #[inline]
    pub(crate) fn count_hit(&mut self) {
        self.hits += 1;
    }

    /// Returns whether the token should be copied, now that its look has missed the front, and notes the miss.
    #[inline]
    pub(crate) fn wants(&mut self, id: &TokenId) -> bool {
        let (number, tag) = self.set_of(id);
        let Some(set) = self.sets.get_mut(number) else { return true };
        // An ended copy of the token itself is replaced, too.
        if set.candidate == tag || set.tags.contains(&tag) || set.tags.contains(&0) {
            return true;
        }
        set.candidate = tag;
        false
    }

    /// Adds a copy. Returns the one that it replaces, to be dropped outside the lock.
    pub(crate) fn add(&mut self, copied: Copied<H>) -> Option<Copied<H>> {
        let (number, tag) = self.set_of(&copied.id);
        if self.sets.is_empty() {
            self.sets = vec![Set::default(); self.max_sets].into();
            self.copies = (0..self.max_sets * WAYS).map(|_| None).collect();
        }
        let set = &mut self.sets[number];
        let own = set.tags.iter().position(|other| *other == tag);
        let way = own.or_else(|| set.tags.iter().position(|other| *other == 0)).unwrap_or_else(|| {
            let way = set.next as usize % WAYS;
            set.next = set.next.wrapping_add(1);
            way
        });
        (set.tags[way], set.candidate) = (tag, 0);
        self.copies[number * WAYS + way].replace(copied)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u64) -> TokenId {
        TokenId::parse(&format!("{:016x}", n.wrapping_mul(0x9E37_79B9_7F4A_7C15))).unwrap()
    }

    fn copied(n: u64) -> Copied<u64> {
        Copied { held: n, epoch: 1, generation: 0, id: id(n), server: ServerIndex(0) }
    }

    fn has(front: &Front<u64>, n: u64) -> bool {
        front.position(&id(n)).and_then(|place| front.copy(place)).is_some_and(|copy| copy.held == n)
    }

    #[test]
    fn a_full_set_takes_only_a_token_that_missed_it_twice_in_a_row() {
        let mut front = Front::new(1);
        for n in 1..=4 {
            assert!(front.wants(&id(n)), "{n}: there is room");
            assert!(front.add(copied(n)).is_none());
        }
        assert!((1..=4).all(|n| has(&front, n)) && !has(&front, 5));
        assert!(!front.wants(&id(5)) && !front.wants(&id(6)) && !front.wants(&id(5)), "alternating misses");
        assert!(front.wants(&id(5)));
        assert_eq!(front.add(copied(5)).map(|replaced| replaced.held), Some(1));
        assert!(has(&front, 5) && !has(&front, 1));
        assert!(front.wants(&id(5)), "its copy may have ended");
        assert_eq!(front.add(copied(5)).map(|replaced| replaced.held), Some(5), "one copy of a token");
    }

    #[test]
    fn a_front_reserves_memory_with_its_first_copy_and_never_more() {
        let mut front = Front::new(8);
        assert!(front.sets.is_empty() && front.copies.is_empty());
        (0..100).for_each(|n| {
            let _: Option<_> = front.add(copied(n));
        });
        assert_eq!((front.sets.len(), front.copies.len()), (8, 8 * WAYS));
    }

    #[test]
    fn fronts_are_as_large_as_their_cache_up_to_the_limit() {
        assert_eq!([0, 1, 5, 1_000_000].map(sets_of), [1, 1, 2, MAX_FRONT_ENTRIES / WAYS]);
    }
}
