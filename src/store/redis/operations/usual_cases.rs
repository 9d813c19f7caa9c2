//! The most frequent changes in their usual cases, by short scripts (lua/shared/short_context.lua).

use redis::{FromRedisValue, Value};

use super::stale_entries::StaleEntry;
use super::tokens::RotateArgs;
use crate::model::revoke_reason::RevokeReason;
use crate::model::token::{Token, TokenChange};
use crate::store::call::Call;
use crate::store::error::StoreError;
use crate::store::redis::cluster::pool::Priority;
use crate::store::redis::errors::unexpected;
use crate::store::redis::redis_store::RedisStore;
use crate::store::redis::schema::codec::event::issued;
use crate::store::redis::schema::codec::primitives::{decimal, field_args};
use crate::store::redis::schema::codec::token::record as codec;
use crate::store::redis::schema::script::Script;
use crate::token_string::{HashTag, TokenId};

/// The fields of a token that lua/revoke_token.lua returns.
const REVOKED_FIELDS: [&str; 15] =
    ["u", "f", "x", "s", "i", "z", "t", "r", "q", "h", "c", "d", "o", "p", "m"];
/// The position of the fields `r` and `q` in them.
const RELATED: usize = 7;

/// Returns all fields of a token that was just revoked, as `HGETALL` answers them. `values` are those of [`REVOKED_FIELDS`].
fn revoked_fields(values: &[Value], reason: RevokeReason, now_ms: u64) -> Value {
    let text = |bytes: &[u8]| Value::BulkString(bytes.to_vec());
    let revocation = [("e", text(&decimal(now_ms))), ("w", text(reason.name().as_bytes()))];
    let present = REVOKED_FIELDS.into_iter().zip(values.iter().cloned());
    let present = present.filter(|(_, value)| *value != Value::Nil);
    Value::Array(present.chain(revocation).flat_map(|(name, value)| [text(name.as_bytes()), value]).collect())
}

impl RedisStore {
    /// Issues a token with the short script, which answers 3 and does nothing if the user is at a limit.
    pub(crate) async fn issue_below_limits(
        &self,
        token: &Token,
        fields: &[(&'static str, Vec<u8>)],
        call: &Call<'_>,
    ) -> Result<i64, StoreError> {
        let record = &token.record;
        let [created, accessed, expires, max] = [
            record.created_at_ms,
            token.last_access_ms,
            record.expires_at_ms,
            self.limits.max_tokens_per_user as u64,
        ]
        .map(decimal);
        let locator = record.id.locator();
        let event = issued(token, call.now_ms, call.actor);
        let user = record.user().as_bytes();
        let mut own = vec![user, locator.as_bytes(), &created, &accessed, &expires, &max, &event];
        own.extend(field_args(fields));
        let at = (self.keys.token(record.id), record.id.hash_tag());
        self.run_short(&self.scripts.issue_token, at, call, &own, (&self.event_channel, Priority::Normal))
            .await
    }

    /// Revokes or rotates a token with a short script. `None` if the change is another one, or only the script that knows
    /// all cases can make it: then nothing was done.
    pub(crate) async fn change_in_usual_case(
        &self,
        id: TokenId,
        change: &TokenChange,
        call: &Call<'_>,
    ) -> Result<Option<Token>, StoreError> {
        let (locator, actor) = (id.locator(), call.actor.to_string());
        let own = [locator.as_bytes(), actor.as_bytes()];
        let at = (self.keys.token(id), id.hash_tag());
        let answer: Result<Vec<Value>, _> = match (call.once, change.revoke, change.rotate) {
            (None, Some(reason), None) if *change == TokenChange::revoking(reason) => {
                let own = [&own[..], &[reason.name().as_bytes()]].concat();
                self.run_short(
                    &self.scripts.revoke_token,
                    at,
                    call,
                    &own,
                    (&self.ending_channel, Priority::Urgent),
                )
                .await
            }
            (None, None, Some(rotation)) if *change == TokenChange::rotating(rotation) => {
                let by = RotateArgs::from(rotation);
                let [grace, siblings, remembered] =
                    [by.grace_ms, by.max_siblings as u64, by.max_remembered as u64].map(decimal);
                let own = [&own[..], &[rotation.hash.as_bytes(), &grace, &siblings, &remembered]].concat();
                self.run_short(
                    &self.scripts.rotate_token,
                    at,
                    call,
                    &own,
                    (&self.event_channel, Priority::Normal),
                )
                .await
            }
            _ => return Ok(None),
        };
        // Also after an error: the change may have been made.
        self.node_cache.invalidate([&id]);
        let answer = answer?;
        let [fields, last_access] = answer.as_slice() else { return Ok(None) };
        let decode =
            |fields| codec::token(id, fields, last_access)?.ok_or_else(|| unexpected("a short script"));
        let token = match (change.revoke, fields) {
            (Some(reason), Value::Array(values)) => {
                let token = decode(&revoked_fields(values, reason, call.now_ms))?;
                self.changes.revoked.add(reason, 1);
                self.remember_revoked([&id], reason, call.now_ms);
                let stale = StaleEntry::of_revoked(id, values.get(RELATED..RELATED + 2).unwrap_or_default());
                self.remove_stale_entries(Priority::Urgent, &stale, call.now_ms).await;
                token
            }
            _ => {
                let token = decode(fields)?;
                self.remember_token(id, fields, last_access);
                token
            }
        };
        Ok(Some(token))
    }

    /// Runs a script that starts with lua/shared/short_context.lua, and returns its answer. `own` are the script's own
    /// arguments.
    async fn run_short<T: FromRedisValue>(
        &self,
        script: &Script,
        (key, hash_tag): (String, HashTag),
        call: &Call<'_>,
        own: &[&[u8]],
        (channel, priority): (&str, Priority),
    ) -> Result<T, StoreError> {
        let tolerance = self.node_cache.store_clock.tolerance_ms();
        let common = [
            call.now_ms.to_string(),
            tolerance.map(|ms| ms.to_string()).unwrap_or_default(),
            self.keys.prefix().to_owned(),
            hash_tag.to_string(),
            channel.to_owned(),
            self.limits.events_per_user.to_string(),
            self.limits.event_retention_ms.to_string(),
            self.limits.stale_grace_ms.to_string(),
            self.limits.revoked_retention_ms.to_string(),
        ];
        let args: Vec<&[u8]> = common.iter().map(String::as_bytes).chain(own.iter().copied()).collect();
        self.send_script(call, priority, (script, &key), &args).await
    }
}
