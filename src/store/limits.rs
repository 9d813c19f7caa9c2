//! The limits that every store keeps to.

use crate::values::OverLimit;

/// What a store keeps to, whichever it is.
#[derive(Clone, Copy, Debug)]
pub struct StoreLimits {
    /// An ended token stays readable for this long.
    pub revoked_retention_ms: u64,
    /// How much longer than it is of use a token is kept, not to be found by anybody: for renewals that a node earned
    /// while it could not reach the store. The setting `stale-grace`.
    pub stale_grace_ms: u64,
    /// A user has at most this many live tokens, and at most as many ended ones that are still readable: one
    /// more ends the oldest, and forgets the oldest ended one.
    pub max_tokens_per_user: usize,
    /// A related object has at most this many live tokens.
    pub max_tokens_per_object: usize,
    /// What one token too many does.
    pub over_limit: OverLimit,
    /// A takeover that is over stays readable for this long.
    pub takeover_retention_ms: u64,
    /// The newest events of a user that are kept; 0 keeps none.
    pub events_per_user: usize,
    /// For how long an event is kept.
    pub event_retention_ms: u64,
    /// A user has at most this many device keys; one more is refused.
    pub max_devices_per_user: usize,
}

impl StoreLimits {
    /// The settings' defaults.
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

/// How many tokens one login revokes at most, and how many revoked ones it forgets. One of each would do, but for a limit
/// that was lowered: then each login takes off some of what is too much.
pub const ROOM_PER_LOGIN: usize = 8;
