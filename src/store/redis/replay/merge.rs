//! Merging what is remembered into a master's data.
//!
//! The order is: endings first, then tokens and device keys, then takeovers, then the entries in other slots that name them.
//! Revocations and tokens go in batches; each other call is one device key, takeover or user.
//!
//! **Traces outlive what they forbid.** A trace is kept for `trace_ms` from the merge, which is after the ending, which is after
//! the change. A node merges no change older than `trace_ms`. So if it merges a change, the trace of its ending is still
//! there. A revoked record is a trace, too: for `revoked-retention`, and if that is short, a trace is written beside it. What
//! leaves no record when it ends leaves a trace at once: a removed device key, an unlocked or erased user, a removed cut-off.

use std::sync::Arc;

use redis::RedisError;
use redis::aio::MultiplexedConnection;

use super::entries::{Change, ChangeKey, Ending, EndingKey};
use super::memory::RememberedEndings;
use super::merge_counts::MergeCounts;
use super::merge_run::run;
use super::merged::{MergeTimes, Merged};
use crate::store::error::StoreError;
use crate::store::redis::cluster::pool::Priority;
use crate::store::redis::cluster::slots::slot_of_tag;
use crate::store::redis::errors::store_error;
use crate::store::redis::redis_store::RedisStore;
use crate::token_string::HashTag;
use crate::values::replay_window::least_retention_ms;

/// The most steps of one erasure in a merge: each erases a hundred things.
const ERASURE_STEPS: usize = 1000;

/// Changes whose calls are made at once: they are copied for it.
pub(super) const AT_ONCE: usize = 1024;

impl RedisStore {
    /// Writes what this node remembers into the slots that `is_in` names, revocations first. `connection` leads to their
    /// master, whose authority is proven. `now_ms` is the store's time. If nothing is remembered, there is no round trip.
    ///
    /// Idempotent, and whatever the order in which nodes merge, the result is the same. After the master was accepted, the
    /// caller passes the result to [`RedisStore::remove_entries_made_stale`].
    ///
    /// # Errors
    /// The connection broke, or the server refuses to be written to. A part may be written; merging again is safe.
    pub(crate) async fn merge_remembered(
        &self,
        connection: &mut MultiplexedConnection,
        is_in: &(impl Fn(u16) -> bool + Sync),
        now_ms: u64,
    ) -> Result<Merged, RedisError> {
        let mut merged = Merged::default();
        if self.replay.is_empty() {
            return Ok(merged);
        }
        let is_by_slot = self.topology.map().is_by_slot();
        let is_in = |tag: HashTag| !is_by_slot || is_in(slot_of_tag(tag));
        let times = self.merge_times(now_ms);
        // A trace may be gone after this time, so what is older is not created again. Its master was working meanwhile.
        let changes = self.replay.change_keys(times.trace_ms);
        self.merge_endings(connection, self.replay.endings(0, is_in), times, &mut merged).await?;

        let here: Vec<_> = changes.iter().filter(|key| is_in(key.hash_tag())).copied().collect();
        let (takeovers, others): (Vec<_>, Vec<_>) = here.into_iter().partition(is_takeover);
        self.merge_changes(connection, &others, times, &mut merged).await?;
        self.merge_changes(connection, &takeovers, times, &mut merged).await?;
        self.merge_entries(connection, &changes, &is_in, times, &mut merged).await?;
        Ok(merged)
    }

    /// Writes the endings of which this node has heard since `since_ms` on the boot time clock, as
    /// [`merge_remembered`](Self::merge_remembered) does.
    ///
    /// # Errors
    /// Likewise.
    pub(super) async fn merge_endings_since(
        &self,
        connection: &mut MultiplexedConnection,
        is_in: impl Fn(u16) -> bool,
        (since_ms, now_ms): (u64, u64),
    ) -> Result<Merged, RedisError> {
        let (mut merged, is_by_slot) = (Merged::default(), self.topology.map().is_by_slot());
        let endings = self.replay.endings(since_ms, |tag| !is_by_slot || is_in(slot_of_tag(tag)));
        self.merge_endings(connection, endings, self.merge_times(now_ms), &mut merged).await?;
        Ok(merged)
    }

    /// Merges what this node remembers into every master, over connections of its own, as after a failover of all of them.
    ///
    /// # Errors
    /// `Unavailable`: a part may be merged. Merging again is safe.
    pub async fn merge_everywhere(&self, now_ms: u64) -> Result<MergeCounts, StoreError> {
        let map = self.topology.map().clone();
        let mut counts = MergeCounts::default();
        for master in map.masters.iter().filter(|master| master.may_have_tokens()) {
            let connection = self.topology.connector.connect(&master.address).await;
            let mut connection = connection.map_err(store_error)?;
            let is_owned = |slot| map.owner(slot).is_some_and(|owner| Arc::ptr_eq(owner, master));
            let merged =
                self.merge_remembered(&mut connection, &is_owned, now_ms).await.map_err(store_error)?;
            self.remove_entries_made_stale(&merged, now_ms).await;
            counts += merged.counts;
        }
        Ok(counts)
    }

