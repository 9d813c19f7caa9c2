//! Tokens: issue, show, change, revoke, touch.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::memory_store::MemoryStore;
use super::shard::{Shard, edit};
use crate::model::event::{Event, EventKind, RevokeReason};
use crate::model::token::{RecordVerdict, Token, TokenChange, TokenRecord, Touch};
use crate::store::call::Call;
use crate::store::error::StoreError;
use crate::store::limits::ROOM_PER_LOGIN;
use crate::store::rejection::{Outcome, Rejection};
use crate::token_string::{HashTag, SecretHash, TokenId};
use crate::values::OverLimit;

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

    pub(crate) fn issue(&self, token: &Token, call: &Call<'_>) -> Result<Outcome<Vec<TokenId>>, StoreError> {
        self.make_room_in_objects(&token.details.related_objects, call.now_ms);
        let mut shard = self.shard(HashTag::of_user(token.record.user()));
        self.issue_in(&mut shard, token, call)
    }

    /// Issues a token of a user of this shard.
    pub(crate) fn issue_in(
        &self,
        shard: &mut Shard,
        token: &Token,
        call: &Call<'_>,
    ) -> Result<Outcome<Vec<TokenId>>, StoreError> {
        let (id, user) = (token.record.id, token.record.user());
        let device = token.record.device().map(str::to_owned);
        self.prune(shard, user, call.now_ms);
        if self.tokens.load(Ordering::Relaxed) >= self.max_tokens {
            return Err(StoreError::Unavailable("the embedded store is full (memory-max-tokens)".into()));
        }
        if !self.index_objects(id, &token.details.related_objects) {
            return Ok(Err(Rejection::ObjectFull));
        }
        let Some(made_room) = self.make_room(shard, user, call) else {
            return Ok(Err(Rejection::TooManyTokens));
        };
        shard.users.entry(user.to_owned()).or_default().push(id);
        shard.tokens.insert(id, token.clone());
        self.tokens.fetch_add(1, Ordering::Relaxed);
        let issued = Event::new(EventKind::TokenIssued, call.now_ms, call.actor);
        self.emit(shard, user, Event { token: Some(id), device, ..issued });
        Ok(Ok(made_room))
    }

    pub(crate) fn change(&self, id: TokenId, change: &TokenChange, call: &Call<'_>) -> Outcome<Token> {
        let mut shard = self.shard(id.hash_tag());
        let found = match change.revoke {
            Some(_) => self.find_to_revoke(&mut shard, id, call.now_ms),
            None => self.find(&mut shard, id, call.now_ms),
        };
        let token = found.ok_or(Rejection::NotFound)?;
        if !token.record.is_active {
            return if change.edits() { Err(Rejection::Revoked) } else { Ok(token.clone()) };
        }
        let record = edit(token);
        let user = record.user().to_owned();
        let mut happened = Vec::new();
        if let Some(rotation) = change.rotate {
            if !record.is_authenticated {
                return Err(Rejection::Pending);
            }
            if !record.rotate(rotation, call.now_ms) {
                return Err(Rejection::RotatedTooOften);
            }
            happened.push(EventKind::TokenRotated);
        }
        if change.confirm && !record.is_authenticated {
            record.is_authenticated = true;
            happened.push(EventKind::TokenConfirmed);
        }
        if let Some(slug) = &change.auth_slug {
            record.texts = record.texts.with_auth_slug(slug.as_deref());
        }
        record.allowed_cookie = change.allowed_cookie.unwrap_or(record.allowed_cookie);
        record.allowed_header = change.allowed_header.unwrap_or(record.allowed_header);
        for kind in happened {
            let event = Event { token: Some(id), ..Event::new(kind, call.now_ms, call.actor) };
            self.emit(&mut shard, &user, event);
        }
        if let Some(reason) = change.revoke {
            self.revoke(&mut shard, id, reason, call);
            self.prune(&mut shard, &user, call.now_ms);
        }
        shard.tokens.get(&id).cloned().ok_or(Rejection::NotFound)
    }

    /// A token that is not past its time; one that is also past the grace goes for good.
    pub(crate) fn find<'a>(&self, shard: &'a mut Shard, id: TokenId, now_ms: u64) -> Option<&'a mut Token> {
        let token = shard.tokens.get(&id)?;
        if !self.is_kept(token, now_ms) {
            let user = token.record.user().to_owned();
            self.forget(shard, &user, id);
        }
        shard.tokens.get_mut(&id).filter(|token| self.is_visible(token, now_ms))
    }

    /// The same for an ending: an expired token goes at once, so that no renewal on its way can revive what was to end.
    pub(crate) fn find_to_revoke<'a>(
        &self,
        shard: &'a mut Shard,
        id: TokenId,
        now_ms: u64,
    ) -> Option<&'a mut Token> {
        let token = shard.tokens.get(&id)?;
        if token.record.has_expired(now_ms) {
            let user = token.record.user().to_owned();
            self.forget(shard, &user, id);
        }
        self.find(shard, id, now_ms)
    }

    pub(crate) fn revoke_reused(&self, id: TokenId, presented: &SecretHash, call: &Call<'_>) -> bool {
        let mut shard = self.shard(id.hash_tag());
        let Some(token) = self.find(&mut shard, id, call.now_ms) else { return false };
        if token.record.judge(presented, None, call.now_ms) != RecordVerdict::RotatedOut {
            return false;
        }
        let user = token.record.user().to_owned();
        let reused = Event::new(EventKind::ReuseDetected, call.now_ms, call.actor);
        self.emit(&mut shard, &user, Event { token: Some(id), ..reused });
        self.revoke(&mut shard, id, RevokeReason::Reuse, call);
        self.prune(&mut shard, &user, call.now_ms);
        true
    }

    pub(crate) fn user_tokens(&self, user: &str, now_ms: u64) -> Vec<Token> {
        let shard = self.shard(HashTag::of_user(user));
        let mut tokens: Vec<_> =
            shard.tokens_of(user).filter(|token| self.is_visible(token, now_ms)).cloned().collect();
        tokens.sort_by_key(Token::listing_key);
        tokens
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

    /// Ends those of a user's active tokens that are wanted.
    pub(crate) fn revoke_active(
        &self,
        shard: &mut Shard,
        user: &str,
        reason: RevokeReason,
        call: &Call<'_>,
        wanted: impl Fn(&Token) -> bool,
    ) -> Vec<TokenId> {
        self.prune(shard, user, call.now_ms);
        // Nobody finds an expired token, but no renewal on its way may revive one of these.
        self.retain(shard, user, |token| !(token.record.has_expired(call.now_ms) && wanted(token)));
        let active = shard
            .tokens_of(user)
            .filter(|token| token.record.is_active && self.is_visible(token, call.now_ms) && wanted(token));
        let ids: Vec<_> = active.map(|token| token.record.id).collect();
        for id in &ids {
            self.revoke(shard, *id, reason, call);
        }
        ids
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
            if let Some(renew_to_ms) = touch.renewal.map(|r| r.to_ms).filter(|to| *to > latest_ms) {
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
        // At the end: a late touch, of an access in time, comes before its token is found to be past its time.
        for user in renewed {
            self.prune(&mut self.shard(HashTag::of_user(&user)), &user, now_ms);
        }
    }

    fn is_visible(&self, token: &Token, now_ms: u64) -> bool {
        token.is_visible(now_ms, self.limits.revoked_retention_ms)
    }

    /// Nobody finds an expired token; but it stays for the grace, because a node that could not reach the store may have
    /// renewals to write that were earned before the token expired.
    fn is_kept(&self, token: &Token, now_ms: u64) -> bool {
        self.is_visible(token, now_ms.saturating_sub(self.limits.stale_grace_ms))
    }

    /// Forgets what is past its time and the grace after it.
    pub(crate) fn prune(&self, shard: &mut Shard, user: &str, now_ms: u64) {
        self.retain(shard, user, |token| self.is_kept(token, now_ms));
    }

    /// Forgets the user's other tokens.
    fn retain(&self, shard: &mut Shard, user: &str, stays: impl Fn(&Token) -> bool) {
        let Shard { tokens, users, .. } = shard;
        let Some(ids) = users.get_mut(user) else { return };
        ids.retain(|id| {
            let stays = tokens.get(id).is_some_and(&stays);
            if !stays && let Some(token) = tokens.remove(id) {
                self.tokens.fetch_sub(1, Ordering::Relaxed);
                if !token.details.related_objects.is_empty() {
                    self.forget_in_objects(*id, &token.details.related_objects);
                }
            }
            stays
        });
        if ids.is_empty() {
            users.remove(user);
        }
    }

    /// Revokes the oldest live tokens and forgets the oldest revoked ones until one more live one fits, but at most
    /// [`ROOM_PER_LOGIN`] of each; `None` when none may be revoked for it.
    fn make_room(&self, shard: &mut Shard, user: &str, call: &Call<'_>) -> Option<Vec<TokenId>> {
        let max = self.limits.max_tokens_per_user;
        if shard.users.get(user).map_or(0, Vec::len) < max {
            return Some(Vec::new());
        }
        if shard.tokens_of(user).filter(|token| token.record.is_active).count() >= max {
            // A user at the limit keeps no expired tokens.
            self.retain(shard, user, |token| !token.record.has_expired(call.now_ms));
        }
        // Ties go by what Redis knows a token by.
        let by_age = |at_ms: u64, token: &Token| (at_ms, token.record.id.locator(), token.record.id);
        let live = shard.tokens_of(user).filter(|token| token.record.is_active);
        let mut live: Vec<_> = live.map(|token| by_age(token.details.created_at_ms, token)).collect();
        let surplus = (live.len() + 1).saturating_sub(max).min(ROOM_PER_LOGIN);
        if surplus > 0 && self.limits.over_limit == OverLimit::RefuseNew {
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
            self.forget(shard, user, id);
        }
        Some(made_room)
    }

    fn forget(&self, shard: &mut Shard, user: &str, id: TokenId) {
        if shard.tokens.remove(&id).is_some() {
            self.tokens.fetch_sub(1, Ordering::Relaxed);
        }
        if let Some(ids) = shard.users.get_mut(user) {
            ids.retain(|other| *other != id);
        }
    }
}

impl Shard {
    fn tokens_of(&self, user: &str) -> impl Iterator<Item = &Token> {
        self.users.get(user).into_iter().flatten().filter_map(|id| self.tokens.get(id))
    }
}
