//! The events of each user.

use super::memory_store::MemoryStore;
use super::shard::Shard;
use crate::model::event::Event;
use crate::store::feed::FeedEntry;
use crate::token_string::HashTag;

impl MemoryStore {
    /// Records an event of a user of this shard.
    pub(crate) fn emit(&self, shard: &mut Shard, user: &str, event: Event) {
        self.feed.push(FeedEntry::Event(user.to_owned(), event.clone()));
        if self.limits.events_per_user == 0 {
            return;
        }
        let events = shard.events.entry(user.to_owned()).or_default();
        events.push_front(event);
        events.truncate(self.limits.events_per_user);
    }

    pub(crate) fn user_events(&self, user: &str, now_ms: u64) -> Vec<Event> {
        let shard = self.shard(HashTag::of_user(user));
        let events = shard.events.get(user).into_iter().flatten();
        events.filter(|event| self.keeps(event, now_ms)).cloned().collect()
    }

    pub(crate) fn prune_events(&self, shard: &mut Shard, now_ms: u64) {
        shard.events.retain(|_, events| {
            events.retain(|event| self.keeps(event, now_ms));
            !events.is_empty()
        });
    }

    fn keeps(&self, event: &Event, now_ms: u64) -> bool {
        event.at_ms.saturating_add(self.limits.event_retention_ms) > now_ms
    }
}
