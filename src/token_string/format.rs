//! The layout of a token string.

use super::id::ID_BYTES;

pub const SECRET_BYTES: usize = 16;

pub const CHECKED_BYTES: usize = ID_BYTES + SECRET_BYTES;

pub const CHECK_TAG_BYTES: usize = 8;

pub const WIRE_BYTES: usize = CHECKED_BYTES + CHECK_TAG_BYTES;

/// Characters of a token after its prefix.
pub const WIRE_CHARS: usize = WIRE_BYTES / 3 * 4;

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
