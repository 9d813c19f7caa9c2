//! Why a token was revoked or a takeover ended.

/// Why a token was revoked or a takeover ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RevokeReason {
    /// The holder logged out.
    Logout,
    /// An admin call named the token or the takeover.
    Ended,
    /// An admin call revoked all tokens of the user.
    AllOfUser,
    /// It made room for a newer token (`max-tokens-per-user`).
    Limit,
    /// A rotated-out secret was used again.
    Reuse,
    /// The device key that logged it in was deactivated or removed.
    Device,
    /// An admin call revoked all tokens of a related object.
    Related,
    /// An OAuth client revoked it (RFC 7009).
    Revoked,
    /// Another takeover of the token began.
    Replaced,
    /// The user was erased: the token's owner, or the user taken over.
    Erased,
    /// A cut-off covers the token.
    Cutoff,
    /// Takeovers were turned off.
    TakeoversOff,
}

impl RevokeReason {
    /// Every reason.
    pub const ALL: [Self; 12] = [
        Self::Logout,
        Self::Ended,
        Self::AllOfUser,
        Self::Limit,
        Self::Reuse,
        Self::Device,
        Self::Related,
        Self::Revoked,
        Self::Replaced,
        Self::Erased,
        Self::Cutoff,
        Self::TakeoversOff,
    ];

    /// Finds a reason by its name; `None` for a reason of a later version.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.name() == name)
    }

    /// Its name in events.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Logout => "logout",
            Self::Ended => "ended",
            Self::AllOfUser => "all_of_user",
            Self::Limit => "limit",
            Self::Reuse => "reuse",
            Self::Device => "device",
            Self::Related => "related",
            Self::Revoked => "revoked",
            Self::Replaced => "replaced",
            Self::Erased => "erased",
            Self::Cutoff => "cutoff",
            Self::TakeoversOff => "takeovers_off",
        }
    }
}
