//! The rule for a user who has the maximum number of tokens.

use crate::named_enum::named_enum;

named_enum! {
    /// The rule for a token that is issued to a user who has the maximum number of tokens.
    #[derive(Default)]
    pub enum OverLimit {
        /// The user's oldest token is revoked.
        #[default]
        RevokeOldest => "end-oldest",
        /// The new token is refused.
        RefuseNew => "refuse-new",
    }
}
