//! Locks and erases users.

use super::memory_store::MemoryStore;
use super::shard::{UserShard, edit};
use crate::model::event::{Event, EventKind};
use crate::model::revoke_reason::RevokeReason;
use crate::model::token::Bars;
use crate::store::call::Call;
use crate::token_string::HashTag;

impl MemoryStore {
    pub(crate) fn erase_user(&self, user: &str, call: &Call<'_>) {
        // First, because the list of them is erased.
        for takeover in self.user_takeovers(user, call.now_ms) {
            let mut shard = self.shard(takeover.token.hash_tag());
            let token = shard.tokens.get(&takeover.token);
            let is_under_way = token
                .and_then(|token| token.record.takeover.as_ref())
                .is_some_and(|active| active.id == takeover.id && takeover.ended_at_ms.is_none());
            if is_under_way {
                let reason = RevokeReason::Erased;
                let ended = self.close_takeover(&mut shard, takeover.token, reason, call);
                self.changes.takeovers_ended.add(reason, usize::from(ended.is_some()));
            }
        }
        let mut shard = self.shard(HashTag::of_user(user));
        self.revoke_active(&mut shard, user, RevokeReason::Erased, call, |_| true);
        self.retain_tokens(&mut shard, user, |_| false);
        self.erase_devices(&mut shard, user, call);
        self.erase_takeovers(&mut shard, user);
        self.emit(&mut shard, user, Event::new(EventKind::UserErased, call.now_ms, call.actor));
        // After the events of the erasure, which are only in the feed.
        shard.events.remove(user);
    }

    fn erase_devices(&self, shard: &mut UserShard, user: &str, call: &Call<'_>) {
        shard.devices.prune_of(user, call.now_ms);
        let erased: Vec<_> = shard.devices.of(user).map(|key| (key.id, key.uuid.clone())).collect();
        for (id, uuid) in erased {
            shard.devices.remove(id);
            self.emit_device(shard, EventKind::DeviceEnded, (user, &uuid), call);
        }
    }
}

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
