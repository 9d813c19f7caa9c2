//! How long tokens live and when they are renewed.

/// How long tokens live and when they are renewed.
#[derive(Clone, Debug)]
pub struct TokenPolicy {
    /// Idle time of a token with `expiration`.
    pub default_age_ms: u64,
    /// Idle time of a preserved token.
    pub preserved_age_ms: u64,
    /// No token lives longer, unless its issuer says so.
    pub absolute_lifetime_ms: u64,
    /// How much later an earned expiry must be to be written.
    pub renewal_step: crate::values::RenewalStep,
    /// How long a secret stays good after a rotation.
    pub rotation_grace_ms: u64,
    /// Whether a secret that was rotated out and is seen again ends its token.
    pub reuse_ends_token: bool,
    /// No takeover lasts longer.
    pub max_takeover_age_ms: u64,
    /// How long a device key lives without a login.
    pub device_max_idle_ms: u64,
}
