//! The responses to requests that may not pass: 401 and 403.

use hyper::header::{HeaderName, HeaderValue, WWW_AUTHENTICATE};
use hyper::{Response, StatusCode};

use crate::request_check::refusal::{ForbiddenReason, Refusal};
use crate::server::transport::body::Body;
use crate::server::transport::response::empty;

/// Returns why a 403 was given, as [`ForbiddenReason::name`] has it.
pub fn reason_of(response: &Response<Body>) -> &'static str {
    let reason = response.headers().get(&X_AUTH_REASON).and_then(|value| value.to_str().ok());
    reason.and_then(ForbiddenReason::named).map_or("forbidden", ForbiddenReason::name)
}

static X_AUTH_REASON: HeaderName = HeaderName::from_static("x-auth-reason");

impl ForbiddenReason {
    /// Builds the 403.
    pub fn response(self) -> Response<Body> {
        let mut response = empty(StatusCode::FORBIDDEN);
        response.headers_mut().insert(X_AUTH_REASON.clone(), HeaderValue::from_static(self.name()));
        response
    }
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

    /// Builds the 401 with the challenge of RFC 6750, section 3.
    pub fn response(self) -> Response<Body> {
        let mut response = empty(StatusCode::UNAUTHORIZED);
        response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static(self.challenge()));
        response
    }
}
