//! Related objects: a token names its objects, and each object has hints of its tokens in a slot of its own (hints.rs).
//!
//! Whoever reads hints looks at the tokens, and removes those that will not come true: of a token that has ended, and of
//! one that does not name the object, or is not there, though the hint is older than an operation can take.

use std::collections::BTreeMap;

use futures_util::future::{join_all, try_join_all};
use redis::{FromRedisValue, Value, cmd, pipe};
use serde::Serialize;

use super::reverse_index::{CALLS_AT_ONCE, HINT_GRACE_SECONDS, LOOKED_AT, Untrue};
use crate::model::field_rules::MAX_RELATED_PER_TOKEN;
use crate::model::token::record::{RelatedObject, Token, TokenChange};
use crate::store::call::Call;
use crate::store::error::StoreError;
use crate::store::outcome::{Changed, Ended, Related};
use crate::store::redis::cluster::pool::Priority;
use crate::store::redis::cluster::slots::slot_of_tag;
use crate::store::redis::errors::unexpected;
use crate::store::redis::redis_store::{READS_PER_PIPELINE, RedisStore};
use crate::store::redis::schema::codec::token::record as codec;
use crate::store::redis::schema::keys::ObjectName;
use crate::store::redis::schema::scripts::Script;
use crate::token_string::TokenId;

/// What related_end.lua gives: it revoked the token; the token was revoked before. Else there is no such token, or it does
/// not name the object.
const RELATED_END_NOW: u8 = 1;
const RELATED_END_BEFORE: u8 = 0;

impl RedisStore {
    pub(crate) async fn relate(
        &self,
        id: TokenId,
        object: &RelatedObject,
        call: &Call<'_>,
    ) -> Result<Related, StoreError> {
        // No change: that looks, and what it does not find never comes back.
        let token = match self.change(id, &TokenChange::default(), call).await? {
            Changed::Done(token) => token,
            Changed::AlreadyRevoked(_) => return Ok(Related::Ended),
            _ => return Ok(Related::NotFound),
        };
        let ends_at_ms = token.record.ends_at_ms;
        if !self.hint(std::slice::from_ref(object), (id, ends_at_ms), call).await? {
            return Ok(Related::TooManyTokens);
        }
        let related =
            related(self.run_on_pair(Priority::Normal, &self.scripts.relate, id, object, call).await?)?;
        if matches!(related, Related::NotFound | Related::Ended) {
            self.unhint_token(id, std::slice::from_ref(object), call.now_ms).await;
        }
        Ok(related)
    }

    pub(crate) async fn unrelate(
        &self,
        id: TokenId,
        object: &RelatedObject,
        call: &Call<'_>,
    ) -> Result<Related, StoreError> {
        let unrelated =
            related(self.run_on_pair(Priority::Normal, &self.scripts.unrelate, id, object, call).await?)?;
        if unrelated == Related::Done {
            // One that is new stays: somebody may be relating the two just now.
            let untrue = Untrue::Token { object: ObjectName::of(object), id, has_ended: false };
            self.unhint(Priority::Normal, &[untrue], call.now_ms).await;
        }
        Ok(unrelated)
    }

