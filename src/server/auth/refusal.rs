//! Why a request may not pass: 401 and 403.

use hyper::header::{HeaderName, HeaderValue, WWW_AUTHENTICATE};
use hyper::{Response, StatusCode};

use crate::server::transport::body::Body;
use crate::server::transport::response::empty;

/// Returns why a 403 was given, as [`ForbiddenReason::name`] has it.
pub fn reason_of(response: &Response<Body>) -> &'static str {
    let reason = response.headers().get(&X_AUTH_REASON);
    let is_named = |known: &&ForbiddenReason| reason.is_some_and(|value| value == known.name());
    ForbiddenReason::ALL.iter().find(is_named).map_or("forbidden", |known| known.name())
}

static X_AUTH_REASON: HeaderName = HeaderName::from_static("x-auth-reason");

/// Why a request with a valid token may not pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForbiddenReason {
    /// The token waits for its second factor.
    SecondFactor,
    /// The token does not meet the route check.
    Check,
    /// Another site made the browser send the request.
    CrossSite,
}

impl ForbiddenReason {
    /// Every reason.
    const ALL: [Self; 3] = [Self::SecondFactor, Self::Check, Self::CrossSite];

    /// Returns the value of `X-Auth-Reason`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SecondFactor => "second-factor",
            Self::Check => "check",
            Self::CrossSite => "cross-site",
        }
    }

    /// Builds the 403.
    pub fn response(self) -> Response<Body> {
        let mut response = empty(StatusCode::FORBIDDEN);
        response.headers_mut().insert(X_AUTH_REASON.clone(), HeaderValue::from_static(self.name()));
        response
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
    /// Returns which refusal a 401 is.
    pub fn of(response: &Response<Body>) -> Self {
        let challenge = response.headers().get(WWW_AUTHENTICATE);
        match challenge.is_some_and(|value| value == Self::NoToken.challenge()) {
            true => Self::NoToken,
            false => Self::InvalidToken,
        }
    }

    /// Returns its name in traces and in the access log.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NoToken => "no-token",
            Self::InvalidToken => "invalid-token",
        }
    }

    /// Builds the 401 with the challenge of RFC 6750, section 3.
    pub fn response(self) -> Response<Body> {
        let mut response = empty(StatusCode::UNAUTHORIZED);
        response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static(self.challenge()));
        response
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
