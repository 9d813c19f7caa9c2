//! Prunes: removes the entries that no call can see any more.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::memory_store::MemoryStore;
use super::shard::{SHARDS, UserShard, lock};
use super::takeover_history::prune_entries;
use crate::model::token::Token;
use crate::token_string::TokenId;

/// Shards that one turn of the worker prunes.
pub(crate) const SHARDS_PER_TURN: usize = 4;
/// The pause between two turns: every shard is pruned every 3.2 s.
pub(crate) const PRUNE_INTERVAL: Duration = Duration::from_millis(50);

impl MemoryStore {
    /// Prunes the next few shards, so that no call waits for long.
    pub(crate) fn prune_some(&self, now_ms: u64) {
        self.prune_shards(SHARDS_PER_TURN, now_ms);
    }

    /// Prunes all shards.
    pub(crate) fn prune_all(&self, now_ms: u64) {
        self.prune_shards(SHARDS, now_ms);
    }

    fn prune_shards(&self, count: usize, now_ms: u64) {
        for _ in 0..count {
            let place = self.next_pruned.fetch_add(1, Ordering::Relaxed) % SHARDS;
            let mut shard = lock(&self.shards[place]);
            let users: Vec<_> = shard.users.keys().cloned().collect();
            for user in users {
                self.prune_user(&mut shard, &user, now_ms);
            }
            self.prune_takeovers(&mut shard, now_ms);
            self.prune_events(&mut shard, now_ms);
            shard.devices.prune(now_ms);
            shard.uuids.prune(now_ms);
            shard.requests.prune(now_ms);
            self.aliases.fetch_sub(shard.aliases.prune(now_ms), Ordering::Relaxed);
            drop(shard);
            prune_entries(&mut lock(&self.taken_over[place]), now_ms);
        }
    }

    pub(crate) fn is_visible(&self, token: &Token, now_ms: u64) -> bool {
        token.is_visible(now_ms, self.limits.revoked_retention_ms)
    }

    /// Whether a token must be kept: while it is visible and for the grace after it. A node that could not reach the store
    /// may have renewals to write that were earned before the token expired.
    pub(crate) fn is_kept(&self, token: &Token, now_ms: u64) -> bool {
        self.is_visible(token, now_ms.saturating_sub(self.limits.stale_grace_ms))
    }

    /// Prunes the tokens of a user of this shard.
    pub(crate) fn prune_user(&self, shard: &mut UserShard, user: &str, now_ms: u64) {
        self.retain_tokens(shard, user, |token| self.is_kept(token, now_ms));
    }

    /// Removes the tokens of a user that `stays` does not keep.
    pub(crate) fn retain_tokens(&self, shard: &mut UserShard, user: &str, stays: impl Fn(&Token) -> bool) {
        let UserShard { tokens, users, .. } = shard;
        let Some(ids) = users.get_mut(user) else { return };
        ids.retain(|id| {
            let stays = tokens.get(id).is_some_and(&stays);
            if !stays && let Some(token) = tokens.remove(id) {
                self.tokens.fetch_sub(1, Ordering::Relaxed);
                if !token.details.related_objects.is_empty() {
                    self.unindex_objects(*id, &token.details.related_objects);
                }
            }
            stays
        });
        if ids.is_empty() {
            users.remove(user);
        }
    }

    /// Removes a token of a user of this shard.
    pub(crate) fn remove_token(&self, shard: &mut UserShard, user: &str, id: TokenId) {
        if shard.tokens.remove(&id).is_some() {
            self.tokens.fetch_sub(1, Ordering::Relaxed);
        }
        if let Some(ids) = shard.users.get_mut(user) {
            ids.retain(|other| *other != id);
        }
    }
}
