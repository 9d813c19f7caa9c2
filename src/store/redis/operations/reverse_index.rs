//! The reverse index: from an object to its tokens, and from a user to the takeovers of that user.
//!
//! An object and its tokens are in different slots, and so are the token that acts and the user taken over. No step changes
//! two slots, so the index may have stale entries, but never too few:
//!
//! 1. The entry is written before the token or takeover, and again whenever that is written.
//! 2. The entry is removed in a round trip of its own after the token was revoked or the takeover ended.
//! 3. If that round trip fails, or if the token merely expired, the entry goes by its score: with a later write beside it
//!    once the latest expiry of its token and the grace are past, or with the key.
//!
//! A reader of entries reads the tokens too, and removes stale entries: of revoked tokens, and, unless the entry is young,
//! of tokens that do not name the object or are gone. A young entry may be of a token that is being written. So the index is
//! complete as long as no node pauses for `YOUNG_ENTRY_SECONDS` (`stale_entries`) between its two writes.

use std::collections::BTreeMap;

use futures_util::future::try_join_all;
use redis::{Value, cmd};
use serde::Serialize;

use super::script_call::ScriptCall;
use super::stale_entries::StaleEntry;
use crate::model::takeover::{MAX_TAKEOVERS_PER_USER, NewTakeover};
use crate::model::token::{RelatedObject, Token};
use crate::store::call::Call;
use crate::store::error::StoreError;
use crate::store::redis::cluster::pool::Priority;
use crate::store::redis::errors::unexpected;
use crate::store::redis::redis_store::RedisStore;
use crate::store::redis::schema::codec::takeover::reverse_index_member;
use crate::store::redis::schema::codec::token::record as codec;
use crate::store::redis::schema::keys::ObjectName;
use crate::token_string::{HashTag, TokenId};

/// Entries that are examined, at random, when an object has as many as allowed.
const EXAMINED_ENTRIES: usize = 256;

/// More than any object has, and exact in Lua.
const UNLIMITED: usize = 1 << 52;

/// The arguments of lua/add_object_entry.lua.
#[derive(Serialize)]
pub(crate) struct ObjectEntryArgs {
    object: String,
    token: String,
    max: usize,
    kept_until_ms: u64,
    merges: bool,
}

/// The arguments of lua/add_takeover_entry.lua.
#[derive(Serialize)]
pub(crate) struct TakeoverEntryArgs<'a> {
    user: &'a str,
    member: String,
    kept_until_ms: u64,
    max: usize,
    started_at_ms: Option<u64>,
}

impl RedisStore {
    /// Adds a token to the index of objects that it is about to name. Returns false if one of them has too many tokens.
    pub(crate) async fn add_object_entries(
        &self,
        objects: &[RelatedObject],
        (id, ends_at_ms): (TokenId, u64),
        call: &Call<'_>,
    ) -> Result<bool, StoreError> {
        let added = objects.iter().map(async |object| {
            if self.add_object_entry(object, (id, ends_at_ms), call).await? {
                return Ok(true);
            }
            self.remove_some_stale_entries(object, call.now_ms).await?;
            self.add_object_entry(object, (id, ends_at_ms), call).await
        });
        Ok(try_join_all(added).await?.into_iter().all(|is_added| is_added))
    }

    async fn add_object_entry(
        &self,
        object: &RelatedObject,
        token: (TokenId, u64),
        call: &Call<'_>,
    ) -> Result<bool, StoreError> {
        let (at, args) = self.object_entry(object, token, Some(self.limits.max_tokens_per_object));
        let answer =
            self.call_script(&ScriptCall::new(&self.scripts.add_object_entry, at, call, &args)).await?;
        redis::from_redis_value(answer).map_err(|_| unexpected("add_object_entry"))
    }

