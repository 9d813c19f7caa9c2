//! Locks users.

use super::memory_store::MemoryStore;
use super::shard::edit;
use crate::model::event::{Event, EventKind};
use crate::model::token::Bars;
use crate::store::call::Call;
use crate::token_string::HashTag;

impl MemoryStore {
    pub(crate) fn set_lock(&self, user: &str, is_locked: bool, call: &Call<'_>) -> bool {
        let mut shard = self.shard(HashTag::of_user(user));
        let is_changed = match is_locked {
            true => shard.locked.insert(user.to_owned()),
            false => shard.locked.remove(user),
        };
        let active = shard.tokens_of(user).filter(|token| token.record.is_active);
        let ids: Vec<_> = active.map(|token| token.record.id).collect();
        for id in ids {
            if let Some(token) =
                shard.tokens.get_mut(&id).filter(|token| token.record.is_locked() != is_locked)
            {
                let record = edit(token);
                record.bars = record.bars.with(Bars::LOCKED, is_locked);
            }
        }
        if is_changed {
            let kind = if is_locked { EventKind::UserLocked } else { EventKind::UserUnlocked };
            self.emit(&mut shard, user, Event::new(kind, call.now_ms, call.actor));
        }
        is_changed
    }

    pub(crate) fn is_locked(&self, user: &str) -> bool {
        self.shard(HashTag::of_user(user)).locked.contains(user)
    }
}
