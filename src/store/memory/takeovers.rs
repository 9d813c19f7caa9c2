//! Takeovers: kept with the token that acts, and indexed by the user taken over.

use std::sync::MutexGuard;

use super::memory_store::MemoryStore;
use super::shard::{SHARDS, UserShard, edit, lock};
use super::takeover_history::{StartedTakeover, TakenOver, TakenOverEntry, TakeoverHistory};
use crate::model::event::{Event, EventKind};
use crate::model::revoke_reason::RevokeReason;
use crate::model::takeover::{
    ActiveTakeover, EndedTakeover, MAX_TAKEOVERS_PER_TOKEN, MAX_TAKEOVERS_PER_USER, NewTakeover, Takeover,
    TakeoverId,
};
use crate::model::token::Token;
use crate::store::call::Call;
use crate::store::rejection::{Outcome, Rejection};
use crate::token_string::{HashTag, TokenId};

impl MemoryStore {
    pub(crate) fn start_takeover(&self, new: &NewTakeover, call: &Call<'_>) -> Outcome<Takeover> {
        self.index_takeover(new, call.now_ms);
        let started = self.start_indexed_takeover(new, call);
        if started.is_err() {
            self.unindex_takeover(new);
        }
        started
    }

    fn start_indexed_takeover(&self, new: &NewTakeover, call: &Call<'_>) -> Outcome<Takeover> {
        let mut shard = self.shard(new.token.hash_tag());
        let token = self.prune_then_find(&mut shard, new.token, call.now_ms).ok_or(Rejection::NotFound)?;
        let record = token.record.clone();
        if !record.is_active {
            return Err(Rejection::Revoked);
        }
        if record.is_locked() {
            return Err(Rejection::UserLocked);
        }
        if !record.is_authenticated() {
            return Err(Rejection::Pending);
        }
        if record.user() == new.user {
            return Err(Rejection::OwnUser);
        }
        self.close_takeover(&mut shard, new.token, RevokeReason::Replaced, call);
        let history = shard.takeovers.entry(new.token).or_insert_with(|| TakeoverHistory {
            actor: record.user().to_owned(),
            token_expires_at_ms: 0,
            takeovers: Vec::new(),
        });
        history.token_expires_at_ms = record.expires_at_ms;
        let takeover = StartedTakeover { new: new.clone(), created_at_ms: call.now_ms, ended_at_ms: None };
        history.takeovers.push(takeover);
        let surplus = history.takeovers.len().saturating_sub(MAX_TAKEOVERS_PER_TOKEN);
        history.takeovers.drain(..surplus);
        if let Some(token) = shard.tokens.get_mut(&new.token) {
            let NewTakeover { id, user, reason, ends_at_ms, .. } = new.clone();
            let active = ActiveTakeover { id, user, reason, created_at_ms: call.now_ms, ends_at_ms };
            edit(token).takeover = Some(Box::new(active));
            let started = takeover_event(EventKind::TakeoverStarted, token, (new.id, &new.user), call);
            self.emit(&mut shard, record.user(), started);
        }
        Ok(Takeover {
            id: new.id,
            token: new.token,
            actor: record.user().to_owned(),
            user: new.user.clone(),
            reason: new.reason.clone(),
            created_at_ms: call.now_ms,
            ends_at_ms: new.ends_at_ms,
            ended_at_ms: None,
        })
    }

