//! The rule for a user who has the maximum number of tokens.

/// The rule for a token that is issued to a user who has the maximum number of tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OverLimit {
    /// The user's oldest token is revoked.
    #[default]
    RevokeOldest,
    /// The new token is refused.
    RefuseNew,
}
