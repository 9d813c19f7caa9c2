//! Revokes tokens.

use super::memory_store::MemoryStore;
use super::shard::{UserShard, edit};
use crate::model::event::{Event, EventKind};
use crate::model::revoke_reason::RevokeReason;
use crate::model::token::{Bars, RecordVerdict, Revocation, Token};
use crate::store::call::Call;
use crate::token_string::{HashTag, SecretHash, TokenId};

impl MemoryStore {
    /// Revokes an active token of the shard. Its takeover ends, and it leaves the index of its objects.
    pub(crate) fn revoke(&self, shard: &mut UserShard, id: TokenId, reason: RevokeReason, call: &Call<'_>) {
        self.close_takeover(shard, id, reason, call);
        let Some(token) = shard.tokens.get_mut(&id) else { return };
        let record = edit(token);
        (record.is_active, record.bars) = (false, record.bars.with(Bars::LOCKED, false));
        token.revoked = Some(Revocation { at_ms: call.now_ms, reason: Some(reason) });
        let user = token.record.user().to_owned();
        let details = token.details.clone();
        let revoked = Event::of_token(EventKind::TokenRevoked, call.now_ms, call.actor, token);
        self.unindex_objects(id, &details.related_objects);
        self.emit(shard, &user, Event { reason: Some(reason), ..revoked });
        self.changes.revoked.add(reason, 1);
    }

    /// Finds a token to revoke. An expired token is removed at once, so that no renewal under way can revive it.
    pub(crate) fn purge_expired_then_find<'a>(
        &self,
        shard: &'a mut UserShard,
        id: TokenId,
        now_ms: u64,
    ) -> Option<&'a mut Token> {
        let token = shard.tokens.get(&id)?;
        if token.record.has_expired(now_ms) {
            let user = token.record.user().to_owned();
            let is_in_grace = self.is_kept(token, now_ms);
            self.remove_token(shard, &user, id);
            // The Redis store does so: there, a token past its grace is gone by its TTL, and no script knows its user.
            if is_in_grace {
                self.prune_user(shard, &user, now_ms);
            }
        }
        self.prune_then_find(shard, id, now_ms)
    }

    pub(crate) fn revoke_reused(
        &self,
        id: TokenId,
        secret_hash: &SecretHash,
        call: &Call<'_>,
    ) -> Option<String> {
        let mut shard = self.shard(id.hash_tag());
        let token = self.prune_then_find(&mut shard, id, call.now_ms)?;
        if token.record.judge(secret_hash, None, call.now_ms) != RecordVerdict::RotatedOut {
            return None;
        }
        let user = token.record.user().to_owned();
        let reused = Event::of_token(EventKind::ReuseDetected, call.now_ms, call.actor, token);
        self.emit(&mut shard, &user, reused);
        self.revoke(&mut shard, id, RevokeReason::Reuse, call);
        self.prune_user(&mut shard, &user, call.now_ms);
        Some(user)
    }

    pub(crate) fn revoke_user_tokens(
        &self,
        user: &str,
        except: Option<TokenId>,
        call: &Call<'_>,
    ) -> Vec<TokenId> {
        let mut shard = self.shard(HashTag::of_user(user));
        self.revoke_active(&mut shard, user, RevokeReason::AllOfUser, call, |token| {
            Some(token.record.id) != except
        })
    }

    /// Revokes the active tokens of a user that are `wanted`.
    pub(crate) fn revoke_active(
        &self,
        shard: &mut UserShard,
        user: &str,
        reason: RevokeReason,
        call: &Call<'_>,
        wanted: impl Fn(&Token) -> bool,
    ) -> Vec<TokenId> {
        self.prune_user(shard, user, call.now_ms);
        // No call sees an expired token, but a renewal under way must not revive one of these.
        self.retain_tokens(shard, user, |token| !(token.record.has_expired(call.now_ms) && wanted(token)));
        let active = shard
            .tokens_of(user)
            .filter(|token| token.record.is_active && self.is_visible(token, call.now_ms) && wanted(token));
        let ids: Vec<_> = active.map(|token| token.record.id).collect();
        for id in &ids {
            self.revoke(shard, *id, reason, call);
        }
        ids
    }
}
