//! The choice of the store.

use super::redis_url::RedisUrl;

/// Which store holds the tokens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum StoreUrl {
    /// The embedded one: `redis-url` is not set.
    #[default]
    Memory,
    /// Redis.
    Redis(RedisUrl),
}
