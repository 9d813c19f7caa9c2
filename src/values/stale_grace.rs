//! The setting `stale-grace`.

/// The longest `stale-grace`. TTLs in the store may be longer by as much, also after the setting was lowered.
pub const MAX_STALE_GRACE_MS: u64 = 24 * 3600 * 1000;
