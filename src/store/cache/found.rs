//! Finding an entry that may be served: a copy in the thread's front, else the entry in the shard.

use std::borrow::Borrow;

use super::front::{Copied, Front};
use super::near_cache::{NearCache, ShardState};
use crate::sync::{MutexGuard, protection};
use crate::token_string::TokenId;

/// An entry that may be served, under the lock that holds it still.
pub(crate) enum Found<'a, V, H> {
    /// The place of a copy in the thread's front.
    InFront(MutexGuard<'a, Front<H>>, usize),
    /// The slot of the entry in its shard, and whether the thread's front wants a copy.
    InShard(MutexGuard<'a, ShardState<V>>, usize, bool),
}

impl<'a, V: Clone, H: From<V> + Borrow<V>> Found<'a, V, H> {
    /// Finds the token's entry if it may be served at `now_ms`. No lock is held if there is none.
    #[inline]
    pub(crate) fn of(cache: &'a NearCache<V, H>, id: &TokenId, now_ms: u64) -> Option<Self> {
        let mut wants_copy = false;
        if let Some(mut front) = cache.fronts.own() {
            let is_current = |copy: &Copied<H>| is_current(cache, id, copy, now_ms);
            match front.position(id).filter(|place| front.copy(*place).is_some_and(is_current)) {
                Some(place) => return Some(Self::InFront(front, place)),
                None => wants_copy = front.wants(id),
            }
        }
        Self::in_shard(cache, id, now_ms, wants_copy)
    }

    /// Finds the token's entry in its shard.
    #[inline]
    pub(crate) fn in_shard(
        cache: &'a NearCache<V, H>,
        id: &TokenId,
        now_ms: u64,
        wants_copy: bool,
    ) -> Option<Self> {
        let state = cache.lock(id);
        let slot = state.table.position_if(id, |origin| cache.leases.may_serve(origin, now_ms))?;
        Some(Self::InShard(state, slot, wants_copy))
    }

    /// Returns the value. There always is one.
    #[inline]
    pub(crate) fn value(&self) -> Option<&V> {
        match self {
            Self::InFront(front, place) => front.copy(*place).map(Copied::value),
            Self::InShard(state, slot, _) => state.table.entry(*slot).map(|entry| &entry.value),
        }
    }

    /// Returns what the thread's front holds.
    #[inline]
    pub(crate) fn held(&self) -> Option<&H> {
        match self {
            Self::InFront(front, place) => front.copy(*place).map(Copied::held),
            Self::InShard(..) => None,
        }
    }

    /// Counts a hit, and copies the entry to the thread's front if it wants one.
    #[inline]
    pub(crate) fn count_hit(self, cache: &NearCache<V, H>, id: &TokenId) {
        match self {
            Self::InFront(mut front, _) => front.count_hit(),
            Self::InShard(mut state, slot, wants_copy) => {
                state.table.count_hit(slot);
                if wants_copy {
                    copy_to_front(cache, id, state, slot);
                }
            }
        }
    }
}

/// Returns whether a copy may be served: the order of the two looks is what `front` rests on.
#[inline]
fn is_current<V: Clone, H: From<V> + Borrow<V>>(
    cache: &NearCache<V, H>,
    id: &TokenId,
    copy: &Copied<H>,
    now_ms: u64,
) -> bool {
    // The model check's other order.
    let early = protection("generation_last", false).then(|| cache.generation(id));
    cache.leases.may_serve(copy.origin(), now_ms)
        && protection("generation", copy.generation() == early.unwrap_or_else(|| cache.generation(id)))
}

#[cold]
fn copy_to_front<V: Clone, H: From<V> + Borrow<V>>(
    cache: &NearCache<V, H>,
    id: &TokenId,
    mut state: MutexGuard<'_, ShardState<V>>,
    slot: usize,
) {
    let copied = Copied::of(&mut state.table, slot, *id, cache.generation(id));
    drop(state);
    let Some(copied) = copied else { return };
    let replaced = cache.fronts.own().map(|mut front| front.add(copied));
    // Outside the front's lock, which the line above has released.
    drop(replaced);
}
