//! Issues tokens within the limits.

use std::sync::atomic::Ordering;

use super::memory_store::MemoryStore;
use super::shard::UserShard;
use crate::model::event::{Event, EventKind};
use crate::model::revoke_reason::RevokeReason;
use crate::model::token::Token;
use crate::store::call::Call;
use crate::store::error::StoreError;
use crate::store::limits::ROOM_PER_LOGIN;
use crate::store::rejection::{Outcome, Rejection};
use crate::token_string::{HashTag, TokenId};
use crate::values::OverLimit;

impl MemoryStore {
    pub(crate) fn issue(&self, token: &Token, call: &Call<'_>) -> Result<Outcome<Vec<TokenId>>, StoreError> {
        self.make_room_in_objects(&token.details.related_objects, call.now_ms);
        let mut shard = self.shard(HashTag::of_user(token.record.user()));
        if let Err(repeated) = shard.requests.refuse_repeat(call.once, call.now_ms) {
            return Ok(Err(repeated));
        }
        let outcome = self.issue_in(&mut shard, token, call)?;
        if outcome.is_ok() {
            shard.requests.remember(call.once, Some(token.record.id), call.now_ms);
        }
        Ok(outcome)
    }

    /// The error if no further token has room.
    pub(crate) fn full() -> StoreError {
        StoreError::Unavailable("the embedded store is full (memory-max-tokens)".into())
    }

    /// Issues a token of a user of this shard, and returns the tokens that were revoked for it.
    pub(crate) fn issue_in(
        &self,
        shard: &mut UserShard,
        token: &Token,
        call: &Call<'_>,
    ) -> Result<Outcome<Vec<TokenId>>, StoreError> {
        self.admit(shard, token, (EventKind::TokenIssued, self.limits.over_limit), call)
    }

    /// Adds a new token to a user of this shard, with an event of this kind. Returns the tokens that were revoked for it.
    pub(crate) fn admit(
        &self,
        shard: &mut UserShard,
        token: &Token,
        (event, over_limit): (EventKind, OverLimit),
        call: &Call<'_>,
    ) -> Result<Outcome<Vec<TokenId>>, StoreError> {
        let (id, user) = (token.record.id, token.record.user());
        let device = token.record.device().map(str::to_owned);
        if shard.locked.contains(user) {
            return Ok(Err(Rejection::UserLocked));
        }
        self.prune_user(shard, user, call.now_ms);
        if self.tokens.load(Ordering::Relaxed) >= self.max_tokens {
            return Err(Self::full());
        }
        if !self.index_objects(id, &token.details.related_objects) {
            return Ok(Err(Rejection::ObjectFull));
        }
        let Some(made_room) = self.make_room(shard, user, over_limit, call) else {
            return Ok(Err(Rejection::TooManyTokens));
        };
        shard.users.entry(user.to_owned()).or_default().push(id);
        shard.tokens.insert(id, token.clone());
        self.tokens.fetch_add(1, Ordering::Relaxed);
        let issued = Event::of_token(event, call.now_ms, call.actor, token);
        self.emit(shard, user, Event { device, ..issued });
        Ok(Ok(made_room))
    }

    /// Revokes the oldest live tokens and removes the oldest revoked ones until one more live token fits, at most
    /// [`ROOM_PER_LOGIN`] of each. `None` if no token may be revoked.
    fn make_room(
        &self,
        shard: &mut UserShard,
        user: &str,
        over_limit: OverLimit,
        call: &Call<'_>,
    ) -> Option<Vec<TokenId>> {
        let max = self.limits.max_tokens_per_user;
        if shard.users.get(user).map_or(0, Vec::len) < max {
            return Some(Vec::new());
        }
        if shard.tokens_of(user).filter(|token| token.record.is_active).count() >= max {
            // At the limit, expired tokens are not kept for the grace.
            self.retain_tokens(shard, user, |token| !token.record.has_expired(call.now_ms));
        }
        // Ties are broken by the locator, as in Redis.
        let by_age = |at_ms: u64, token: &Token| (at_ms, token.record.id.locator(), token.record.id);
        let live = shard.tokens_of(user).filter(|token| token.record.is_active);
        let mut live: Vec<_> = live.map(|token| by_age(token.record.created_at_ms, token)).collect();
        let surplus = (live.len() + 1).saturating_sub(max).min(ROOM_PER_LOGIN);
        if surplus > 0 && over_limit == OverLimit::RefuseNew {
            return None;
        }
        if surplus > 0 {
            live.sort_unstable();
        }
        let made_room: Vec<_> = live.into_iter().take(surplus).map(|(.., id)| id).collect();
        for id in &made_room {
            self.revoke(shard, *id, RevokeReason::Limit, call);
        }
        let revoked = shard.tokens_of(user).filter_map(|token| Some(by_age(token.revoked?.at_ms, token)));
        let mut revoked: Vec<_> = revoked.collect();
        let surplus = revoked.len().saturating_sub(max).min(ROOM_PER_LOGIN);
        if surplus > 0 {
            revoked.sort_unstable();
        }
        for (.., id) in revoked.into_iter().take(surplus) {
            self.remove_token(shard, user, id);
        }
        Some(made_room)
    }
}
