//! Runs a script, and removes the reverse-index entries that it made stale.

use redis::{FromRedisValue, Value};

use super::script_call::ScriptCall;
use super::stale_entries::{PackedStaleEntries, StaleEntry};
use crate::store::error::StoreError;
use crate::store::redis::errors::unexpected;
use crate::store::redis::redis_store::RedisStore;
use crate::token_string::HashTag;

/// The status that marks an answer with stale entries (lua/shared/events.lua).
const STALE: &str = "STALE";

impl RedisStore {
    /// Runs a script, and returns its answer. The stale entries are gone then, or stay until they expire.
    pub(crate) async fn run_script<T: FromRedisValue>(
        &self,
        script_call: ScriptCall<'_>,
    ) -> Result<T, StoreError> {
        let answer = self.call_script(&script_call).await?;
        let (answer, stale) = self.split_answer(script_call.hash_tag, answer, script_call.call.now_ms);
        if !stale.is_empty() {
            // This node refuses the revoked tokens from now on, though the caller learns of it a round trip later.
            self.node_cache.invalidate(stale.iter().map(StaleEntry::token));
            self.remove_stale_entries(script_call.priority, &stale, script_call.call.now_ms).await;
        }
        redis::from_redis_value(answer).map_err(|_| unexpected("a script"))
    }

    /// Splits an answer into the script's own and the entries that it made stale. `hash_tag` is in the keys of the script's
    /// tokens.
    fn split_answer(&self, hash_tag: HashTag, answer: Value, now_ms: u64) -> (Value, Vec<StaleEntry>) {
        let Value::Array(parts) = answer else { return (answer, Vec::new()) };
        match <[Value; 3]>::try_from(parts) {
            Ok([Value::SimpleString(status), Value::BulkString(packed), answer]) if status == STALE => {
                let packed: PackedStaleEntries = rmp_serde::from_slice(&packed).unwrap_or_default();
                let ended_kept_until_ms = now_ms + self.limits.takeover_retention_ms;
                (answer, StaleEntry::unpack(hash_tag, packed, ended_kept_until_ms).unwrap_or_default())
            }
            Ok(parts) => (Value::Array(parts.into()), Vec::new()),
            Err(parts) => (Value::Array(parts), Vec::new()),
        }
    }
}
