//! The rule for a user who has the maximum number of tokens.

/// What happens when a token is issued to a user who has the maximum number of tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OverLimit {
    /// The user's oldest token is revoked.
    #[default]
    RevokeOldest,
    /// The new token is refused.
    RefuseNew,
}
