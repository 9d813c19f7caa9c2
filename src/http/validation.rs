//! The validation plane. Paths are compared as they come, never normalised; queries are ignored.
//!
//! | path | method | answers |
//! |---|---|---|
//! | `/auth`, `/auth/<anything>` | any | `auth` |
//! | `/auth-optional`, `/auth-optional/<anything>` | any | `auth` |
//! | `/session` | GET | `session` |
//! | `/logout` | POST | `session` |
//! | `/livez`, `/readyz` | GET | here |

use hyper::body::Incoming;
use hyper::header::{ALLOW, HeaderName, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};

use super::auth::{Admission, auth};
use super::session::{logout, session};
use super::{Body, empty};
use crate::readiness::Readiness;
use crate::store::StoreError;
use crate::validator::Validator;

/// What the validation plane goes by.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The cookie that carries a token.
    pub cookie_name: String,
    /// A request with this header leaves no trace on its token.
    pub renewal_exempt_header: Option<HeaderName>,
    /// Origins besides the own that may log out by cookie.
    pub allowed_origins: Vec<String>,
}

/// The validation plane of one runtime.
pub struct Validation {
    /// Judges tokens.
    pub validator: Validator,
    /// See there.
    pub settings: Settings,
    /// For `/readyz`.
    pub readiness: Readiness,
}

impl Validation {
    /// Answers a request; its body is not read.
    pub async fn respond(&self, request: &Request<Incoming>) -> Response<Body> {
        let (path, headers) = (request.uri().path(), request.headers());
        let (validator, settings) = (&self.validator, &self.settings);
        if is_or_below(path, "/auth") {
            return auth(validator, settings, headers, Admission::Required).await;
        }
        if is_or_below(path, "/auth-optional") {
            return auth(validator, settings, headers, Admission::Optional).await;
        }
        match (path, request.method()) {
            ("/session", &Method::GET | &Method::HEAD) => session(validator, settings, headers).await,
            ("/logout", &Method::POST) => logout(validator, settings, headers).await,
            ("/livez", &Method::GET | &Method::HEAD) => empty(StatusCode::OK),
            ("/readyz", &Method::GET | &Method::HEAD) => self.readiness.response(),
            ("/session" | "/livez" | "/readyz", _) => method_not_allowed("GET, HEAD"),
            ("/logout", _) => method_not_allowed("POST"),
            _ => empty(StatusCode::NOT_FOUND),
        }
    }
}

fn is_or_below(path: &str, base: &str) -> bool {
    path.strip_prefix(base).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn method_not_allowed(allowed: &'static str) -> Response<Body> {
    let mut response = empty(StatusCode::METHOD_NOT_ALLOWED);
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    response
}

impl Readiness {
    /// 200, or 503 without details.
    pub fn response(&self) -> Response<Body> {
        if self.is_ready() { empty(StatusCode::OK) } else { super::unavailable() }
    }
}

/// Logs why a request got a 503. An outage is logged where it begins and ends, not once per request.
pub fn report(error: &StoreError) {
    match error {
        StoreError::Unavailable(reason) => tracing::debug!(reason, "a token could not be judged"),
        StoreError::Corrupt { .. } => tracing::error!(%error, "a token could not be judged"),
    }
}

#[cfg(test)]
mod tests {
    use super::is_or_below;

    #[test]
    fn only_whole_segments_count() {
        assert!(is_or_below("/auth", "/auth"));
        assert!(is_or_below("/auth/", "/auth"));
        assert!(is_or_below("/auth/../logout", "/auth"));
        assert!(!is_or_below("/authx", "/auth"));
        assert!(!is_or_below("/auth-optional", "/auth"));
        assert!(!is_or_below("//auth", "/auth"));
    }
}
