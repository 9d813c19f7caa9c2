//! The layout of a token string.

use super::id::ID_BYTES;

/// Bytes of a secret.
pub const SECRET_BYTES: usize = 16;
/// Bytes that the MAC covers, besides the prefix.
pub const CHECKED_BYTES: usize = ID_BYTES + SECRET_BYTES;
/// Bytes of the MAC.
pub const MAC_BYTES: usize = 8;
/// Bytes of a token string, decoded.
pub const TOKEN_STRING_BYTES: usize = CHECKED_BYTES + MAC_BYTES;
/// Characters of a token string after its prefix.
pub const TOKEN_STRING_CHARS: usize = TOKEN_STRING_BYTES / 3 * 4;

/// The purpose of a split token. Its prefix names it, and the MAC covers the prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// A session token, `dw_`.
    Session,
    /// The login token of a device key, `dwd_`.
    DeviceLogin,
}

impl TokenKind {
    /// The start of every string of this kind.
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Session => "dw_",
            Self::DeviceLogin => "dwd_",
        }
    }
}
