//! Tokens: issued, shown, changed, ended, touched.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{MemoryStore, Shard, edit};
use crate::event::{EndReason, Event, EventKind};
use crate::secret::{SecretHash, ShardTag, TokenId};
use crate::store::{Call, Changed, Ended, Issued, OverLimit, StoreError};
use crate::token::{Credential, Details, Token, TokenChange, TokenView, Touch, Verdict};

impl MemoryStore {
    pub(in crate::store) fn credential(&self, id: TokenId) -> Option<Arc<Credential>> {
        self.shard(id.shard_tag()).tokens.get(&id).map(|token| token.credential.clone())
    }

    pub(in crate::store) fn look<R>(
        &self,
        id: TokenId,
        use_it: impl FnOnce(Option<&Arc<Credential>>) -> R,
    ) -> R {
        use_it(self.shard(id.shard_tag()).tokens.get(&id).map(|token| &token.credential))
    }

    pub(in crate::store) fn view(&self, id: TokenId) -> Option<TokenView> {
        let shard = self.shard(id.shard_tag());
        let token = shard.tokens.get(&id).filter(|token| token.credential.is_active)?;
        // Not kept in the credential: what changes in place here would leave it behind.
        let details = Details {
            created_at_ms: token.created_at_ms,
            user_agent: token.user_agent.as_str().into(),
            ip: token.ip,
            expiration: token.expiration,
            related_objects: token.related_objects.as_slice().into(),
        };
        Some(TokenView {
            credential: token.credential.clone(),
            details: Arc::new(details),
            stored_access_ms: token.last_access_ms,
        })
    }

    pub(in crate::store) fn token(&self, id: TokenId, now_ms: u64) -> Option<Token> {
        let shard = self.shard(id.shard_tag());
        shard.tokens.get(&id).filter(|token| self.is_visible(token, now_ms)).cloned()
    }

    pub(in crate::store) fn issue(&self, token: &Token, call: &Call<'_>) -> Result<Issued, StoreError> {
        self.make_room_in_objects(&token.related_objects, call.now_ms);
        let mut shard = self.shard(ShardTag::of_user(token.credential.user()));
        self.issue_in(&mut shard, token, call)
    }

    /// Issues a token of a user of this shard.
    pub(super) fn issue_in(
        &self,
        shard: &mut Shard,
        token: &Token,
        call: &Call<'_>,
    ) -> Result<Issued, StoreError> {
        let (id, user) = (token.credential.id, token.credential.user());
        let device = token.credential.device().map(str::to_owned);
        self.prune(shard, user, call.now_ms);
        if self.tokens.load(Ordering::Relaxed) >= self.max_tokens {
            return Err(StoreError::Unavailable("the embedded store is full (memory-max-tokens)".into()));
        }
        if !self.index_objects(id, &token.related_objects) {
            return Ok(Issued::ObjectFull);
        }
        let Some(made_room) = self.make_room(shard, user, call) else { return Ok(Issued::TooMany) };
        shard.users.entry(user.to_owned()).or_default().push(id);
        shard.tokens.insert(id, token.clone());
        self.tokens.fetch_add(1, Ordering::Relaxed);
        let issued = Event::new(EventKind::TokenIssued, call.now_ms, call.actor);
        self.emit(shard, user, Event { token: Some(id), device, ..issued });
        Ok(Issued::Done(made_room))
    }

    pub(in crate::store) fn change(&self, id: TokenId, change: &TokenChange, call: &Call<'_>) -> Changed {
        let mut shard = self.shard(id.shard_tag());
        let Some(token) = self.find(&mut shard, id, call.now_ms) else { return Changed::NotFound };
        if !token.credential.is_active {
            return Changed::AlreadyEnded(token.clone());
        }
        let credential = edit(token);
        let user = credential.user().to_owned();
        let mut happened = Vec::new();
        if let Some(rotation) = change.rotate {
            if !credential.is_authenticated {
                return Changed::Pending;
            }
            if !credential.rotate(rotation, call.now_ms) {
                return Changed::RotatedTooOften;
            }
            happened.push(EventKind::TokenRotated);
        }
        if change.confirm && !credential.is_authenticated {
            credential.is_authenticated = true;
            happened.push(EventKind::TokenConfirmed);
        }
        if let Some(slug) = &change.auth_slug {
            credential.texts = credential.texts.with_auth_slug(slug.as_deref());
        }
        credential.allowed_cookie = change.allowed_cookie.unwrap_or(credential.allowed_cookie);
        credential.allowed_header = change.allowed_header.unwrap_or(credential.allowed_header);
        for kind in happened {
            let event = Event { token: Some(id), ..Event::new(kind, call.now_ms, call.actor) };
            self.emit(&mut shard, &user, event);
        }
        if let Some(reason) = change.end {
            self.end(&mut shard, id, reason, call);
            self.prune(&mut shard, &user, call.now_ms);
        }
        shard.tokens.get(&id).cloned().map_or(Changed::NotFound, Changed::Done)
    }

