//! Why a request may not pass.

use super::decision::X_AUTH_REASON;
use crate::server::transport::body::Body;
use crate::server::transport::response::empty;
use hyper::header::{HeaderValue, WWW_AUTHENTICATE};
use hyper::{Response, StatusCode};

/// Why a request with a valid token may not pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Objection {
    /// The token waits for its second factor.
    SecondFactor,
    /// The token does not meet the route check.
    Check,
    /// Another site made the browser send the request.
    CrossSite,
}

impl Objection {
    /// The value of `X-Auth-Reason`.
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
    /// It carried no token.
    NoToken,
    /// It carried one that is not valid here and now.
    InvalidToken,
}

impl Refusal {
    /// 401 with the challenge of RFC 6750, section 3: no `error` for a request without credentials.
    pub fn response(self) -> Response<Body> {
        let mut response = empty(StatusCode::UNAUTHORIZED);
        response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static(self.challenge()));
        response
    }

    /// What `WWW-Authenticate` says.
    pub fn challenge(self) -> &'static str {
        match self {
            Self::NoToken => "Bearer realm=\"doorward\"",
            Self::InvalidToken => "Bearer realm=\"doorward\", error=\"invalid_token\"",
        }
    }
}
