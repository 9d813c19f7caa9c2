//! Look-ups of many tokens at once.
//!
//! A look-up takes longest where it waits for memory: the index, the entry, the record, each known only once the one
//! before it has come. Here tokens go in groups. The memory of a whole group is touched first, so that the core waits
//! for all of it at once; a look-up each then finds it at hand.

use arrayvec::ArrayVec;

use super::near_cache::{Looked, NearCache};
use crate::token_string::TokenId;

/// Tokens of one group: enough that their waiting overlaps.
const GROUP: usize = 8;

impl<V: Clone> NearCache<V> {
    /// For each of these tokens what `use_it` makes of its place in the list and of what [`look`](Self::look) would
    /// give at `now_ms`, a reading of CLOCK_BOOTTIME in milliseconds taken for this very call. `fetch` is called before,
    /// for nothing but to touch the memory that `use_it` will need.
    ///
    /// Both run while shards are locked: they must be short, not wait, and not come back to the cache.
    pub fn look_each(
        &self,
        ids: &[TokenId],
        now_ms: u64,
        fetch: impl Fn(&V),
        mut use_it: impl FnMut(usize, Option<&V>) -> Looked<()>,
    ) {
        for (number, group) in ids.chunks(GROUP).enumerate() {
            self.fetch_group(group, &fetch);
            for (at, id) in group.iter().enumerate() {
                self.look(id, now_ms, |value| use_it(number * GROUP + at, value));
            }
        }
    }

    /// A help and no more: whoever is locked, by others or twice by this group, is passed over. So nobody waits while
    /// locks are held.
    fn fetch_group(&self, group: &[TokenId], fetch: &impl Fn(&V)) {
        let held: ArrayVec<_, GROUP> =
            group.iter().filter_map(|id| Some((id, self.shard(id).try_lock().ok()?))).collect();
        let values: ArrayVec<_, GROUP> = held.iter().filter_map(|(id, state)| state.table.peek(id)).collect();
        values.into_iter().for_each(fetch);
    }
}
