//! The policy of tokens.

use crate::values::RenewalStep;

/// How long tokens, takeovers and device keys live, and when tokens are renewed.
#[derive(Clone, Debug)]
pub struct TokenPolicy {
    /// Idle time of a token with `expiration`.
    pub default_age_ms: u64,
    /// Idle time of a preserved token.
    pub preserved_age_ms: u64,
    /// No token lives longer, unless its caller asks for it.
    pub absolute_lifetime_ms: u64,
    /// No imported token lives longer from its import on.
    pub import_lifetime_ms: u64,
    /// A renewal is written if the earned expiry is at least this much later.
    pub renewal_step: RenewalStep,
    /// How long a secret stays good after a rotation.
    pub rotation_grace_ms: u64,
    /// Whether the reuse of a rotated-out secret revokes its token.
    pub reuse_ends_token: bool,
    /// Whether tokens may take users over. If not, no takeover starts, and those under way count for nothing.
    pub takeovers: bool,
    /// No takeover lasts longer.
    pub max_takeover_age_ms: u64,
    /// A device key expires after this time without a login.
    pub device_max_idle_ms: u64,
}
