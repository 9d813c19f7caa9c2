//! Tokens: show, change, touch.

use std::sync::Arc;

use super::memory_store::MemoryStore;
use super::shard::{UserShard, edit, lock};
use crate::model::event::{Event, EventKind};
use crate::model::token::{Bars, Token, TokenChange, TokenRecord, Touch};
use crate::store::call::Call;
use crate::store::live_tokens::LiveTokens;
use crate::store::rejection::{Outcome, Rejection};
use crate::token_string::{HashTag, TokenId};

impl MemoryStore {
    pub(crate) fn record(&self, id: TokenId) -> Option<Arc<TokenRecord>> {
        self.shard(id.hash_tag()).tokens.get(&id).map(|token| token.record.clone())
    }

    pub(crate) fn look<R>(&self, id: TokenId, use_it: impl FnOnce(Option<&Arc<TokenRecord>>) -> R) -> R {
        use_it(self.shard(id.hash_tag()).tokens.get(&id).map(|token| &token.record))
    }

    pub(crate) fn active_token(&self, id: TokenId) -> Option<Token> {
        self.shard(id.hash_tag()).tokens.get(&id).filter(|token| token.record.is_active).cloned()
    }

    pub(crate) fn token(&self, id: TokenId, now_ms: u64) -> Option<Token> {
        let shard = self.shard(id.hash_tag());
        shard.tokens.get(&id).filter(|token| self.is_visible(token, now_ms)).cloned()
    }

    pub(crate) fn user_tokens(&self, user: &str, now_ms: u64) -> Vec<Token> {
        let shard = self.shard(HashTag::of_user(user));
        let mut tokens: Vec<_> =
            shard.tokens_of(user).filter(|token| self.is_visible(token, now_ms)).cloned().collect();
        tokens.sort_by_key(Token::listing_key);
        tokens
    }

    pub(crate) fn change(&self, id: TokenId, change: &TokenChange, call: &Call<'_>) -> Outcome<Token> {
        let mut shard = self.shard(id.hash_tag());
        shard.requests.refuse_repeat(call.once, call.now_ms)?;
        let found = match change.revoke {
            Some(_) => self.purge_expired_then_find(&mut shard, id, call.now_ms),
            None => self.prune_then_find(&mut shard, id, call.now_ms),
        };
        let token = found.ok_or(Rejection::NotFound)?;
        if !token.record.is_active {
            return if change.edits() { Err(Rejection::Revoked) } else { Ok(token.clone()) };
        }
        let ends_at_ms = allowed_end(token, change, call.now_ms)?;
        let happened = apply(edit(token), change, ends_at_ms, call.now_ms)?;
        let user = token.record.user().to_owned();
        let acts = change.retimes() && token.record.takeover.is_some();
        let acts_until_ms = acts.then_some(token.record.expires_at_ms);
        let happened: Vec<_> =
            happened.into_iter().map(|kind| Event::of_token(kind, call.now_ms, call.actor, token)).collect();
        for event in happened {
            self.emit(&mut shard, &user, event);
        }
        // A takeover ends with its token.
        if let (Some(expires_at_ms), Some(history)) = (acts_until_ms, shard.takeovers.get_mut(&id)) {
            history.token_expires_at_ms = expires_at_ms;
        }
        if let Some(reason) = change.revoke {
            self.revoke(&mut shard, id, reason, call);
        }
        if change.revoke.is_some() || change.retimes() {
            self.prune_user(&mut shard, &user, call.now_ms);
        }
        shard.requests.remember(call.once, Some(id), call.now_ms);
        shard.tokens.get(&id).cloned().ok_or(Rejection::NotFound)
    }

