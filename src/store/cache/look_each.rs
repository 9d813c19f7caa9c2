//! Look-ups of many tokens at once.
//!
//! Most of a look-up's time is waiting for memory: the index, the entry, the record, each known only after the one
//! before it has been loaded. Here tokens are looked up in groups. The memory of a whole group is touched first, so that
//! the core waits for all of it at once; the look-ups then find it in the core's cache. They do without the fronts: a batch
//! rarely asks for the tokens that the thread used last.

use std::borrow::Borrow;

use arrayvec::ArrayVec;

use super::near_cache::{Looked, NearCache};
use crate::token_string::TokenId;

/// Tokens of a group: enough that their memory loads overlap.
const GROUP: usize = 8;

impl<V: Clone, H: From<V> + Borrow<V>> NearCache<V, H> {
    /// Calls `use_it` for each token, with its position in `ids` and the value as in [`look`](Self::look).
    ///
    /// `now_ms` is CLOCK_BOOTTIME in milliseconds, read for this call. `prefetch` is called first, only to touch the
    /// memory that `use_it` will need. Both run under shard locks: they must be short, must not wait, and must not call
    /// the cache.
    pub fn look_each(
        &self,
        ids: &[TokenId],
        now_ms: u64,
        prefetch: impl Fn(&V),
        mut use_it: impl FnMut(usize, Option<&V>) -> Looked<()>,
    ) {
        for (number, group) in ids.chunks(GROUP).enumerate() {
            self.prefetch_group(group, &prefetch);
            for (at, id) in group.iter().enumerate() {
                self.look_shared(id, now_ms, |value| use_it(number * GROUP + at, value));
            }
        }
    }

    /// Best-effort prefetch: a locked shard is skipped, also one locked by this group itself. So no thread waits while
    /// it holds locks.
    fn prefetch_group(&self, group: &[TokenId], prefetch: &impl Fn(&V)) {
        let held: ArrayVec<_, GROUP> =
            group.iter().filter_map(|id| Some((id, self.shard(id).try_lock().ok()?))).collect();
        let values: ArrayVec<_, GROUP> = held.iter().filter_map(|(id, state)| state.table.peek(id)).collect();
        values.into_iter().for_each(prefetch);
    }
}
