//! A change of a token.

use super::rotation::Rotation;
use crate::model::revoke_reason::RevokeReason;

/// A change of a token; `None` leaves a field as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenChange {
    /// `Some(None)` clears the slug.
    pub auth_slug: Option<Option<String>>,
    /// The scopes, with a space between two; `Some(None)` for none.
    pub scopes: Option<Option<String>>,
    /// Whether a cookie may carry the token.
    pub allowed_cookie: Option<bool>,
    /// Whether the Authorization header may carry the token.
    pub allowed_header: Option<bool>,
    /// The idle time. It restarts now.
    pub idle_ms: Option<u64>,
    /// The absolute lifetime, from the time of issue. The idle time restarts now.
    pub lifetime_ms: Option<u64>,
    /// Confirms the second factor.
    pub confirm: bool,
    /// Gives the token a new secret.
    pub rotate: Option<Rotation>,
    /// Revokes the token.
    pub revoke: Option<RevokeReason>,
}

impl TokenChange {
    /// The change that only revokes the token.
    pub fn revoking(reason: RevokeReason) -> Self {
        Self { revoke: Some(reason), ..Self::default() }
    }

    /// The change that only confirms the second factor.
    pub fn confirming() -> Self {
        Self { confirm: true, ..Self::default() }
    }

    /// The change that only gives a new secret.
    pub fn rotating(rotation: Rotation) -> Self {
        Self { rotate: Some(rotation), ..Self::default() }
    }

    /// Whether the token of a locked user may not be changed so: it would open more afterwards than before.
    pub fn opens(&self) -> bool {
        self.confirm || self.rotate.is_some()
    }

    /// Whether it changes the idle time or the lifetime.
    pub fn retimes(&self) -> bool {
        self.idle_ms.is_some() || self.lifetime_ms.is_some()
    }

    /// Whether it changes anything besides the revocation.
    pub fn edits(&self) -> bool {
        *self != Self { revoke: self.revoke, ..Self::default() }
    }
}
