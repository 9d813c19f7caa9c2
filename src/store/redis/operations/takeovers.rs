//! Takeovers: in the slot of the token that acts, with a reverse-index entry in the slot of the user taken over.

use std::collections::HashMap;

use redis::{Value, cmd};
use serde::Serialize;

use super::script_call::ScriptCall;
use super::stale_entries::StaleEntry;
use crate::model::revoke_reason::RevokeReason;
use crate::model::takeover::{
    EndedTakeover, MAX_TAKEOVERS_PER_TOKEN, MAX_TAKEOVERS_PER_USER, NewTakeover, Takeover, TakeoverId,
};
use crate::store::call::Call;
use crate::store::error::StoreError;
use crate::store::redis::cluster::pool::Priority;
use crate::store::redis::errors::{answer_text, unexpected};
use crate::store::redis::redis_store::RedisStore;
use crate::store::redis::schema::codec::takeover as codec;
use crate::store::redis::schema::codec::token::record as token_codec;
use crate::store::rejection::{Outcome, Rejection};
use crate::token_string::TokenId;

/// The arguments of lua/start_takeover.lua.
#[derive(Serialize)]
struct StartArgs<'a> {
    locator: String,
    takeover: String,
    user: &'a str,
    ends_at_ms: u64,
    reason: &'a str,
    retention_ms: u64,
    max: usize,
}

impl RedisStore {
    pub(crate) async fn start_takeover(
        &self,
        new: &NewTakeover,
        call: &Call<'_>,
    ) -> Result<Outcome<Takeover>, StoreError> {
        // Before the takeover: the reverse index may have stale entries, but never too few.
        self.add_takeover_entry(new, call).await?;
        let args = StartArgs {
            locator: new.token.locator(),
            takeover: new.id.locator(),
            user: &new.user,
            ends_at_ms: new.ends_at_ms,
            reason: new.reason.as_deref().unwrap_or_default(),
            retention_ms: self.limits.takeover_retention_ms,
            max: MAX_TAKEOVERS_PER_TOKEN,
        };
        let at = (self.keys.token(new.token), new.token.hash_tag());
        let record = codec::record_of(new, call.now_ms);
        let script_call = ScriptCall::new(&self.scripts.start_takeover, at, call, &args);
        let answer: Result<Vec<Value>, _> =
            self.run_script(script_call.with_bytes([record.as_slice()])).await;
        self.node_cache.invalidate([&new.token]);
        let rejection = match answer?.as_slice() {
            [Value::Int(0)] => Rejection::NotFound,
            [Value::Int(1), Value::BulkString(actor), fields] => {
                let actor = answer_text(actor.clone(), "takeover")?;
                self.remember_token(new.token, fields, &Value::Nil);
                let token = token_codec::token(new.token, fields, &Value::Nil)?;
                let token = token.ok_or_else(|| unexpected("takeover"))?;
                self.remember_takeover(new, &actor, call.now_ms, token.record.expires_at_ms);
                return Ok(Ok(Takeover {
                    id: new.id,
                    token: new.token,
                    actor,
                    user: new.user.clone(),
                    reason: new.reason.clone(),
                    created_at_ms: call.now_ms,
                    ends_at_ms: new.ends_at_ms,
                    ended_at_ms: None,
                }));
            }
            [Value::Int(2)] => Rejection::Revoked,
            [Value::Int(3)] => Rejection::Pending,
            [Value::Int(4)] => Rejection::OwnUser,
            [Value::Int(5)] => Rejection::UserLocked,
            _ => return Err(unexpected("takeover")),
        };
        let NewTakeover { id: takeover, token, user, .. } = new.clone();
        let stale = StaleEntry::Takeover { user, token, takeover, kept_until_ms: 0 };
        self.remove_stale_entries(Priority::Normal, &[stale], call.now_ms).await;
        Ok(Err(rejection))
    }

    pub(crate) async fn end_takeover(
        &self,
        token: TokenId,
        reason: RevokeReason,
        call: &Call<'_>,
    ) -> Result<Option<EndedTakeover>, StoreError> {
        self.end_takeover_of(token, None, reason, call).await
    }

    /// Ends the takeover under way on a token; if `takeover` names one, only that. Returns it, if there was one.
    pub(crate) async fn end_takeover_of(
        &self,
        token: TokenId,
        takeover: Option<TakeoverId>,
        reason: RevokeReason,
        call: &Call<'_>,
    ) -> Result<Option<EndedTakeover>, StoreError> {
        #[derive(Serialize)]
        struct Args {
            locator: String,
            reason: &'static str,
            takeover: Option<String>,
        }
        let takeover = takeover.map(|takeover| takeover.locator());
        let args = Args { locator: token.locator(), reason: reason.name(), takeover };
        let at = (self.keys.token(token), token.hash_tag());
        let script_call = ScriptCall::new(&self.scripts.end_takeover, at, call, &args);
        let answer: Result<Option<(String, String, String)>, _> = self.run_script(script_call.urgent()).await;
        self.node_cache.invalidate([&token]);
        let Some((actor, locator, user)) = answer? else { return Ok(None) };
        let id =
            TakeoverId::from_locator(token.hash_tag(), &locator).ok_or_else(|| unexpected("takeover"))?;
        self.remember_takeover_end(id, token, call.now_ms);
        Ok(Some(EndedTakeover { id, actor, user }))
    }

    pub(crate) async fn token_takeovers(
        &self,
        token: TokenId,
        now_ms: u64,
    ) -> Result<Vec<Takeover>, StoreError> {
        let all = cmd("HGETALL").arg(self.keys.takeovers(token)).to_owned();
        let fields = self.with_connection(async |c| all.query_async(c).await).await?;
        let mut takeovers = self.visible_takeovers(token, fields, now_ms)?;
        takeovers.sort_by_key(Takeover::listing_key);
        Ok(takeovers)
    }

    /// Decodes the takeovers in a token's hash that are still visible.
    fn visible_takeovers(
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
        let _permit = self.listing_permit().await?;
        let range = cmd("ZRANGE").arg(self.keys.taken_over(user)).arg(0).arg(-1).to_owned();
        let entries: Vec<String> = self.with_connection(async |c| range.query_async(c).await).await?;
        let token =
            |entry: &String| codec::token_of_member(entry).ok_or_else(|| unexpected("reverse-index entry"));
        let mut tokens = entries.iter().map(token).collect::<Result<Vec<_>, _>>()?;
        tokens.sort_unstable();
        tokens.dedup();
        let mut takeovers = Vec::new();
        let decode = |id: TokenId, fields: Value| {
            takeovers.extend(self.visible_takeovers(id, fields, now_ms)?);
            Ok(())
        };
        self.read_hashes_by_id(tokens.into_iter(), |id| self.keys.takeovers(id), decode).await?;
        takeovers.retain(|takeover: &Takeover| takeover.user == user);
        takeovers.sort_by_key(Takeover::listing_key);
        takeovers.truncate(MAX_TAKEOVERS_PER_USER);
        Ok(takeovers)
    }
}
