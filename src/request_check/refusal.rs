//! Why a request may not pass: 401 and 403.

use crate::named_enum::named_enum;

named_enum! {
    /// Why a request with a valid token may not pass.
    pub enum ForbiddenReason {
        /// The token waits for its second factor.
        SecondFactor => "second-factor",
        /// The token does not meet the route check.
        Check => "check",
        /// Another site made the browser send the request.
        CrossSite => "cross-site",
    }
}

/// Why a request is not authenticated, as far as its client may know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The request carries no token.
    NoToken,
    /// The request carries a token that is not valid, or not allowed on this transport.
    InvalidToken,
}

impl Refusal {
    /// Returns its name in traces and in the access log.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NoToken => "no-token",
            Self::InvalidToken => "invalid-token",
        }
    }

    /// Returns the value of `WWW-Authenticate`. Without credentials, it has no `error`.
    ///
    /// It names `Bearer` whatever `header-schemes` says: a 401 needs a challenge (RFC 9110, section 15.5.2), schemes such as
    /// `Token` define none, and clients of OAuth read the `error`.
    pub fn challenge(self) -> &'static str {
        match self {
            Self::NoToken => "Bearer realm=\"doorward\"",
            Self::InvalidToken => "Bearer realm=\"doorward\", error=\"invalid_token\"",
        }
    }
}
