//! The embedded store: shards of users under locks.

use super::shard::{SHARDS, Shard, edit, lock};
use super::takeover_history::prune_hints;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock};
use std::time::Duration;

use super::objects::Objects;
use super::takeover_history::TakenOver;
use crate::model::event::{Event, EventKind, RevokeReason};
use crate::model::token::Revocation;
use crate::store::call::Call;
use crate::store::feed::Feed;
use crate::store::limits::StoreLimits;
use crate::token_string::{HashTag, TokenId};

/// Shards that [`MemoryStore::prune_some`] looks at.
pub(crate) const SHARDS_PER_TURN: usize = 4;
/// The pause between two turns: all shards are looked at every 3.2 s.
pub(crate) const PRUNE_INTERVAL: Duration = Duration::from_millis(50);

/// See the module. All data of a user is in one shard, so every user operation holds one lock.
pub struct MemoryStore {
    shards: Vec<Mutex<Shard>>,
    pub(crate) limits: StoreLimits,
    pub(crate) max_tokens: usize,
    pub(crate) tokens: AtomicUsize,
    /// Locked after a shard, never before.
    pub(crate) objects: Mutex<Objects>,
    /// The same, in the order of the shards.
    pub(crate) taken_over: Vec<Mutex<TakenOver>>,
    /// The next shard to be pruned, modulo their number.
    next_pruned: AtomicUsize,
    token_key: OnceLock<String>,
    pub(crate) feed: Feed,
}

impl MemoryStore {
    /// An empty store for at most `max_tokens` tokens.
    pub fn new(limits: StoreLimits, max_tokens: usize) -> Self {
        let shards = (0..SHARDS).map(|_| Mutex::default()).collect();
        let (tokens, token_key) = (AtomicUsize::new(0), OnceLock::new());
        Self {
            shards,
            limits,
            max_tokens,
            tokens,
            objects: Mutex::default(),
            taken_over: (0..SHARDS).map(|_| Mutex::default()).collect(),
            next_pruned: AtomicUsize::new(0),
            token_key,
            feed: Feed::default(),
        }
    }

    pub(crate) fn feed(&self) -> &Feed {
        &self.feed
    }

    pub(crate) fn shard(&self, tag: HashTag) -> MutexGuard<'_, Shard> {
        lock(&self.shards[tag.index() % SHARDS])
    }

    pub(crate) fn shared_token_key(&self, proposed: &str) -> String {
        self.token_key.get_or_init(|| proposed.to_owned()).clone()
    }

    pub(crate) fn stored_token_key(&self) -> Option<String> {
        self.token_key.get().cloned()
    }

    /// Removes what nobody can see any more from the next few shards, so that no call waits for long.
    pub(crate) fn prune_some(&self, now_ms: u64) {
        self.prune_shards(SHARDS_PER_TURN, now_ms);
    }

    pub(crate) fn prune_all(&self, now_ms: u64) {
        self.prune_shards(SHARDS, now_ms);
    }

    fn prune_shards(&self, count: usize, now_ms: u64) {
        for _ in 0..count {
            let place = self.next_pruned.fetch_add(1, Ordering::Relaxed) % SHARDS;
            let mut shard = lock(&self.shards[place]);
            let users: Vec<_> = shard.users.keys().cloned().collect();
            for user in users {
                self.prune(&mut shard, &user, now_ms);
            }
            self.prune_takeovers(&mut shard, now_ms);
            self.prune_events(&mut shard, now_ms);
            shard.devices.prune(now_ms);
            drop(shard);
            prune_hints(&mut lock(&self.taken_over[place]), now_ms);
        }
    }

    /// Revokes an active token of the shard. Its takeover ends, and it leaves the index of its objects.
    pub(crate) fn revoke(&self, shard: &mut Shard, id: TokenId, reason: RevokeReason, call: &Call<'_>) {
        self.close_takeover(shard, id, reason, call);
        let Some(token) = shard.tokens.get_mut(&id) else { return };
        edit(token).is_active = false;
        token.revoked = Some(Revocation { at_ms: call.now_ms, reason: Some(reason) });
        let user = token.record.user().to_owned();
        let details = token.details.clone();
        self.forget_in_objects(id, &details.related_objects);
        let revoked = Event::new(EventKind::TokenRevoked, call.now_ms, call.actor);
        self.emit(shard, &user, Event { token: Some(id), reason: Some(reason), ..revoked });
    }
}
