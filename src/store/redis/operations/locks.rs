//! Locking a user: one step, whatever the number of tokens.

use redis::cmd;
use serde::Serialize;

use super::script_call::ScriptCall;
use crate::store::call::Call;
use crate::store::error::StoreError;
use crate::store::redis::errors::unexpected;
use crate::store::redis::redis_store::RedisStore;
use crate::token_string::{HashTag, TokenId};

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
