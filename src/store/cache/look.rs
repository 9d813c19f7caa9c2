//! Look-ups of one token: by its value, or by a function that sees it in place.

use std::borrow::Borrow;

use super::found::Found;
use super::near_cache::{Looked, NearCache};
use crate::token_string::TokenId;

impl<V: Clone, H: From<V> + Borrow<V>> NearCache<V, H> {
    /// Returns the token if it is cached and may be served at `now_ms`, and counts a hit.
    ///
    /// `now_ms` is CLOCK_BOOTTIME in milliseconds, read for this look-up.
    #[inline]
    pub fn get(&self, id: &TokenId, now_ms: u64) -> Option<V> {
        self.look(id, now_ms, |value| Looked::Hit(value.cloned()))
    }

    /// Returns the token like [`get`](Self::get), without counting a hit.
    pub fn peek(&self, id: &TokenId, now_ms: u64) -> Option<V> {
        self.look(id, now_ms, |value| Looked::NoHit(value.cloned()))
    }

    /// Calls `use_it` with the value that [`get`](Self::get) would return, and returns its result.
    ///
    /// Saves the clone: incrementing a reference count moves its cache line to this core, and the next core has to
    /// fetch it back. `use_it` decides whether the look counts as a hit; without an entry it never does.
    ///
    /// `use_it` runs under the lock of the shard or of the thread's front: it must be short, must not wait, and must not
    /// call the cache.
    #[inline]
    pub fn look<R>(&self, id: &TokenId, now_ms: u64, use_it: impl FnOnce(Option<&V>) -> Looked<R>) -> R {
        self.look_held(id, now_ms, |value, _| use_it(value))
    }

    /// Looks like [`look`](Self::look). `use_it` also gets what the thread's front holds, if it has a copy.
    #[inline]
    pub fn look_held<R>(
        &self,
        id: &TokenId,
        now_ms: u64,
        use_it: impl FnOnce(Option<&V>, Option<&H>) -> Looked<R>,
    ) -> R {
        let Some(found) = Found::of(self, id, now_ms) else { return use_it(None, None).outcome() };
        match use_it(found.value(), found.held()) {
            Looked::Hit(outcome) => {
                found.count_hit(self, id);
                outcome
            }
            Looked::NoHit(outcome) => outcome,
        }
    }

    /// Looks like [`look`](Self::look), past the fronts.
    pub(crate) fn look_shared<R>(
        &self,
        id: &TokenId,
        now_ms: u64,
        use_it: impl FnOnce(Option<&V>) -> Looked<R>,
    ) -> R {
        let Some(found) = Found::in_shard(self, id, now_ms, false) else { return use_it(None).outcome() };
        match use_it(found.value()) {
            Looked::Hit(outcome) => {
                found.count_hit(self, id);
                outcome
            }
            Looked::NoHit(outcome) => outcome,
        }
    }
}