    /// A token that is kept; one that is past its time goes for good: a late touch must not revive it after this
    /// answer.
    pub(super) fn find<'a>(&self, shard: &'a mut Shard, id: TokenId, now_ms: u64) -> Option<&'a mut Token> {
        let token = shard.tokens.get(&id)?;
        if !self.is_visible(token, now_ms) {
            let user = token.credential.user().to_owned();
            self.forget(shard, &user, id);
        }
        shard.tokens.get_mut(&id)
    }

    pub(in crate::store) fn end_reused(&self, id: TokenId, presented: &SecretHash, call: &Call<'_>) -> bool {
        let mut shard = self.shard(id.shard_tag());
        let Some(token) = self.find(&mut shard, id, call.now_ms) else { return false };
        if token.credential.judge(presented, None, call.now_ms) != Verdict::RotatedOut {
            return false;
        }
        let user = token.credential.user().to_owned();
        let reused = Event::new(EventKind::ReuseDetected, call.now_ms, call.actor);
        self.emit(&mut shard, &user, Event { token: Some(id), ..reused });
        self.end(&mut shard, id, EndReason::Reuse, call);
        self.prune(&mut shard, &user, call.now_ms);
        true
    }

    pub(in crate::store) fn user_tokens(&self, user: &str, now_ms: u64) -> Vec<Token> {
        let shard = self.shard(ShardTag::of_user(user));
        let mut tokens: Vec<_> =
            shard.tokens_of(user).filter(|token| self.is_visible(token, now_ms)).cloned().collect();
        tokens.sort_by_key(Token::listing_key);
        tokens
    }

    pub(in crate::store) fn end_user_tokens(
        &self,
        user: &str,
        except: Option<TokenId>,
        call: &Call<'_>,
    ) -> Ended {
        let mut shard = self.shard(ShardTag::of_user(user));
        self.end_tokens(&mut shard, user, EndReason::AllOfUser, call, |token| {
            Some(token.credential.id) != except
        })
    }

    /// Ends those of a user's active tokens that are wanted.
    pub(super) fn end_tokens(
        &self,
        shard: &mut Shard,
        user: &str,
        reason: EndReason,
        call: &Call<'_>,
        wanted: impl Fn(&Token) -> bool,
    ) -> Ended {
        self.prune(shard, user, call.now_ms);
        let active = shard.tokens_of(user).filter(|token| token.credential.is_active && wanted(token));
        let ids: Ended = active.map(|token| token.credential.id).collect();
        for id in &ids {
            self.end(shard, *id, reason, call);
        }
        ids
    }

    pub(in crate::store) fn touch(&self, touches: &[Touch], now_ms: u64) {
        let mut renewed = Vec::new();
        for touch in touches {
            let mut shard = self.shard(touch.id.shard_tag());
            let shard = &mut *shard;
            let Some(token) =
                shard.tokens.get_mut(&touch.id).filter(|token| token.credential.is_live(touch.access_ms))
            else {
                continue;
            };
            token.last_access_ms = token.last_access_ms.max(touch.access_ms);
            let latest_ms = token.credential.expires_at_ms.max(now_ms);
            if let Some(renew_to_ms) = touch.renew_to_ms.filter(|to| *to > latest_ms) {
                edit(token).expires_at_ms = renew_to_ms;
                renewed.push(token.credential.user().to_owned());
                // A takeover ends with its token.
                if let (true, Some(history)) =
                    (token.credential.takeover.is_some(), shard.takeovers.get_mut(&touch.id))
                {
                    history.token_expires_at_ms = renew_to_ms;
                }
            }
        }
        // At the end: a late touch, of an access in time, comes before its token is found to be past its time.
        for user in renewed {
            self.prune(&mut self.shard(ShardTag::of_user(&user)), &user, now_ms);
        }
    }

    fn is_visible(&self, token: &Token, now_ms: u64) -> bool {
        token.is_visible(now_ms, self.limits.revoked_retention_ms)
    }

    pub(super) fn prune(&self, shard: &mut Shard, user: &str, now_ms: u64) {
        let Shard { tokens, users, .. } = shard;
        let Some(ids) = users.get_mut(user) else { return };
        ids.retain(|id| {
            let visible = tokens.get(id).is_some_and(|token| self.is_visible(token, now_ms));
            if !visible && let Some(token) = tokens.remove(id) {
                self.tokens.fetch_sub(1, Ordering::Relaxed);
                if !token.related_objects.is_empty() {
                    self.forget_in_objects(*id, &token.related_objects);
                }
            }
            visible
        });
        if ids.is_empty() {
            users.remove(user);
        }
    }

    /// Ends the oldest live tokens and forgets the oldest ended ones until one more live one fits; `None` when none
    /// may be ended for it.
    fn make_room(&self, shard: &mut Shard, user: &str, call: &Call<'_>) -> Option<Ended> {
        let max = self.limits.max_tokens_per_user;
        if shard.users.get(user).map_or(0, Vec::len) < max {
            return Some(Ended::new());
        }
        let mut tokens: Vec<_> = shard.tokens_of(user).cloned().collect();
        // Ties go by what Redis knows a token by.
        tokens.sort_by_key(|token| (token.created_at_ms, token.credential.id.locator()));
        let (live, mut ended): (Vec<_>, Vec<_>) = tokens.into_iter().partition(|t| t.credential.is_active);
        let surplus = (live.len() + 1).saturating_sub(max);
        if surplus > 0 && self.limits.over_limit == OverLimit::RefuseNew {
            return None;
        }
        let mut made_room = Ended::new();
        for token in live.into_iter().take(surplus) {
            let id = token.credential.id;
            self.end(shard, id, EndReason::Limit, call);
            made_room.push(id);
            ended.push(Token { ended_at_ms: Some(call.now_ms), ..token });
        }
        ended.sort_by_key(|token| (token.ended_at_ms, token.credential.id.locator()));
        for token in ended.iter().take(ended.len().saturating_sub(max)) {
            self.forget(shard, user, token.credential.id);
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
