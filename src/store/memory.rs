//! The embedded store: everything in maps, gone with the process. Also the oracle of the model test, so it is
//! written to be read.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use super::{Changed, Ended, StoreError, StoreLimits};
use crate::secret::{ShardTag, TokenId};
use crate::token::{Credential, Details, Token, TokenChange, TokenView, Touch};

const SHARDS: usize = 256;

/// See the module. All data of a user is in one shard, so every user operation holds one lock.
pub struct MemoryStore {
    shards: Vec<Mutex<Shard>>,
    limits: StoreLimits,
    max_tokens: usize,
    tokens: AtomicUsize,
    check_key: OnceLock<String>,
}

#[derive(Default)]
struct Shard {
    tokens: HashMap<TokenId, Token>,
    users: HashMap<String, Vec<TokenId>>,
}

impl MemoryStore {
    /// An empty store for at most `max_tokens` tokens.
    pub fn new(limits: StoreLimits, max_tokens: usize) -> Self {
        let shards = (0..SHARDS).map(|_| Mutex::default()).collect();
        Self { shards, limits, max_tokens, tokens: AtomicUsize::new(0), check_key: OnceLock::new() }
    }

    fn shard(&self, tag: ShardTag) -> MutexGuard<'_, Shard> {
        // A panic while a lock is held is a bug that stops the process anyway; the data is still whole.
        self.shards[tag.index() % SHARDS].lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn credential(&self, id: TokenId) -> Option<Arc<Credential>> {
        self.shard(id.shard_tag()).tokens.get(&id).map(|token| token.credential.clone())
    }

