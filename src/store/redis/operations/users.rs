//! Locking and erasing users.

use redis::{Value, cmd};
use serde::Serialize;

use super::script_call::ScriptCall;
use crate::model::revoke_reason::RevokeReason;
use crate::store::call::Call;
use crate::store::error::StoreError;
use crate::store::redis::errors::unexpected;
use crate::store::redis::redis_store::RedisStore;
use crate::token_string::{HashTag, TokenId};

impl RedisStore {
    pub(crate) async fn erase_user(&self, user: &str, call: &Call<'_>) -> Result<(), StoreError> {
        #[derive(Serialize)]
        struct Args<'a> {
            user: &'a str,
            trace_ms: u64,
        }
        let args = Args { user, trace_ms: self.trace_ms() };
        let (hash_tag, call) = (HashTag::of_user(user), self.advancing_call(call));
        // First, because the erasure removes the list of them.
        let ended = match self.end_takeovers_of_user(user, &call()).await {
            // A corrupt record of another user's token must not keep this user from being erased.
            Err(error) if !matches!(error, StoreError::Corrupt { .. }) => return Err(error),
            ended => ended,
        };
        loop {
            let at = (self.keys.index(user), hash_tag);
            let now = call();
            let script_call = ScriptCall::new(&self.scripts.erase_user, at, &now, &args).urgent();
            let answer: Value = self.run_script(script_call).await?;
            let (revoked, is_erased): (Vec<String>, bool) =
                redis::from_redis_value(answer).map_err(|_| unexpected("erase_user"))?;
            self.void_revoked(hash_tag, revoked, RevokeReason::Erased, now.now_ms)?;
            if is_erased {
                self.remember_erasure(user, now.now_ms);
                return ended;
            }
        }
    }

    /// Ends the takeovers of this user by others that are under way.
    async fn end_takeovers_of_user(&self, user: &str, call: &Call<'_>) -> Result<(), StoreError> {
        let takeovers = self.user_takeovers(user, call.now_ms).await?;
        for takeover in takeovers.iter().filter(|takeover| takeover.ended_at_ms.is_none()) {
            let (token, reason) = (takeover.token, RevokeReason::Erased);
            let ended = self.end_takeover_of(token, Some(takeover.id), reason, call).await?;
            self.changes.takeovers_ended.add(reason, usize::from(ended.is_some()));
        }
        Ok(())
    }
}

impl RedisStore {
    pub(crate) async fn set_lock(
        &self,
        user: &str,
        is_locked: bool,
        call: &Call<'_>,
    ) -> Result<bool, StoreError> {
        #[derive(Serialize)]
        struct Args<'a> {
            user: &'a str,
            locked: bool,
            trace_ms: u64,
        }
        let args = Args { user, locked: is_locked, trace_ms: self.trace_ms() };
        let hash_tag = HashTag::of_user(user);
        let at = (self.keys.index(user), hash_tag);
        let script_call = ScriptCall::new(&self.scripts.lock_user, at, call, &args).urgent();
        let (is_changed, locators): (bool, Vec<String>) = self.run_script(script_call).await?;
        let id = |locator: &String| {
            TokenId::from_locator(hash_tag, locator).ok_or_else(|| unexpected("lock_user"))
        };
        let changed = locators.iter().map(id).collect::<Result<Vec<_>, _>>()?;
        // This node knows the lock from now on, before the caller learns of it.
        self.node_cache.invalidate(&changed);
        if is_changed {
            self.remember_lock(user, is_locked, call.now_ms);
        }
        Ok(is_changed)
    }

    pub(crate) async fn is_locked(&self, user: &str) -> Result<bool, StoreError> {
        let get = cmd("GET").arg(self.keys.lock(user)).to_owned();
        let marker: Option<Vec<u8>> = self.with_connection(async |c| get.query_async(c).await).await?;
        Ok(marker.is_some())
    }
}
