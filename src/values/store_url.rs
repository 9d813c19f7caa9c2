//! The choice of the store.

use super::redis_url::RedisUrl;

/// The store that holds the tokens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum StoreUrl {
    /// The embedded store in memory: `redis-url` is not set.
    #[default]
    Memory,
    /// Redis.
    Redis(RedisUrl),
}
