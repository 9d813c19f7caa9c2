//! The layout of a token string.

use super::id::ID_BYTES;

pub const SECRET_BYTES: usize = 16;

pub const CHECKED_BYTES: usize = ID_BYTES + SECRET_BYTES;

pub const MAC_BYTES: usize = 8;

pub const TOKEN_STRING_BYTES: usize = CHECKED_BYTES + MAC_BYTES;

/// Characters of a token after its prefix.
pub const TOKEN_STRING_CHARS: usize = TOKEN_STRING_BYTES / 3 * 4;

/// What a split token is for; told by its prefix, which the check tag covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A session token, `dw_`.
    Token,
    /// The login token of a device key, `dwd_`.
    DeviceLogin,
}

impl Kind {
    /// What every string of this kind starts with.
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Token => "dw_",
            Self::DeviceLogin => "dwd_",
        }
    }
}