    pub(super) fn view(&self, id: TokenId) -> Option<TokenView> {
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

    pub(super) fn token(&self, id: TokenId, now_ms: u64) -> Option<Token> {
        let shard = self.shard(id.shard_tag());
        shard.tokens.get(&id).filter(|token| self.is_visible(token, now_ms)).cloned()
    }

    pub(super) fn issue(&self, token: &Token, now_ms: u64) -> Result<Ended, StoreError> {
        let user = &token.credential.user;
        let mut shard = self.shard(ShardTag::of_user(user));
        self.prune(&mut shard, user, now_ms);
        if self.tokens.load(Ordering::Relaxed) >= self.max_tokens {
            return Err(StoreError::Unavailable("the embedded store is full (memory-max-tokens)".into()));
        }
        let made_room = self.make_room(&mut shard, user, now_ms);
        shard.users.entry(user.clone()).or_default().push(token.credential.id);
        shard.tokens.insert(token.credential.id, token.clone());
        self.tokens.fetch_add(1, Ordering::Relaxed);
        Ok(made_room)
    }

    pub(super) fn change(&self, id: TokenId, change: &TokenChange, now_ms: u64) -> Changed {
        let mut shard = self.shard(id.shard_tag());
        let Some(token) = shard.tokens.get(&id) else { return Changed::NotFound };
        if !self.is_visible(token, now_ms) {
            // It goes for good: a late touch must not revive it after this answer.
            let user = token.credential.user.clone();
            self.forget(&mut shard, &user, id);
        }
        let Some(token) = shard.tokens.get_mut(&id) else { return Changed::NotFound };
        if !token.credential.is_active {
            return Changed::AlreadyEnded(token.clone());
        }
        let credential = Arc::make_mut(&mut token.credential);
        if let Some(slug) = &change.auth_slug {
            credential.auth_slug.clone_from(slug);
        }
        credential.allowed_cookie = change.allowed_cookie.unwrap_or(credential.allowed_cookie);
        credential.allowed_header = change.allowed_header.unwrap_or(credential.allowed_header);
        if change.end {
            end(token, now_ms);
        }
        Changed::Done(token.clone())
    }

    pub(super) fn user_tokens(&self, user: &str, now_ms: u64) -> Vec<Token> {
        let shard = self.shard(ShardTag::of_user(user));
        let mut tokens: Vec<_> =
            shard.tokens_of(user).filter(|token| self.is_visible(token, now_ms)).cloned().collect();
        tokens.sort_by_key(Token::listing_key);
        tokens
    }

    pub(super) fn end_user_tokens(&self, user: &str, except: Option<TokenId>, now_ms: u64) -> Ended {
        let mut shard = self.shard(ShardTag::of_user(user));
        self.prune(&mut shard, user, now_ms);
        let ids = shard.users.get(user).cloned().unwrap_or_default();
        let mut ended = Ended::new();
        for id in ids.into_iter().filter(|id| Some(*id) != except) {
            if let Some(token) = shard.tokens.get_mut(&id).filter(|token| token.credential.is_active) {
                end(token, now_ms);
                ended.push(id);
            }
        }
        ended
    }

    pub(super) fn touch(&self, touches: &[Touch], now_ms: u64) {
        for touch in touches {
            let mut shard = self.shard(touch.id.shard_tag());
            let Some(token) =
                shard.tokens.get_mut(&touch.id).filter(|token| token.credential.is_live(touch.access_ms))
            else {
                continue;
            };
            token.last_access_ms = token.last_access_ms.max(touch.access_ms);
            let latest_ms = token.credential.expires_at_ms.max(now_ms);
            if let Some(renew_to_ms) = touch.renew_to_ms.filter(|to| *to > latest_ms) {
                Arc::make_mut(&mut token.credential).expires_at_ms = renew_to_ms;
            }
        }
    }

    pub(super) fn shared_check_key(&self, proposed: &str) -> String {
        self.check_key.get_or_init(|| proposed.to_owned()).clone()
    }

    /// Forgets what nobody can see any more.
    pub(super) fn collect_garbage(&self, now_ms: u64) {
        for shard in &self.shards {
            let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            let users: Vec<_> = shard.users.keys().cloned().collect();
            for user in users {
                self.prune(&mut shard, &user, now_ms);
            }
        }
    }

    fn is_visible(&self, token: &Token, now_ms: u64) -> bool {
        token.is_visible(now_ms, self.limits.ended_retention_ms)
    }

    fn prune(&self, shard: &mut Shard, user: &str, now_ms: u64) {
        let Shard { tokens, users } = shard;
        let Some(ids) = users.get_mut(user) else { return };
        ids.retain(|id| {
            let visible = tokens.get(id).is_some_and(|token| self.is_visible(token, now_ms));
            if !visible && tokens.remove(id).is_some() {
                self.tokens.fetch_sub(1, Ordering::Relaxed);
            }
            visible
        });
        if ids.is_empty() {
            users.remove(user);
        }
    }

    /// Ends the oldest live tokens and forgets the oldest ended ones until one more live one fits.
    fn make_room(&self, shard: &mut Shard, user: &str, now_ms: u64) -> Ended {
        let max = self.limits.max_tokens_per_user;
        if shard.users.get(user).map_or(0, Vec::len) < max {
            return Ended::new();
        }
        let mut tokens: Vec<_> = shard.tokens_of(user).cloned().collect();
        // Ties go by what Redis knows a token by.
        tokens.sort_by_key(|token| (token.created_at_ms, token.credential.id.locator()));
        let (live, mut ended): (Vec<_>, Vec<_>) = tokens.into_iter().partition(|t| t.credential.is_active);
        let mut made_room = Ended::new();
        for token in live.iter().take((live.len() + 1).saturating_sub(max)) {
            let id = token.credential.id;
            if let Some(token) = shard.tokens.get_mut(&id) {
                end(token, now_ms);
                made_room.push(id);
                ended.push(token.clone());
            }
        }
        ended.sort_by_key(|token| (token.ended_at_ms, token.credential.id.locator()));
        for token in ended.iter().take(ended.len().saturating_sub(max)) {
            self.forget(shard, user, token.credential.id);
        }
        made_room
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

fn end(token: &mut Token, now_ms: u64) {
    Arc::make_mut(&mut token.credential).is_active = false;
    token.ended_at_ms = Some(now_ms);
}
