//! Related objects: tokens name their objects, and an index lists the tokens of each object.
//!
//! A token and its index entries change under the lock of the token's shard, which is taken first. So if an indexed token
//! is missing or revoked, it stays so, and its stale entry is removed.

use std::collections::HashSet;
use std::sync::{Arc, MutexGuard};

use super::memory_store::{MemoryStore, Objects};
use super::shard::{edit, lock};
use crate::model::field_rules::MAX_RELATED_PER_TOKEN;
use crate::model::revoke_reason::RevokeReason;
use crate::model::token::{RelatedObject, Token};
use crate::store::call::Call;
use crate::store::rejection::{Outcome, Rejection};
use crate::token_string::TokenId;

impl MemoryStore {
    fn objects(&self) -> MutexGuard<'_, Objects> {
        lock(&self.objects)
    }

    /// Adds a token, whose shard is locked, to the index. Returns false if an object has too many tokens.
    pub(crate) fn index_objects(&self, id: TokenId, related: &[RelatedObject]) -> bool {
        let mut objects = self.objects();
        let is_full = |object: &RelatedObject| {
            let ids = objects.get(object);
            ids.is_some_and(|ids| ids.len() >= self.limits.max_tokens_per_object && !ids.contains(&id))
        };
        if related.iter().any(is_full) {
            return false;
        }
        for object in related {
            objects.entry(object.clone()).or_default().insert(id);
        }
        true
    }

    /// Removes a token that is revoked or gone from the index.
    pub(crate) fn unindex_objects(&self, id: TokenId, related: &[RelatedObject]) {
        let mut objects = self.objects();
        related.iter().for_each(|object| remove(&mut objects, object, &id));
    }

    /// Removes stale entries of the objects that seem to have too many tokens. No shard may be locked.
    pub(crate) fn make_room_in_objects(&self, related: &[RelatedObject], now_ms: u64) {
        for object in related {
            let count = self.objects().get(object).map_or(0, HashSet::len);
            if count >= self.limits.max_tokens_per_object {
                self.object_tokens(object, now_ms);
            }
        }
    }

    pub(crate) fn relate(&self, id: TokenId, object: &RelatedObject, call: &Call<'_>) -> Outcome<String> {
        self.make_room_in_objects(std::slice::from_ref(object), call.now_ms);
        let mut shard = self.shard(id.hash_tag());
        let token = self.prune_then_find(&mut shard, id, call.now_ms).ok_or(Rejection::NotFound)?;
        if !token.record.is_active {
            return Err(Rejection::Revoked);
        }
        let user = token.record.user().to_owned();
        if token.details.related_objects.contains(object) {
            return Ok(user);
        }
        if token.details.related_objects.len() >= MAX_RELATED_PER_TOKEN {
            return Err(Rejection::TooManyObjects);
        }
        if !self.index_objects(id, std::slice::from_ref(object)) {
            return Err(Rejection::ObjectFull);
        }
        edit(token);
        Arc::make_mut(&mut token.details).related_objects.push(object.clone());
        Ok(user)
    }

    pub(crate) fn unrelate(&self, id: TokenId, object: &RelatedObject, call: &Call<'_>) -> Outcome<String> {
        let mut shard = self.shard(id.hash_tag());
        let token = self.prune_then_find(&mut shard, id, call.now_ms).ok_or(Rejection::NotFound)?;
        if !token.record.is_active {
            return Err(Rejection::Revoked);
        }
        let user = edit(token).user().to_owned();
        Arc::make_mut(&mut token.details).related_objects.retain(|other| other != object);
        remove(&mut self.objects(), object, &id);
        Ok(user)
    }

    pub(crate) fn object_tokens(&self, object: &RelatedObject, now_ms: u64) -> Vec<Token> {
        let mut tokens = Vec::new();
        for id in self.indexed(object) {
            let shard = self.shard(id.hash_tag());
            match shard.tokens.get(&id) {
                Some(token) if token.record.is_active => tokens.push(token.clone()),
                _ => remove(&mut self.objects(), object, &id),
            }
        }
        tokens.retain(|token| token.details.related_objects.contains(object) && token.record.is_live(now_ms));
        tokens.sort_by_key(Token::listing_key);
        tokens
    }

    pub(crate) fn revoke_object_tokens(&self, object: &RelatedObject, call: &Call<'_>) -> Vec<TokenId> {
        let mut revoked = Vec::new();
        for id in self.indexed(object) {
            let mut shard = self.shard(id.hash_tag());
            let is_related = |token: &Token| token.details.related_objects.contains(object);
            if !shard.tokens.get(&id).is_some_and(is_related) {
                continue;
            }
            let Some(token) = self.purge_expired_then_find(&mut shard, id, call.now_ms) else { continue };
            if token.record.is_active {
                let user = token.record.user().to_owned();
                self.revoke(&mut shard, id, RevokeReason::Related, call);
                self.prune_user(&mut shard, &user, call.now_ms);
                revoked.push(id);
            }
        }
        revoked
    }

    /// The indexed tokens of an object. Their shards are locked one by one afterwards.
    fn indexed(&self, object: &RelatedObject) -> Vec<TokenId> {
        self.objects().get(object).into_iter().flatten().copied().collect()
    }
}

pub(crate) fn remove(objects: &mut Objects, object: &RelatedObject, id: &TokenId) {
    if let Some(ids) = objects.get_mut(object) {
        ids.remove(id);
        if ids.is_empty() {
            objects.remove(object);
        }
    }
}
