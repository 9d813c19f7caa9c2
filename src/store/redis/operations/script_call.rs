//! One call of a script.

use redis::Value;
use serde::Serialize;

use crate::store::call::Call;
use crate::store::error::StoreError;
use crate::store::redis::cluster::pool::Priority;
use crate::store::redis::redis_store::RedisStore;
use crate::store::redis::schema::codec::primitives::pack_named;
use crate::store::redis::schema::script::Script;
use crate::store::redis::schema::scripts::Context;
use crate::token_string::HashTag;

/// Calls of one operation that are under way at once: the default of `redis-connections`.
pub(crate) const CALLS_AT_ONCE: usize = 8;

/// A script and what it is called with.
pub(crate) struct ScriptCall<'a> {
    script: &'a Script,
    /// One of the keys of the call, which routes it. All of them have the hash tag.
    key: String,
    pub(crate) hash_tag: HashTag,
    pub(crate) call: Call<'a>,
    args: Vec<u8>,
    bytes: Vec<&'a [u8]>,
    pub(crate) priority: Priority,
}

impl<'a> ScriptCall<'a> {
    /// Makes a call of normal priority.
    pub(crate) fn new(
        script: &'a Script,
        (key, hash_tag): (String, HashTag),
        call: &Call<'a>,
        args: &impl Serialize,
    ) -> Self {
        let args = pack_named(args);
        Self { script, key, hash_tag, call: *call, args, bytes: Vec::new(), priority: Priority::Normal }
    }

    /// Adds arguments that are not text.
    pub(crate) fn with_bytes(self, bytes: impl IntoIterator<Item = &'a [u8]>) -> Self {
        Self { bytes: bytes.into_iter().collect(), ..self }
    }

    pub(crate) fn with_priority(self, priority: Priority) -> Self {
        Self { priority, ..self }
    }

    /// Lets the call use the connections that are kept for revocations.
    pub(crate) fn urgent(self) -> Self {
        self.with_priority(Priority::Urgent)
    }
}

impl RedisStore {
    /// Calls a script, and returns its answer as it is.
    pub(crate) async fn call_script(&self, script_call: &ScriptCall<'_>) -> Result<Value, StoreError> {
        let ScriptCall { script, key, hash_tag, call, args, bytes, priority } = script_call;
        let context = self.script_context(*hash_tag, call);
        let args = [&[&context[..], args], &bytes[..]].concat();
        self.send_script(call, *priority, (script, key), &args).await
    }

    /// Returns the first argument of the other scripts.
    pub(crate) fn script_context(&self, hash_tag: HashTag, call: &Call<'_>) -> Vec<u8> {
        self.tolerant_context(hash_tag, call, self.node_cache.store_clock.tolerance_ms())
    }

    /// As [`RedisStore::script_context`], with this tolerance for the caller's clock; without one, it is not compared.
    pub(crate) fn tolerant_context(
        &self,
        hash_tag: HashTag,
        call: &Call<'_>,
        tolerance_ms: Option<u64>,
    ) -> Vec<u8> {
        pack_named(&Context {
            prefix: self.keys.prefix(),
            hash_tag: hash_tag.to_string(),
            now_ms: call.now_ms,
            tolerance_ms,
            actor: call.actor.to_string(),
            channel: &self.event_channel,
            retention_ms: self.limits.revoked_retention_ms,
            grace_ms: self.limits.stale_grace_ms,
            max_events: self.limits.events_per_user,
            event_ttl_ms: self.limits.event_retention_ms,
        })
    }
}
