//! What happens to a login of a user who has as many tokens as allowed.

/// What happens when a user with as many tokens as allowed gets another one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OverLimit {
    /// The oldest one ends.
    #[default]
    RevokeOldest,
    /// The new one is refused.
    RefuseNew,
}
