//! Why a token was revoked or a takeover ended.

use crate::named_enum::named_enum;

named_enum! {
    /// Why a token was revoked or a takeover ended.
    pub enum RevokeReason {
        /// The holder logged out.
        Logout => "logout",
        /// An admin call named the token or the takeover.
        Ended => "ended",
        /// An admin call revoked all tokens of the user.
        AllOfUser => "all_of_user",
        /// It made room for a newer token (`max-tokens-per-user`).
        Limit => "limit",
        /// A rotated-out secret was used again.
        Reuse => "reuse",
        /// The device key that logged it in was deactivated or removed.
        Device => "device",
        /// An admin call revoked all tokens of a related object.
        Related => "related",
        /// An OAuth client revoked it (RFC 7009).
        Revoked => "revoked",
        /// Another takeover of the token began.
        Replaced => "replaced",
        /// The user was erased: the token's owner, or the user taken over.
        Erased => "erased",
        /// A cut-off covers the token.
        Cutoff => "cutoff",
        /// Takeovers were turned off.
        TakeoversOff => "takeovers_off",
    }
}