    /// Finds a visible token of this shard. A token that need not be kept is removed first.
    pub(crate) fn prune_then_find<'a>(
        &self,
        shard: &'a mut UserShard,
        id: TokenId,
        now_ms: u64,
    ) -> Option<&'a mut Token> {
        let token = shard.tokens.get(&id)?;
        if !self.is_kept(token, now_ms) {
            let user = token.record.user().to_owned();
            self.remove_token(shard, &user, id);
        }
        shard.tokens.get_mut(&id).filter(|token| self.is_visible(token, now_ms))
    }

    pub(crate) fn touch(&self, touches: &[Touch], now_ms: u64) {
        let mut renewed = Vec::new();
        for touch in touches {
            let mut shard = self.shard(touch.id.hash_tag());
            let shard = &mut *shard;
            let Some(token) =
                shard.tokens.get_mut(&touch.id).filter(|token| token.record.is_live(touch.since_ms()))
            else {
                continue;
            };
            token.last_access_ms = token.last_access_ms.max(touch.access_ms);
            let latest_ms = token.record.expires_at_ms.max(now_ms);
            let capped_ms = |to_ms: u64| to_ms.min(token.record.latest_renewal(touch.access_ms));
            let renew_to_ms = touch.renewal.map(|renewal| capped_ms(renewal.to_ms));
            if let Some(renew_to_ms) = renew_to_ms.filter(|to_ms| *to_ms > latest_ms) {
                edit(token).expires_at_ms = renew_to_ms;
                renewed.push(token.record.user().to_owned());
                // A takeover ends with its token.
                if let (true, Some(history)) =
                    (token.record.takeover.is_some(), shard.takeovers.get_mut(&touch.id))
                {
                    history.token_expires_at_ms = renew_to_ms;
                }
            }
        }
        // Last: the late touch of an access in time must come before its token is found to be expired.
        for user in renewed {
            self.prune_user(&mut self.shard(HashTag::of_user(&user)), &user, now_ms);
        }
    }
}

/// Returns the end of the token's life after a change.
///
/// # Errors
/// `UserLocked`, `LifetimeOver`, `ImportedEnd`: the token may not be changed so.
fn allowed_end(token: &Token, change: &TokenChange, now_ms: u64) -> Outcome<u64> {
    if token.record.is_locked() && change.opens() {
        return Err(Rejection::UserLocked);
    }
    let ends_at_ms = token.record.end_after(change, now_ms).ok_or(Rejection::LifetimeOver)?;
    let has_foreign_string = token.details.origin.is_some() && token.record.previous.is_empty();
    if has_foreign_string && ends_at_ms > token.record.ends_at_ms {
        return Err(Rejection::ImportedEnd);
    }
    Ok(ends_at_ms)
}

/// Makes a change of an active token, apart from its revocation. Returns the events.
///
/// # Errors
/// `Pending`, `RotatedTooOften`: nothing was changed.
fn apply(
    record: &mut TokenRecord,
    change: &TokenChange,
    ends_at_ms: u64,
    now_ms: u64,
) -> Outcome<Vec<EventKind>> {
    let mut happened = Vec::new();
    if let Some(rotation) = change.rotate {
        if !record.is_authenticated() {
            return Err(Rejection::Pending);
        }
        if !record.rotate(rotation, now_ms) {
            return Err(Rejection::RotatedTooOften);
        }
        happened.push(EventKind::TokenRotated);
    }
    if change.confirm && !record.is_authenticated() {
        record.bars = record.bars.with(Bars::PENDING, false);
        happened.push(EventKind::TokenConfirmed);
    }
    if let Some(slug) = &change.auth_slug {
        record.texts = record.texts.with_auth_slug(slug.as_deref());
    }
    if let Some(scopes) = &change.scopes {
        record.texts = record.texts.with_scopes(scopes.as_deref());
    }
    record.allowed_cookie = change.allowed_cookie.unwrap_or(record.allowed_cookie);
    record.allowed_header = change.allowed_header.unwrap_or(record.allowed_header);
    if change.retimes() {
        record.retime(change.idle_ms.unwrap_or(record.idle_ms), ends_at_ms, now_ms);
    }
    Ok(happened)
}

impl MemoryStore {
    /// Counts the live tokens, one shard after the other, so that no call waits for long.
    pub(crate) fn count_live_tokens(&self, now_ms: u64) -> LiveTokens {
        let (mut live, mut tokens) = (0, 0);
        for shard in &self.shards {
            let shard = lock(shard);
            live += shard.tokens.values().filter(|token| token.record.is_live(now_ms)).count();
            tokens += shard.tokens.len();
        }
        LiveTokens::counted(live as u64, tokens as u64)
    }
}
