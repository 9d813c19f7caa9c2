//! Related objects: a token names its objects, and the reverse index names the tokens of an object.

use std::collections::BTreeMap;

use futures_util::future::{join_all, try_join_all};
use redis::{FromRedisValue, Value, pipe};
use serde::Serialize;

use super::script_call::{CALLS_AT_ONCE, ScriptCall};
use super::stale_entries::{StaleEntry, YOUNG_ENTRY_SECONDS};
use super::tokens::ENTRY_ROUNDS;
use crate::model::field_rules::MAX_RELATED_PER_TOKEN;
use crate::model::revoke_reason::RevokeReason;
use crate::model::token::{RelatedObject, Token, TokenChange};
use crate::store::call::Call;
use crate::store::error::StoreError;
use crate::store::redis::cluster::pool::Priority;
use crate::store::redis::errors::{answer_text, unexpected};
use crate::store::redis::redis_store::RedisStore;
use crate::store::redis::schema::codec::token::record as codec;
use crate::store::redis::schema::keys::ObjectName;
use crate::store::redis::schema::script::Script;
use crate::store::rejection::{Outcome, Rejection};
use crate::token_string::TokenId;

/// Results of lua/revoke_object_token.lua. Any other: there is no such token, or it does not name the object.
const REVOKED_NOW: u8 = 1;
const REVOKED_BEFORE: u8 = 0;
/// A result of lua/relate_object.lua: the token's end has moved beyond the entry's.
const END_HAS_MOVED: i64 = 4;

impl RedisStore {
    pub(crate) async fn relate(
        &self,
        id: TokenId,
        object: &RelatedObject,
        call: &Call<'_>,
    ) -> Result<Outcome<String>, StoreError> {
        let objects = std::slice::from_ref(object);
        for _ in 0..ENTRY_ROUNDS {
            // An empty change reads the token; a token that it does not find never comes back.
            let token = match self.change(id, &TokenChange::default(), call).await? {
                Ok(token) if token.record.is_active => token,
                Ok(_) => return Ok(Err(Rejection::Revoked)),
                Err(rejection) => return Ok(Err(rejection)),
            };
            let ends_at_ms = token.record.ends_at_ms;
            if !self.add_object_entries(objects, (id, ends_at_ms), call).await? {
                return Ok(Err(Rejection::ObjectFull));
            }
            let script = &self.scripts.relate_object;
            let pair = (id, object, Some(ends_at_ms));
            let answer: Vec<Value> = self.run_on_pair(Priority::Normal, script, pair, call).await?;
            if matches!(answer.as_slice(), [Value::Int(END_HAS_MOVED)]) {
                continue;
            }
            let related = self.related(id, &answer)?;
            if matches!(related, Err(Rejection::NotFound | Rejection::Revoked)) {
                self.remove_token_entries(id, objects, call.now_ms).await;
            }
            return Ok(related);
        }
        Err(StoreError::Unavailable("the token gets another end again and again".into()))
    }

    pub(crate) async fn unrelate(
        &self,
        id: TokenId,
        object: &RelatedObject,
        call: &Call<'_>,
    ) -> Result<Outcome<String>, StoreError> {
        let script = &self.scripts.unrelate_object;
        let answer: Vec<Value> = self.run_on_pair(Priority::Normal, script, (id, object, None), call).await?;
        let unrelated = self.related(id, &answer)?;
        if unrelated.is_ok() {
            // A young entry stays: another call may be relating the two just now.
            let stale = StaleEntry::Token { object: ObjectName::of(object), id, is_revoked: false };
            self.remove_stale_entries(Priority::Normal, &[stale], call.now_ms).await;
        }
        Ok(unrelated)
    }