    /// Returns the key and the arguments of an object's entry of a token with this latest end. `max` is the most entries of the
    /// object; without it, the entry is merged: it was acknowledged, so it had room, and none gets shorter.
    pub(crate) fn object_entry(
        &self,
        object: &RelatedObject,
        (id, ends_at_ms): (TokenId, u64),
        max: Option<usize>,
    ) -> ((String, HashTag), ObjectEntryArgs) {
        let ObjectName { hash_tag, name } = ObjectName::of(object);
        let args = ObjectEntryArgs {
            object: name,
            token: id.to_string(),
            max: max.unwrap_or(UNLIMITED),
            // As long as the token: while a revocation of the object finds it in one store, it finds it in the other.
            kept_until_ms: ends_at_ms + self.limits.stale_grace_ms,
            merges: max.is_none(),
        };
        ((self.keys.related(object), hash_tag), args)
    }

    /// Returns the key and the arguments of a takeover's entry, which is kept until then. In a merge, the takeover began at
    /// `started_at_ms`.
    pub(crate) fn takeover_entry<'a>(
        &self,
        new: &'a NewTakeover,
        kept_until_ms: u64,
        started_at_ms: Option<u64>,
    ) -> ((String, HashTag), TakeoverEntryArgs<'a>) {
        let args = TakeoverEntryArgs {
            user: &new.user,
            member: reverse_index_member(new.token, new.id),
            kept_until_ms,
            max: MAX_TAKEOVERS_PER_USER,
            started_at_ms,
        };
        ((self.keys.taken_over(&new.user), HashTag::of_user(&new.user)), args)
    }

    /// Adds a takeover to the index of the user taken over.
    pub(crate) async fn add_takeover_entry(
        &self,
        new: &NewTakeover,
        call: &Call<'_>,
    ) -> Result<(), StoreError> {
        let kept_until_ms = new.ends_at_ms + self.limits.takeover_retention_ms;
        let (at, args) = self.takeover_entry(new, kept_until_ms, None);
        self.call_script(&ScriptCall::new(&self.scripts.add_takeover_entry, at, call, &args)).await.map(drop)
    }

    /// Reads the tokens that the index names for an object; some may be stale.
    pub(crate) async fn object_entries(
        &self,
        priority: Priority,
        object: &RelatedObject,
    ) -> Result<Vec<TokenId>, StoreError> {
        let entries = self.scan_set(priority, self.keys.related(object)).await?;
        entries.keys().map(|id| token_of_entry(id)).collect()
    }

    /// Examines some of an object's entries, or all if they are few, and removes the stale ones.
    async fn remove_some_stale_entries(&self, object: &RelatedObject, now_ms: u64) -> Result<(), StoreError> {
        let some = cmd("ZRANDMEMBER").arg(self.keys.related(object)).arg(EXAMINED_ENTRIES).to_owned();
        let entries: Vec<String> = self.with_connection(async |c| some.query_async(c).await).await?;
        let ids = entries.iter().map(|id| token_of_entry(id)).collect::<Result<_, _>>()?;
        self.live_tokens(object, ids, now_ms).await.map(drop)
    }

    /// Reads the live ones of these tokens that name the object, without their last accesses. Removes stale entries.
    pub(crate) async fn live_tokens(
        &self,
        object: &RelatedObject,
        ids: Vec<TokenId>,
        now_ms: u64,
    ) -> Result<Vec<Token>, StoreError> {
        let call = self.advancing_call(&now_ms.into());
        let mut tokens = BTreeMap::new();
        let decode = |id: TokenId, fields: Value| {
            tokens.extend(codec::token(id, &fields, &Value::Nil)?.map(|token| (id, token)));
            Ok(())
        };
        self.read_hashes_by_id(ids.iter().copied(), |id| self.keys.token(id), decode).await?;
        let (mut live, mut stale) = (Vec::new(), Vec::new());
        for id in ids {
            let token = tokens.remove(&id);
            let is_revoked = token.as_ref().is_some_and(|token| !token.record.is_active);
            let is_related =
                token.as_ref().is_some_and(|token| token.details.related_objects.contains(object));
            if is_revoked || !is_related {
                stale.push(StaleEntry::Token { object: ObjectName::of(object), id, is_revoked });
            } else {
                live.extend(token.filter(|token| token.record.is_live(now_ms)));
            }
        }
        self.remove_stale_entries(Priority::Normal, &stale, call().now_ms).await;
        Ok(live)
    }
}

fn token_of_entry(id: &str) -> Result<TokenId, StoreError> {
    TokenId::parse(id).ok_or_else(|| unexpected("reverse-index entry"))
}
