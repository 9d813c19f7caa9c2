//! Related objects: a token names its objects, and each object has hints of its tokens in a slot of its own.
//!
//! A hint is written before the token names the object, and again whenever it is to; so there may be too many, never too
//! few. Whoever reads hints looks at the tokens, and removes those that will not come true: of a token that has ended, and
//! of one that does not name the object, or is not there, though the hint is older than [`HINT_GRACE_MS`].

use std::collections::BTreeMap;

use futures_util::future::{join_all, try_join_all};
use redis::{FromRedisValue, Script, Value, cmd, pipe};
use serde::Serialize;

use super::codec::token as codec;
use super::keys::ObjectName;
use super::slots::slot_of_tag;
use super::{READS_PER_PIPELINE, RedisStore, unexpected};
use crate::rules::MAX_RELATED_PER_TOKEN;
use crate::secret::TokenId;
use crate::store::{Call, Changed, Ended, Related, StoreError};
use crate::token::{RelatedObject, Token, TokenChange};

/// A hint may be this much older than what it tells of: far longer than two operations may take.
const HINT_GRACE_MS: u64 = 60_000;
/// Calls at once for one operation: as many as there are connections by default.
const CALLS_AT_ONCE: usize = 8;
/// Hints removed in one script call.
const HINTS_PER_CALL: usize = 1024;

/// When a hint was written, as it was read.
type Hint = (TokenId, u64);

impl RedisStore {
    /// Lets objects know of a token that is about to name them; false when one of them has too many.
    pub(super) async fn hint(
        &self,
        objects: &[RelatedObject],
        (id, ends_at_ms): (TokenId, u64),
        call: &Call<'_>,
    ) -> Result<bool, StoreError> {
        let hinted = objects.iter().map(async |object| {
            if self.hint_once(object, (id, ends_at_ms), call).await? {
                return Ok(true);
            }
            // Its hints may be of tokens that have ended: looking at them removes those.
            self.live_tokens(object, call.now_ms).await?;
            self.hint_once(object, (id, ends_at_ms), call).await
        });
        Ok(try_join_all(hinted).await?.into_iter().all(|hinted| hinted))
    }