    /// Runs a script about a token and an object.
    async fn run_on_pair<T: FromRedisValue>(
        &self,
        priority: Priority,
        script: &Script,
        id: TokenId,
        object: &RelatedObject,
        call: &Call<'_>,
    ) -> Result<T, StoreError> {
        #[derive(Serialize)]
        struct Args<'a> {
            locator: String,
            object: (&'a str, &'a str),
            most: usize,
            youth: u64,
        }
        let object = (object.content_type.as_str(), object.object_id.as_str());
        let youth = HINT_GRACE_SECONDS * 1000;
        let args = Args { locator: id.locator(), object, most: MAX_RELATED_PER_TOKEN, youth };
        let at = (self.keys.token(id), id.hash_tag());
        let answer = self.run_for(priority, script, at, call, &args, &[]).await;
        // Also after an error: it may have been done.
        self.node_cache.invalidate([&id]);
        answer
    }

    pub(crate) async fn object_tokens(
        &self,
        object: &RelatedObject,
        now_ms: u64,
    ) -> Result<Vec<Token>, StoreError> {
        let _turn = self.listing().await?;
        let mut tokens =
            self.live_tokens(object, self.hints(Priority::Normal, object).await?, now_ms).await?;
        self.learn_last_accesses(&mut tokens).await?;
        tokens.sort_by_key(Token::listing_key);
        Ok(tokens)
    }

    /// Each in a step of its own: they are in many slots.
    pub(crate) async fn end_object_tokens(
        &self,
        object: &RelatedObject,
        call: &Call<'_>,
    ) -> Result<Ended, StoreError> {
        let call = self.call_by_now(call);
        let hints = self.hints(Priority::Urgent, object).await?;
        let (mut ended, mut stale, mut failure) = (Vec::new(), Vec::new(), None);
        for some in hints.chunks(CALLS_AT_ONCE) {
            let (script, now) = (&self.scripts.related_end, call());
            let revoke = |id: &TokenId| self.run_on_pair(Priority::Urgent, script, *id, object, &now);
            let outcomes = join_all(some.iter().map(revoke)).await;
            for (id, outcome) in some.iter().zip(outcomes) {
                let has_ended = match outcome {
                    Ok(RELATED_END_NOW) => {
                        ended.push(*id);
                        true
                    }
                    Ok(RELATED_END_BEFORE) => true,
                    Ok(_) => false,
                    // That the server is away is not tried for each of them; a corrupt record is one record's matter.
                    Err(error @ StoreError::Corrupt { .. }) => {
                        failure = Some(error);
                        continue;
                    }
                    Err(error) => return Err(error),
                };
                stale.push(Untrue::Token { object: ObjectName::of(object), id: *id, has_ended });
            }
        }
        self.unhint(Priority::Urgent, &stale, call().now_ms).await;
        failure.map_or(Ok(ended), Err)
    }

    async fn hints(&self, priority: Priority, object: &RelatedObject) -> Result<Vec<TokenId>, StoreError> {
        let found = self.scan_set(priority, self.keys.related(object)).await?;
        found.keys().map(|id| TokenId::parse(id).ok_or_else(|| unexpected("hint"))).collect()
    }

    /// Looks at some of an object's entries, at all if these are few, and removes those that are stale.
    pub(crate) async fn remove_stale_hints(
        &self,
        object: &RelatedObject,
        now_ms: u64,
    ) -> Result<(), StoreError> {
        let some = cmd("ZRANDMEMBER").arg(self.keys.related(object)).arg(LOOKED_AT).to_owned();
        let found: Vec<String> = self.with_connection(async |c| some.query_async(c).await).await?;
        let hints = found.iter().map(|id| TokenId::parse(id).ok_or_else(|| unexpected("hint")));
        self.live_tokens(object, hints.collect::<Result<_, _>>()?, now_ms).await.map(drop)
    }

    /// The live tokens of these that name the object, without their last accesses; hints that will not come true go.
    async fn live_tokens(
        &self,
        object: &RelatedObject,
        hints: Vec<TokenId>,
        now_ms: u64,
    ) -> Result<Vec<Token>, StoreError> {
        let call = self.call_by_now(&now_ms.into());
        let tokens = self.whole_tokens(hints.iter().copied()).await?;
        let (mut live, mut untrue) = (Vec::new(), Vec::new());
        for id in hints {
            let token = tokens.get(&id);
            let has_ended = token.is_some_and(|token| !token.record.is_active);
            let is_true = token.is_some_and(|token| token.related_objects.contains(object));
            if has_ended || !is_true {
                untrue.push(Untrue::Token { object: ObjectName::of(object), id, has_ended });
            } else {
                live.extend(token.filter(|token| token.record.is_live(now_ms)).cloned());
            }
        }
        self.unhint(Priority::Normal, &untrue, call().now_ms).await;
        Ok(live)
    }

    /// The tokens of these ids that are there.
    async fn whole_tokens(
        &self,
        ids: impl Iterator<Item = TokenId>,
    ) -> Result<BTreeMap<TokenId, Token>, StoreError> {
        let mut tokens = BTreeMap::new();
        for some in self.pipelines(ids).chunks(self.reads_at_once()) {
            let read =
                some.iter().map(|ids| self.read_hashes(ids.iter().map(|id| self.keys.token(*id)).collect()));
            for (ids, answers) in some.iter().zip(try_join_all(read).await?) {
                for (id, all) in ids.iter().zip(&answers) {
                    tokens.extend(codec::token(*id, all, &Value::Nil)?.map(|token| (*id, token)));
                }
            }
        }
        Ok(tokens)
    }

    async fn learn_last_accesses(&self, tokens: &mut [Token]) -> Result<(), StoreError> {
        let mut of_id: BTreeMap<TokenId, &mut Token> =
            tokens.iter_mut().map(|token| (token.record.id, token)).collect();
        for some in self.pipelines(of_id.keys().copied()).chunks(self.reads_at_once()) {
            let read =
                some.iter().map(|ids| {
                    let mut pipeline = pipe();
                    for token in ids.iter().filter_map(|id| of_id.get(id)) {
                        let member = format!("@{}", token.record.id.locator());
                        pipeline.cmd("ZSCORE").arg(self.keys.index(token.record.user())).arg(member);
                    }
                    async move {
                        self.with_connection::<Vec<Value>>(async |c| pipeline.query_async(c).await).await
                    }
                });
            for (ids, scores) in some.iter().zip(try_join_all(read).await?) {
                for (id, score) in ids.iter().zip(&scores) {
                    let Some(token) = of_id.get_mut(id) else { continue };
                    token.last_access_ms = codec::last_access_ms(score).unwrap_or(token.created_at_ms);
                }
            }
        }
        Ok(())
    }

    /// How many pipelines of a listing are under way: one to the only master, or several that go to different masters.
    pub(crate) fn reads_at_once(&self) -> usize {
        if self.topology.map().is_by_slot() { CALLS_AT_ONCE } else { 1 }
    }

    /// What may be asked in one pipeline: of one slot, where slots matter.
    pub(crate) fn pipelines(&self, ids: impl Iterator<Item = TokenId>) -> Vec<Vec<TokenId>> {
        let is_by_slot = self.topology.map().is_by_slot();
        let mut by_slot: BTreeMap<u16, Vec<TokenId>> = BTreeMap::new();
        for id in ids {
            let slot = if is_by_slot { slot_of_tag(id.hash_tag()) } else { 0 };
            by_slot.entry(slot).or_default().push(id);
        }
        by_slot.values().flat_map(|ids| ids.chunks(READS_PER_PIPELINE).map(<[_]>::to_vec)).collect()
    }
}

fn related(status: u8) -> Result<Related, StoreError> {
    match status {
        0 => Ok(Related::NotFound),
        1 => Ok(Related::Done),
        2 => Ok(Related::Ended),
        3 => Ok(Related::TooManyObjects),
        _ => Err(unexpected("relate")),
    }
}