    fn merge_times(&self, now_ms: u64) -> MergeTimes {
        MergeTimes {
            now_ms,
            trace_ms: self.trace_ms(),
            least_ms: least_retention_ms(self.replay.window_ms()),
        }
    }

    /// Returns how long a trace of an ending is kept; 0 if nodes remember nothing.
    pub(crate) fn trace_ms(&self) -> u64 {
        match self.replay.is_on() {
            true => least_retention_ms(self.replay.window_ms()).max(self.limits.revoked_retention_ms),
            false => 0,
        }
    }

    /// Merges endings.
    async fn merge_endings(
        &self,
        connection: &mut MultiplexedConnection,
        RememberedEndings { mut revocations, others }: RememberedEndings,
        times: MergeTimes,
        merged: &mut Merged,
    ) -> Result<(), RedisError> {
        let (takeovers, others): (Vec<_>, Vec<_>) =
            others.into_iter().partition(|(key, _)| matches!(key, EndingKey::Takeover(_)));
        // Before the revocations, which would end these takeovers now.
        self.merge_other_endings(connection, &takeovers, times, merged).await?;
        run(connection, self.revocation_calls(&mut revocations, times), merged).await?;
        self.merge_other_endings(connection, &others, times, merged).await?;
        self.merge_erasures(connection, &others, times, merged).await
    }

    /// Merges endings besides the revocations of tokens, erasures excepted.
    async fn merge_other_endings(
        &self,
        connection: &mut MultiplexedConnection,
        endings: &[(EndingKey, Ending)],
        times: MergeTimes,
        merged: &mut Merged,
    ) -> Result<(), RedisError> {
        for some in endings.chunks(AT_ONCE) {
            let calls =
                some.iter().filter_map(|(key, ending)| self.ending_call(key, ending, times)).collect();
            run(connection, calls, merged).await?;
        }
        Ok(())
    }

    async fn merge_erasures(
        &self,
        connection: &mut MultiplexedConnection,
        endings: &[(EndingKey, Ending)],
        times: MergeTimes,
        merged: &mut Merged,
    ) -> Result<(), RedisError> {
        for (key, ending) in endings {
            let (EndingKey::Erasure(user), Ending::Erasure { at_ms }) = (key, ending) else { continue };
            for _ in 0..ERASURE_STEPS {
                // A call that fails is not repeated.
                merged.is_erased = true;
                run(connection, vec![self.erasure_call(user, *at_ms, times)], merged).await?;
                if merged.is_erased {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Merges these changes.
    async fn merge_changes(
        &self,
        connection: &mut MultiplexedConnection,
        keys: &[ChangeKey],
        times: MergeTimes,
        merged: &mut Merged,
    ) -> Result<(), RedisError> {
        for some in keys.chunks(AT_ONCE) {
            let (mut tokens, mut calls) = (Vec::new(), Vec::new());
            for (key, change) in self.replay.changes(some) {
                match (key, change) {
                    (ChangeKey::Token(id), Change::Token(token)) => tokens.push((id, token)),
                    (key, change) => calls.extend(self.change_call(key, &change, times)),
                }
            }
            calls.extend(self.token_calls(tokens, times));
            run(connection, calls, merged).await?;
        }
        Ok(())
    }

    /// Writes the entries of the changes that are in these slots: of related objects, of takeovers, of imported device keys, and
    /// aliases. They may be in other slots than what they name.
    async fn merge_entries(
        &self,
        connection: &mut MultiplexedConnection,
        keys: &[ChangeKey],
        is_in: &(impl Fn(HashTag) -> bool + Sync),
        times: MergeTimes,
        merged: &mut Merged,
    ) -> Result<(), RedisError> {
        for some in keys.chunks(AT_ONCE) {
            let mut calls = Vec::new();
            for (key, change) in self.replay.changes(some) {
                if merged.has_ended.contains(&key) {
                    continue;
                }
                let ended_at_ms = match key {
                    ChangeKey::Takeover(id) => {
                        let in_data = merged.takeover_ends.get(&id).copied();
                        in_data.or_else(|| self.replay.takeover_ended_at_ms(id))
                    }
                    _ => None,
                };
                self.entry_calls((&key, &change), ended_at_ms, times, &mut calls);
            }
            calls.retain(|(tag, _)| is_in(*tag));
            run(connection, calls.into_iter().map(|(_, call)| call).collect(), merged).await?;
        }
        Ok(())
    }

    /// Removes the reverse-index entries that a merge made stale. They may be in any slot.
    pub(crate) async fn remove_entries_made_stale(&self, merged: &Merged, now_ms: u64) {
        self.remove_stale_entries(Priority::Normal, &merged.stale, now_ms).await;
    }
}

fn is_takeover(key: &ChangeKey) -> bool {
    matches!(key, ChangeKey::Takeover(_))
}
