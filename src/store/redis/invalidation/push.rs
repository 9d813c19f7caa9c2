//! Applying a pushed invalidation to the near cache.

use redis::Value;

use crate::store::cache::ServerIndex;
use crate::store::redis::lookup::node_cache::NodeCache;
use crate::store::redis::schema::keys::Keys;

/// Invalidates the tokens of a push, and queues those that were cached to be read again.
///
/// A push names one key, several keys, or, as null, all keys (Redis documentation, "Client-side caching"). What cannot be
/// understood may mean any key.
pub(crate) fn apply_invalidation(node_cache: &NodeCache, keys: &Keys, server: ServerIndex, data: &[Value]) {
    let Some(cache) = &node_cache.cache else { return };
    let invalidate = |key: &Value| match key {
        Value::BulkString(key) => match keys.token_id(key) {
            Some(id) if cache.invalidate(&id) => node_cache.refresh_soon(id),
            Some(_) => {}
            None => cache.invalidate_all(server),
        },
        _ => cache.invalidate_all(server),
    };
    for value in data {
        match value {
            Value::Array(keys) => keys.iter().for_each(invalidate),
            other => invalidate(other),
        }
    }
}
