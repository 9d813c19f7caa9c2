//! Revoking many tokens of a user, in steps that each hold the server for a short time.

use redis::{Value, cmd};
use serde::Serialize;

use super::script_call::ScriptCall;
use crate::model::revoke_reason::RevokeReason;
use crate::store::call::Call;
use crate::store::error::StoreError;
use crate::store::redis::cluster::pool::Priority;
use crate::store::redis::errors::unexpected;
use crate::store::redis::redis_store::RedisStore;
use crate::store::redis::schema::codec::token::record::BELOW_REVOKED;
use crate::token_string::{HashTag, TokenId};

/// Tokens that one step goes through: few enough to hold even a slow server for about a millisecond. At most `STEP_TOKENS`
/// of lua/shared/revocation.lua, which returns any further tokens.
const TOKENS_PER_STEP: usize = 32;

/// The arguments of lua/revoke_user_tokens.lua.
#[derive(Serialize)]
struct RevokeArgs<'a> {
    user: &'a str,
    except: &'a str,
    device: Option<&'a str>,
    locators: Option<Vec<String>>,
}

/// The result of one step (`revoke_tokens` in lua/shared/revocation.lua).
pub(crate) struct RevocationStep {
    /// Locators of the tokens that the step revoked.
    revoked: Vec<String>,
    /// Locators of the tokens that are still to go through.
    rest: Vec<String>,
    /// The key of a corrupt record, or nothing.
    corrupt_key: String,
    /// Whether the tokens are many, and are still to be listed.
    are_many: bool,
}

impl RevocationStep {
    pub(crate) fn from_answer(answer: &Value) -> Result<Self, StoreError> {
        let parts = redis::from_redis_value_ref(answer).map_err(|_| unexpected("revoked tokens"))?;
        let (revoked, rest, corrupt_key, are_many) = parts;
        Ok(Self { revoked, rest, corrupt_key, are_many })
    }
}

impl RedisStore {
    pub(crate) async fn revoke_user_tokens(
        &self,
        user: &str,
        except: Option<TokenId>,
        call: &Call<'_>,
    ) -> Result<Vec<TokenId>, StoreError> {
        // A token of another user has another hash tag or is not in this index: it excepts nothing.
        let except = except.filter(|id| id.hash_tag() == HashTag::of_user(user));
        let except = except.map(|id| id.locator()).unwrap_or_default();
        let args = RevokeArgs { user, except: &except, device: None, locators: None };
        let first = self.revoke_step(&args, call).await?;
        self.revoke_in_steps(first, args, call).await
    }

    /// Revokes the rest of the tokens that a device key logged in, after the first step, in the script about that key.
    pub(crate) async fn revoke_logged_in(
        &self,
        (user, uuid): (&str, &str),
        first: RevocationStep,
        call: &Call<'_>,
    ) -> Result<Vec<TokenId>, StoreError> {
        let args = RevokeArgs { user, except: "", device: Some(uuid), locators: None };
        self.revoke_in_steps(first, args, call).await
    }

    /// Revokes the tokens that the first step left. The first step, or one command after it, fixes which tokens these are.
    async fn revoke_in_steps(
        &self,
        first: RevocationStep,
        mut args: RevokeArgs<'_>,
        call: &Call<'_>,
    ) -> Result<Vec<TokenId>, StoreError> {
        let (hash_tag, first_ms, call) =
            (HashTag::of_user(args.user), call.now_ms, self.advancing_call(call));
        let reason = if args.device.is_some() { RevokeReason::Device } else { RevokeReason::AllOfUser };
        let RevocationStep { revoked, rest: mut left, mut corrupt_key, are_many } = first;
        let mut revoked = self.void_revoked(hash_tag, revoked, reason, first_ms)?;
        if are_many {
            let index = self.keys.index(args.user);
            let range = cmd("ZRANGEBYSCORE").arg(index).arg(0).arg(BELOW_REVOKED).to_owned();
            left = self.with_connection_for(Priority::Urgent, async |c| range.query_async(c).await).await?;
        }
        while !left.is_empty() {
            args.locators = Some(left.split_off(left.len().saturating_sub(TOKENS_PER_STEP)));
            let now = call();
            let step = self.revoke_step(&args, &now).await?;
            revoked.extend(self.void_revoked(hash_tag, step.revoked, reason, now.now_ms)?);
            left.extend(step.rest);
            if corrupt_key.is_empty() {
                corrupt_key = step.corrupt_key;
            }
        }
        if corrupt_key.is_empty() {
            return Ok(revoked);
        }
        Err(StoreError::Corrupt { key: corrupt_key, reason: "missing or malformed field".into() })
    }

    async fn revoke_step(
        &self,
        args: &RevokeArgs<'_>,
        call: &Call<'_>,
    ) -> Result<RevocationStep, StoreError> {
        let at = (self.keys.index(args.user), HashTag::of_user(args.user));
        let script_call = ScriptCall::new(&self.scripts.revoke_user_tokens, at, call, args).urgent();
        RevocationStep::from_answer(&self.run_script(script_call).await?)
    }

    /// Returns the ids of the tokens that a script revoked at `at_ms`, counts and remembers them. This node refuses them from
    /// now on, before the caller learns of it.
    pub(crate) fn void_revoked(
        &self,
        hash_tag: HashTag,
        locators: Vec<String>,
        reason: RevokeReason,
        at_ms: u64,
    ) -> Result<Vec<TokenId>, StoreError> {
        let id =
            |locator: String| TokenId::from_locator(hash_tag, &locator).ok_or_else(|| unexpected("locator"));
        let revoked = locators.into_iter().map(id).collect::<Result<Vec<_>, _>>()?;
        self.node_cache.invalidate(&revoked);
        self.changes.revoked.add(reason, revoked.len());
        self.remember_revoked(&revoked, reason, at_ms);
        Ok(revoked)
    }
}
