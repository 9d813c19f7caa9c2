//! Takeovers: in the slot of the token that acts, and a hint in the slot of the user taken over.

use std::collections::HashMap;

use futures_util::future::try_join_all;
use redis::{Value, cmd};
use serde::Serialize;

use super::reverse_index::{Untrue, token_of_takeover_hint};
use crate::model::event::RevokeReason;
use crate::model::takeover::{
    MAX_TAKEOVERS_PER_TOKEN, MAX_TAKEOVERS_PER_USER, NewTakeover, Started, Takeover,
};
use crate::store::call::Call;
use crate::store::error::StoreError;
use crate::store::redis::cluster::pool::Priority;
use crate::store::redis::errors::{text, unexpected};
use crate::store::redis::redis_store::RedisStore;
use crate::store::redis::schema::codec::takeover as codec;
use crate::token_string::TokenId;

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
    pub(crate) async fn start_takeover(
        &self,
        new: &NewTakeover,
        call: &Call<'_>,
    ) -> Result<Started, StoreError> {
        // Before its truth: the hint may name too many, never too few.
        self.hint_takeover(new, call).await?;
        let args = StartArgs {
            locator: new.token.locator(),
            takeover: new.id.locator(),
            user: &new.user,
            ends_at: new.ends_at_ms,
            reason: new.reason.as_deref().unwrap_or_default(),
            keep: self.limits.takeover_retention_ms,
            most: MAX_TAKEOVERS_PER_TOKEN,
        };
        let at = (self.keys.token(new.token), new.token.hash_tag());
        let record = codec::record_of(new, call.now_ms);
        let answer: Result<Vec<Value>, _> =
            self.run(&self.scripts.takeover_start, at, call, &args, &[&record]).await;
        self.node_cache.invalidate([&new.token]);
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
                    ends_at_ms: new.ends_at_ms,
                    ended_at_ms: None,
                }));
            }
            [Value::Int(2)] => Started::Ended,
            [Value::Int(3)] => Started::Pending,
            [Value::Int(4)] => Started::OwnUser,
            _ => return Err(unexpected("takeover")),
        };
        // There is nothing to hint at.
        let NewTakeover { id: takeover, token, user, .. } = new.clone();
        let untrue = Untrue::Takeover { user, token, takeover, kept_until_ms: call.now_ms };
        self.unhint(Priority::Normal, &[untrue], call.now_ms).await;
        Ok(started)
    }

    pub(crate) async fn end_takeover(
        &self,
        token: TokenId,
        reason: RevokeReason,
        call: &Call<'_>,
    ) -> Result<bool, StoreError> {
        #[derive(Serialize)]
        struct Args {
            locator: String,
            why: &'static str,
        }
        let args = Args { locator: token.locator(), why: reason.name() };
        let at = (self.keys.token(token), token.hash_tag());
        let ended = self.revoke(&self.scripts.takeover_end, at, call, &args, &[]).await;
        self.node_cache.invalidate([&token]);
        ended
    }

    pub(crate) async fn token_takeovers(
        &self,
        token: TokenId,
        now_ms: u64,
    ) -> Result<Vec<Takeover>, StoreError> {
        let all = cmd("HGETALL").arg(self.keys.takeovers(token)).to_owned();
        let fields = self.with_connection(async |c| all.query_async(c).await).await?;
        let mut takeovers = self.shown_takeovers(token, fields, now_ms)?;
        takeovers.sort_by_key(Takeover::listing_key);
        Ok(takeovers)
    }

    /// The takeovers in a token's hash that can be looked at.
    fn shown_takeovers(
        &self,
        token: TokenId,
        fields: Value,
        now_ms: u64,
    ) -> Result<Vec<Takeover>, StoreError> {
        let fields: HashMap<Vec<u8>, Vec<u8>> =
            redis::from_redis_value(fields).map_err(|_| unexpected("takeovers"))?;
        let mut takeovers = codec::takeovers(token, &fields, now_ms)?;
        takeovers.retain(|takeover| takeover.is_visible(now_ms, self.limits.takeover_retention_ms));
        Ok(takeovers)
    }

    pub(crate) async fn user_takeovers(&self, user: &str, now_ms: u64) -> Result<Vec<Takeover>, StoreError> {
        let _turn = self.listing().await?;
        let range = cmd("ZRANGE").arg(self.keys.taken_over(user)).arg(0).arg(-1).to_owned();
        let hints: Vec<String> = self.with_connection(async |c| range.query_async(c).await).await?;
        let mut tokens =
            hints.iter().map(|hint| token_of_takeover_hint(hint)).collect::<Result<Vec<_>, _>>()?;
        tokens.sort_unstable();
        tokens.dedup();
        let mut takeovers = Vec::new();
        for some in self.pipelines(tokens.into_iter()).chunks(self.reads_at_once()) {
            let read = some
                .iter()
                .map(|ids| self.read_hashes(ids.iter().map(|id| self.keys.takeovers(*id)).collect()));
            for (ids, answers) in some.iter().zip(try_join_all(read).await?) {
                for (id, fields) in ids.iter().zip(answers) {
                    takeovers.extend(self.shown_takeovers(*id, fields, now_ms)?);
                }
            }
        }
        takeovers.retain(|takeover: &Takeover| takeover.user == user);
        takeovers.sort_by_key(Takeover::listing_key);
        takeovers.truncate(MAX_TAKEOVERS_PER_USER);
        Ok(takeovers)
    }
}
