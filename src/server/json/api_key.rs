//! The JSON object of an API key.

use serde_json::{Value, json};

use super::timestamp::timestamp;
use crate::values::{ApiKey, Scope};

/// Shows an API key without its hash. `last_used_ms` is the last use that this node knows.
pub fn api_key(key: &ApiKey, last_used_ms: Option<u64>) -> Value {
    let ApiKey { name, scopes, expires_at_ms, .. } = key;
    let scopes = Scope::ALL.into_iter().filter(|scope| scopes.contains(*scope)).map(Scope::name);
    json!({
        "name": name,
        "scopes": scopes.collect::<Vec<_>>(),
        "expires_at": expires_at_ms.map(timestamp),
        "last_used_at": last_used_ms.map(timestamp),
    })
}