    /// The reverse-index entries of all users of a shard.
    fn taken_over(&self, user: &str) -> MutexGuard<'_, TakenOver> {
        lock(&self.taken_over[HashTag::of_user(user).index() % SHARDS])
    }

    fn index_takeover(&self, new: &NewTakeover, now_ms: u64) {
        let mut taken_over = self.taken_over(&new.user);
        let entries = taken_over.entry(new.user.clone()).or_default();
        entries.retain(|entry| entry.kept_until_ms > now_ms);
        let kept_until_ms = new.ends_at_ms + self.limits.takeover_retention_ms;
        entries.push(TakenOverEntry { token: new.token, takeover: new.id, kept_until_ms });
        entries.sort_by_key(|entry| entry.kept_until_ms);
        let surplus = entries.len().saturating_sub(MAX_TAKEOVERS_PER_USER);
        entries.drain(..surplus);
    }

    fn unindex_takeover(&self, new: &NewTakeover) {
        if let Some(entries) = self.taken_over(&new.user).get_mut(&new.user) {
            entries.retain(|entry| entry.takeover != new.id);
        }
    }

    /// Erases the takeovers by this user's tokens, whether the tokens are still there or not, and the list of the takeovers
    /// of this user.
    pub(crate) fn erase_takeovers(&self, shard: &mut UserShard, user: &str) {
        for (_, history) in shard.takeovers.extract_if(|_, history| history.actor == user) {
            history.takeovers.iter().for_each(|takeover| self.unindex_takeover(&takeover.new));
        }
        self.taken_over(user).remove(user);
    }

    pub(crate) fn end_takeover(
        &self,
        id: TokenId,
        reason: RevokeReason,
        call: &Call<'_>,
    ) -> Option<EndedTakeover> {
        let mut shard = self.shard(id.hash_tag());
        let is_active = |token: &mut Token| token.record.is_active;
        let is_found = self.prune_then_find(&mut shard, id, call.now_ms).is_some_and(is_active);
        // No call sees an expired token, but a renewal under way must not revive its takeover.
        self.close_takeover(&mut shard, id, reason, call).filter(|_| is_found)
    }

    /// Ends the takeover of a token, if there is one. Returns it if it was still under way.
    pub(crate) fn close_takeover(
        &self,
        shard: &mut UserShard,
        id: TokenId,
        reason: RevokeReason,
        call: &Call<'_>,
    ) -> Option<EndedTakeover> {
        let token = shard.tokens.get_mut(&id).filter(|token| token.record.takeover.is_some())?;
        let record = edit(token);
        let actor = record.user().to_owned();
        let takeover = record.takeover.take().filter(|t| t.is_active(call.now_ms))?;
        let ended = takeover_event(EventKind::TakeoverEnded, token, (takeover.id, &takeover.user), call);
        let records = shard.takeovers.get_mut(&id).into_iter().flat_map(|history| &mut history.takeovers);
        for record in records.filter(|record| record.new.id == takeover.id) {
            record.ended_at_ms = Some(call.now_ms);
        }
        let kept_until_ms = call.now_ms + self.limits.takeover_retention_ms;
        for entry in self.taken_over(&takeover.user).get_mut(&takeover.user).into_iter().flatten() {
            if entry.takeover == takeover.id {
                entry.kept_until_ms = kept_until_ms;
            }
        }
        self.emit(shard, &actor, Event { reason: Some(reason), ..ended });
        Some(EndedTakeover { id: takeover.id, actor, user: takeover.user })
    }

    pub(crate) fn token_takeovers(&self, token: TokenId, now_ms: u64) -> Vec<Takeover> {
        let shard = self.shard(token.hash_tag());
        let all = shard.takeovers.get(&token).into_iter().flat_map(|history| history.shown(now_ms));
        let mut takeovers: Vec<_> = all.filter(|takeover| self.shows(takeover, now_ms)).collect();
        takeovers.sort_by_key(Takeover::listing_key);
        takeovers
    }

    pub(crate) fn user_takeovers(&self, user: &str, now_ms: u64) -> Vec<Takeover> {
        let mut tokens: Vec<TokenId> =
            self.taken_over(user).get(user).into_iter().flatten().map(|entry| entry.token).collect();
        tokens.sort_unstable();
        tokens.dedup();
        let all = tokens.into_iter().flat_map(|token| self.token_takeovers(token, now_ms));
        let mut takeovers: Vec<_> = all.filter(|takeover| takeover.user == user).collect();
        takeovers.sort_by_key(Takeover::listing_key);
        takeovers.truncate(MAX_TAKEOVERS_PER_USER);
        takeovers
    }

    pub(crate) fn prune_takeovers(&self, shard: &mut UserShard, now_ms: u64) {
        shard
            .takeovers
            .retain(|_, history| history.shown(now_ms).any(|takeover| self.shows(&takeover, now_ms)));
    }

    fn shows(&self, takeover: &Takeover, now_ms: u64) -> bool {
        takeover.is_visible(now_ms, self.limits.takeover_retention_ms)
    }
}

pub(crate) fn takeover_event(
    kind: EventKind,
    token: &Token,
    (id, taken_over): (TakeoverId, &str),
    call: &Call<'_>,
) -> Event {
    Event {
        takeover: Some(id),
        taken_over: Some(taken_over.to_owned()),
        ..Event::of_token(kind, call.now_ms, call.actor, token)
    }
}
