//! The setting `replay-window`.

/// How much longer than two windows a revoked token is kept at least: nodes merge at different times.
const MARGIN_MS: u64 = 60_000;

/// Returns how long a revoked token, or a trace of it, must be kept. A node that was cut off from Redis may write again what
/// it remembers, so the revocation must be known for longer than any node remembers the login.
pub const fn least_retention_ms(window_ms: u64) -> u64 {
    2 * window_ms + MARGIN_MS
}
