//! The choice of the store, and how it treats changes.

use super::redis_url::RedisUrl;
use crate::named_enum::named_enum;

/// The condition for which a change waits before it is acknowledged: the setting `durable-writes`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DurableWrites {
    /// Nothing: the server has it in its memory.
    #[default]
    None,
    /// This many replicas have it.
    Replicas(u8),
    /// The server's append-only file has it on the disk.
    Disk,
}

impl DurableWrites {
    /// Returns whether changes wait for anything.
    pub fn is_on(self) -> bool {
        self != Self::None
    }
}

/// The longest `stale-grace`. TTLs in the store may be longer by as much, also after the setting was lowered.
pub const MAX_STALE_GRACE_MS: u64 = 24 * 3600 * 1000;

named_enum! {
    /// The rule for a token that is issued to a user who has the maximum number of tokens.
    #[derive(Default)]
    pub enum OverLimit {
        /// The user's oldest token is revoked.
        #[default]
        RevokeOldest => "end-oldest",
        /// The new token is refused.
        RefuseNew => "refuse-new",
    }
}

/// The store that holds the tokens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum StoreUrl {
    /// The embedded store in memory: `redis-url` is not set.
    #[default]
    Memory,
    /// Redis.
    Redis(RedisUrl),
}