    /// Runs a script about a token and an object, whose entry reaches to this end of the token.
    async fn run_on_pair<T: FromRedisValue>(
        &self,
        priority: Priority,
        script: &Script,
        (id, object, ends_at_ms): (TokenId, &RelatedObject, Option<u64>),
        call: &Call<'_>,
    ) -> Result<T, StoreError> {
        #[derive(Serialize)]
        struct Args<'a> {
            locator: String,
            object: (&'a str, &'a str),
            max: usize,
            young_ms: u64,
            ends_at_ms: Option<u64>,
        }
        let args = Args {
            locator: id.locator(),
            object: (&object.content_type, &object.object_id),
            max: MAX_RELATED_PER_TOKEN,
            young_ms: YOUNG_ENTRY_SECONDS * 1000,
            ends_at_ms,
        };
        let at = (self.keys.token(id), id.hash_tag());
        let script_call = ScriptCall::new(script, at, call, &args).with_priority(priority);
        let answer = self.run_script(script_call).await;
        // Also after an error: it may have been done.
        self.node_cache.invalidate([&id]);
        answer
    }

    pub(crate) async fn object_tokens(
        &self,
        object: &RelatedObject,
        now_ms: u64,
    ) -> Result<Vec<Token>, StoreError> {
        let _permit = self.listing_permit().await?;
        let ids = self.object_entries(Priority::Normal, object).await?;
        let mut tokens = self.live_tokens(object, ids, now_ms).await?;
        self.read_last_accesses(&mut tokens).await?;
        tokens.sort_by_key(Token::listing_key);
        Ok(tokens)
    }

    /// Revokes each token in a step of its own, because the tokens are in many slots.
    pub(crate) async fn revoke_object_tokens(
        &self,
        object: &RelatedObject,
        call: &Call<'_>,
    ) -> Result<Vec<TokenId>, StoreError> {
        let call = self.advancing_call(call);
        let ids = self.object_entries(Priority::Urgent, object).await?;
        let (mut revoked, mut stale, mut failure) = (Vec::new(), Vec::new(), None);
        for some in ids.chunks(CALLS_AT_ONCE) {
            let (script, now) = (&self.scripts.revoke_object_token, call());
            let revoke = |id: &TokenId| self.run_on_pair(Priority::Urgent, script, (*id, object, None), &now);
            let outcomes = join_all(some.iter().map(revoke)).await;
            for (id, outcome) in some.iter().zip(outcomes) {
                let is_revoked = match outcome {
                    Ok(REVOKED_NOW) => {
                        revoked.push(*id);
                        self.changes.revoked.add(RevokeReason::Related, 1);
                        self.remember_revoked([id], RevokeReason::Related, now.now_ms);
                        true
                    }
                    Ok(REVOKED_BEFORE) => true,
                    Ok(_) => false,
                    // A corrupt record concerns one token. If the server is away, no further token is tried.
                    Err(error @ StoreError::Corrupt { .. }) => {
                        failure = Some(error);
                        continue;
                    }
                    Err(error) => return Err(error),
                };
                stale.push(StaleEntry::Token { object: ObjectName::of(object), id: *id, is_revoked });
            }
        }
        self.remove_stale_entries(Priority::Urgent, &stale, call().now_ms).await;
        failure.map_or(Ok(revoked), Err)
    }

    /// Sets the last access of each of these tokens.
    async fn read_last_accesses(&self, tokens: &mut [Token]) -> Result<(), StoreError> {
        let mut of_id: BTreeMap<TokenId, &mut Token> =
            tokens.iter_mut().map(|token| (token.record.id, token)).collect();
        for some in self.pipelines(of_id.keys().copied()).chunks(self.pipelines_at_once()) {
            let reads =
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
            for (ids, scores) in some.iter().zip(try_join_all(reads).await?) {
                for (id, score) in ids.iter().zip(&scores) {
                    let Some(token) = of_id.get_mut(id) else { continue };
                    token.last_access_ms = codec::last_access_ms(score).unwrap_or(token.record.created_at_ms);
                }
            }
        }
        Ok(())
    }

    /// Returns the token's user, and remembers the token if it has changed; or why it is left as it is. The answer comes from
    /// lua/relate_object.lua or lua/unrelate_object.lua.
    fn related(&self, id: TokenId, answer: &[Value]) -> Result<Outcome<String>, StoreError> {
        Ok(Err(match answer {
            [Value::Int(1), Value::BulkString(user), changed @ ..] => {
                if let [fields] = changed {
                    self.remember_token(id, fields, &Value::Nil);
                }
                return Ok(Ok(answer_text(user.clone(), "related object")?));
            }
            [Value::Int(0)] => Rejection::NotFound,
            [Value::Int(2)] => Rejection::Revoked,
            [Value::Int(3)] => Rejection::TooManyObjects,
            _ => return Err(unexpected("related object")),
        }))
    }
}
