//! The limits of every store.

use crate::values::OverLimit;

/// The limits of a store.
#[derive(Clone, Copy, Debug)]
pub struct StoreLimits {
    /// A revoked token stays readable for this long.
    pub revoked_retention_ms: u64,
    /// An expired token is kept for this long, invisibly, for renewals that a node earned while it could not reach the store.
    /// The setting `stale-grace`.
    pub stale_grace_ms: u64,
    /// A user has at most this many live tokens, and as many revoked ones. One more live token revokes the oldest live one;
    /// one more revoked token removes the oldest revoked one.
    pub max_tokens_per_user: usize,
    /// A related object has at most this many live tokens.
    pub max_tokens_per_object: usize,
    /// The fate of one token too many.
    pub over_limit: OverLimit,
    /// A takeover that is over stays readable for this long.
    pub takeover_retention_ms: u64,
    /// How many of a user's events are kept, the newest ones.
    pub events_per_user: usize,
    /// An event is kept for this long.
    pub event_retention_ms: u64,
    /// A user has at most this many device keys; one more is rejected.
    pub max_devices_per_user: usize,
}

impl StoreLimits {
    /// The defaults of the settings.
    pub const DEFAULT: Self = {
        const DAY_MS: u64 = 24 * 3600 * 1000;
        Self {
            revoked_retention_ms: DAY_MS,
            stale_grace_ms: 0,
            max_tokens_per_user: 1000,
            max_tokens_per_object: 10_000,
            over_limit: OverLimit::RevokeOldest,
            takeover_retention_ms: 30 * DAY_MS,
            events_per_user: 100,
            event_retention_ms: 7 * DAY_MS,
            max_devices_per_user: 100,
        }
    };
}

/// The most tokens that one login revokes, and the most revoked ones that it removes. One of each would do, unless the limit
/// was lowered: then each login works off a part of the surplus.
pub const ROOM_PER_LOGIN: usize = 8;
