//! Takeovers: in the slot of the token that acts, and a hint in the slot of the user taken over.

use std::collections::HashMap;

use futures_util::future::try_join_all;
use redis::{Value, cmd, pipe};
use serde::Serialize;

use super::codec::takeover as codec;
use super::{RedisStore, text, unexpected};
use crate::event::EndReason;
use crate::secret::{ID_CHARS, TokenId};
use crate::store::{Call, StoreError};
use crate::takeover::{MAX_TAKEOVERS_PER_TOKEN, MAX_TAKEOVERS_PER_USER, NewTakeover, Started, Takeover};

#[derive(Serialize)]
struct StartArgs<'a> {
    locator: String,
    takeover: String,
    user: &'a str,
    ends_at: u64,
    reason: &'a str,
    keep: u64,
    most: usize,
}

impl RedisStore {
    pub(in crate::store) async fn start_takeover(
        &self,
        new: &NewTakeover,
        call: &Call<'_>,
    ) -> Result<Started, StoreError> {
        // Before its truth: the hint may name too many, never too few.
        self.hint_takeover(new, call.now_ms).await?;
        let args = StartArgs {
            locator: new.token.locator(),
            takeover: new.id.locator(),
            user: &new.user,
            ends_at: new.ends_at_ms,
            reason: new.reason.as_deref().unwrap_or_default(),
            keep: self.limits.takeover_retention_ms,
            most: MAX_TAKEOVERS_PER_TOKEN,
        };
        let at = (self.keys.token(new.token), new.token.shard_tag());
        let record = codec::record_of(new, call.now_ms);
        let answer: Result<Vec<Value>, _> =
            self.run(&self.scripts.takeover_start, at, call, &args, &[&record]).await;
        self.near.void([&new.token]);
        let started = match answer?.as_slice() {
            [Value::Int(0)] => Started::NotFound,
            [Value::Int(1), Value::BulkString(actor)] => {
                return Ok(Started::Done(Takeover {
                    id: new.id,
                    token: new.token,
                    actor: text(actor.clone(), "takeover")?,
                    user: new.user.clone(),
                    reason: new.reason.clone(),
                    created_at_ms: call.now_ms,
                    ended_at_ms: None,
                }));
            }
            [Value::Int(2)] => Started::Ended,
            [Value::Int(3)] => Started::Pending,
            [Value::Int(4)] => Started::OwnUser,
            _ => return Err(unexpected("takeover")),
        };
        // There is nothing to hint at.
        let unhint = cmd("ZREM").arg(self.keys.taken_over(&new.user)).arg(hint_of(new)).to_owned();
        self.with_connection(async |c| unhint.exec_async(c).await).await?;
        Ok(started)
    }

    /// Lets the taken-over user's slot know where to look; kept as long as the takeover can be.
    async fn hint_takeover(&self, new: &NewTakeover, now_ms: u64) -> Result<(), StoreError> {
        let key = self.keys.taken_over(&new.user);
        let kept_until_ms = new.ends_at_ms + self.limits.takeover_retention_ms;
        let ttl_ms = kept_until_ms - now_ms;
        let mut pipeline = pipe();
        pipeline.atomic();
        pipeline.cmd("ZREMRANGEBYSCORE").arg(&key).arg("-inf").arg(now_ms).ignore();
        pipeline.cmd("ZADD").arg(&key).arg(kept_until_ms).arg(hint_of(new)).ignore();
        let last_surplus = -(MAX_TAKEOVERS_PER_USER as i64) - 1;
        pipeline.cmd("ZREMRANGEBYRANK").arg(&key).arg(0).arg(last_surplus).ignore();
        // GT sets nothing where there is no TTL yet.
        pipeline.cmd("PEXPIRE").arg(&key).arg(ttl_ms).arg("NX").ignore();
        pipeline.cmd("PEXPIRE").arg(&key).arg(ttl_ms).arg("GT").ignore();
        self.with_connection(async |c| pipeline.exec_async(c).await).await
    }

    pub(in crate::store) async fn end_takeover(
        &self,
        token: TokenId,
        reason: EndReason,
        call: &Call<'_>,
    ) -> Result<bool, StoreError> {
        #[derive(Serialize)]
        struct Args {
            locator: String,
            why: &'static str,
        }
        let args = Args { locator: token.locator(), why: reason.name() };
        let at = (self.keys.token(token), token.shard_tag());
        let ended = self.run(&self.scripts.takeover_end, at, call, &args, &[]).await;
        self.near.void([&token]);
        ended
    }

    pub(in crate::store) async fn token_takeovers(
        &self,
        token: TokenId,
        now_ms: u64,
    ) -> Result<Vec<Takeover>, StoreError> {
        let all = cmd("HGETALL").arg(self.keys.takeovers(token)).to_owned();
        let fields: HashMap<Vec<u8>, Vec<u8>> =
            self.with_connection(async |c| all.query_async(c).await).await?;
        let mut takeovers = codec::takeovers(token, &fields, now_ms)?;
        takeovers.retain(|takeover| takeover.is_visible(now_ms, self.limits.takeover_retention_ms));
        takeovers.sort_by_key(Takeover::listing_key);
        Ok(takeovers)
    }

    pub(in crate::store) async fn user_takeovers(
        &self,
        user: &str,
        now_ms: u64,
    ) -> Result<Vec<Takeover>, StoreError> {
        let range = cmd("ZRANGE").arg(self.keys.taken_over(user)).arg(0).arg(-1).to_owned();
        let hints: Vec<String> = self.with_connection(async |c| range.query_async(c).await).await?;
        let mut tokens = hints.iter().map(|hint| read_hint(hint)).collect::<Result<Vec<_>, _>>()?;
        tokens.sort_unstable();
        tokens.dedup();
        // As many at a time as there are connections.
        let histories = try_join_all(tokens.iter().map(|token| self.token_takeovers(*token, now_ms))).await?;
        let mut takeovers: Vec<_> =
            histories.into_iter().flatten().filter(|takeover| takeover.user == user).collect();
        takeovers.sort_by_key(Takeover::listing_key);
        takeovers.truncate(MAX_TAKEOVERS_PER_USER);
        Ok(takeovers)
    }
}

/// The token's id and the takeover's locator, one behind the other.
fn hint_of(new: &NewTakeover) -> String {
    format!("{}{}", new.token, new.id.locator())
}

fn read_hint(hint: &str) -> Result<TokenId, StoreError> {
    let token = hint.get(..ID_CHARS).and_then(TokenId::parse);
    token.ok_or_else(|| unexpected("hint"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_names_the_token() {
        let id = |text| TokenId::parse(text).unwrap();
        let new = NewTakeover {
            id: id("jE1hGDDTZBpo-Uqq"),
            token: id("jE1hGDDTZBpo-Upp"),
            user: "bob".into(),
            reason: None,
            ends_at_ms: 1,
        };
        assert_eq!(hint_of(&new), "jE1hGDDTZBpo-UppYRgw02QaaPlKqg");
        assert_eq!(read_hint(&hint_of(&new)).unwrap(), new.token);
        assert!(read_hint("short").is_err());
    }
}