    async fn hint_once(
        &self,
        object: &RelatedObject,
        (id, ends_at_ms): (TokenId, u64),
        call: &Call<'_>,
    ) -> Result<bool, StoreError> {
        #[derive(Serialize)]
        struct Args<'a> {
            object: &'a str,
            token: String,
            most: usize,
            ttl: u64,
        }
        let ObjectName { shard, name } = ObjectName::of(object);
        let args = Args {
            object: &name,
            token: id.to_string(),
            most: self.limits.max_tokens_per_object,
            // No renewal reaches beyond its end, and ended it is kept for the retention.
            ttl: (ends_at_ms + self.limits.ended_retention_ms).saturating_sub(call.now_ms),
        };
        self.run(&self.scripts.hint, (self.keys.related(object), shard), call, &args, &[]).await
    }

    pub(in crate::store) async fn relate(
        &self,
        id: TokenId,
        object: &RelatedObject,
        call: &Call<'_>,
    ) -> Result<Related, StoreError> {
        // No change: that looks, and what it does not find never comes back.
        let token = match self.change(id, &TokenChange::default(), call).await? {
            Changed::Done(token) => token,
            Changed::AlreadyEnded(_) => return Ok(Related::Ended),
            _ => return Ok(Related::NotFound),
        };
        let ends_at_ms = token.credential.ends_at_ms;
        if !self.hint(std::slice::from_ref(object), (id, ends_at_ms), call).await? {
            return Ok(Related::TooManyTokens);
        }
        related(self.run_on_pair(&self.scripts.relate, id, object, call).await?)
    }

    pub(in crate::store) async fn unrelate(
        &self,
        id: TokenId,
        object: &RelatedObject,
        call: &Call<'_>,
    ) -> Result<Related, StoreError> {
        related(self.run_on_pair(&self.scripts.unrelate, id, object, call).await?)
    }

    /// Runs a script about a token and an object.
    async fn run_on_pair<T: FromRedisValue>(
        &self,
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
        }
        let object = (object.content_type.as_str(), object.object_id.as_str());
        let args = Args { locator: id.locator(), object, most: MAX_RELATED_PER_TOKEN };
        let answer = self.run(script, (self.keys.token(id), id.shard_tag()), call, &args, &[]).await;
        // Also after an error: it may have been done.
        self.near.void([&id]);
        answer
    }

    pub(in crate::store) async fn object_tokens(
        &self,
        object: &RelatedObject,
        now_ms: u64,
    ) -> Result<Vec<Token>, StoreError> {
        let mut tokens = self.live_tokens(object, now_ms).await?;
        self.learn_last_accesses(&mut tokens).await?;
        tokens.sort_by_key(Token::listing_key);
        Ok(tokens)
    }

    /// Each in a step of its own: they are in many slots.
    pub(in crate::store) async fn end_object_tokens(
        &self,
        object: &RelatedObject,
        call: &Call<'_>,
    ) -> Result<Ended, StoreError> {
        let hints = self.hints(object).await?;
        let (mut ended, mut failure) = (Vec::new(), None);
        for some in hints.chunks(CALLS_AT_ONCE) {
            let outcomes = join_all(
                some.iter().map(|(id, _)| self.run_on_pair(&self.scripts.related_end, *id, object, call)),
            )
            .await;
            for (hint, outcome) in some.iter().zip(outcomes) {
                match outcome {
                    Ok(true) => ended.push(*hint),
                    Ok(false) => {}
                    // That the server is away is not tried for each of them; a corrupt record is one record's matter.
                    Err(error @ StoreError::Corrupt { .. }) => failure = Some(error),
                    Err(error) => return Err(error),
                }
            }
        }
        self.unhint(object, &ended, call.now_ms).await?;
        failure.map_or_else(|| Ok(ended.into_iter().map(|(id, _)| id).collect()), Err)
    }

    async fn hints(&self, object: &RelatedObject) -> Result<Vec<Hint>, StoreError> {
        let range = cmd("ZRANGE").arg(self.keys.related(object)).arg(0).arg(-1).arg("WITHSCORES").to_owned();
        let found: Vec<(String, f64)> = self.with_connection(async |c| range.query_async(c).await).await?;
        let hint = |(id, written_ms): (String, f64)| {
            // A whole number that a double holds exactly.
            Ok((TokenId::parse(&id).ok_or_else(|| unexpected("hint"))?, written_ms as u64))
        };
        found.into_iter().map(hint).collect()
    }

    /// The live tokens that name the object, without their last accesses; hints that will not come true go.
    async fn live_tokens(&self, object: &RelatedObject, now_ms: u64) -> Result<Vec<Token>, StoreError> {
        let hints = self.hints(object).await?;
        let tokens = self.whole_tokens(hints.iter().map(|(id, _)| *id)).await?;
        let (mut live, mut dead) = (Vec::new(), Vec::new());
        for hint in hints {
            let token = tokens.get(&hint.0);
            let has_ended = token.is_some_and(|token| !token.credential.is_active);
            let is_true = token.is_some_and(|token| token.related_objects.contains(object));
            let is_old = hint.1.saturating_add(HINT_GRACE_MS) <= now_ms;
            if has_ended || !is_true && is_old {
                dead.push(hint);
            } else if is_true {
                live.extend(token.filter(|token| token.credential.is_live(now_ms)).cloned());
            }
        }
        self.unhint(object, &dead, now_ms).await?;
        Ok(live)
    }

    async fn unhint(&self, object: &RelatedObject, dead: &[Hint], now_ms: u64) -> Result<(), StoreError> {
        #[derive(Serialize)]
        struct Args<'a> {
            object: &'a str,
            hints: Vec<(String, u64)>,
        }
        let ObjectName { shard, name } = ObjectName::of(object);
        for some in dead.chunks(HINTS_PER_CALL) {
            let hints = some.iter().map(|(id, written_ms)| (id.to_string(), *written_ms)).collect();
            let (at, args) = ((self.keys.related(object), shard), Args { object: &name, hints });
            self.run::<()>(&self.scripts.unhint, at, &now_ms.into(), &args, &[]).await?;
        }
        Ok(())
    }

    /// The tokens of these ids that are there.
    async fn whole_tokens(
        &self,
        ids: impl Iterator<Item = TokenId>,
    ) -> Result<BTreeMap<TokenId, Token>, StoreError> {
        let mut tokens = BTreeMap::new();
        for some in self.pipelines(ids).chunks(CALLS_AT_ONCE) {
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
            tokens.iter_mut().map(|token| (token.credential.id, token)).collect();
        for some in self.pipelines(of_id.keys().copied()).chunks(CALLS_AT_ONCE) {
            let read =
                some.iter().map(|ids| {
                    let mut pipeline = pipe();
                    for token in ids.iter().filter_map(|id| of_id.get(id)) {
                        let member = format!("@{}", token.credential.id.locator());
                        pipeline.cmd("ZSCORE").arg(self.keys.index(token.credential.user())).arg(member);
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

    /// What may be asked in one pipeline: of one slot, where slots matter.
    fn pipelines(&self, ids: impl Iterator<Item = TokenId>) -> Vec<Vec<TokenId>> {
        let is_by_slot = self.topology.map().is_by_slot();
        let mut by_slot: BTreeMap<u16, Vec<TokenId>> = BTreeMap::new();
        for id in ids {
            let slot = if is_by_slot { slot_of_tag(id.shard_tag()) } else { 0 };
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
