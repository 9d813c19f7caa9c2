//! The validation plane. Paths are compared as they come, never normalised; queries are ignored.
//!
//! | path | method | answers |
//! |---|---|---|
//! | `/auth`, `/auth/<anything>` | any | `auth` |
//! | `/auth-optional`, `/auth-optional/<anything>` | any | `auth` |
//! | `/session` | GET | `session` |
//! | `/logout` | POST | `session` |
//! | `/livez`, `/readyz` | GET | here |

use std::sync::Arc;

use hyper::body::Incoming;
use hyper::header::{ALLOW, HeaderName, HeaderValue};
use hyper::{HeaderMap, Method, Request, Response, StatusCode};

use super::auth::{Admission, Auth, Verdict, auth, verdict};
use super::connection::Reply;
use super::plain::PlainRequest;
use super::session::{logout, session};
use super::{Body, empty};
use crate::config::Cookie;
use crate::readiness::Readiness;
use crate::store::StoreError;
use crate::validator::{LookUp, Validator};

/// What the validation plane goes by.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The cookie that carries a token.
    pub cookie: Cookie,
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
    pub fn respond(self: &Arc<Self>, request: Request<Incoming>) -> Reply {
        let path = request.uri().path();
        if let Some(admission) = admission(path) {
            return self.auth(request.headers(), admission);
        }
        let response = match (path, request.method()) {
            ("/session", &Method::GET | &Method::HEAD) | ("/logout", &Method::POST) => {
                let validation = self.clone();
                return Reply::later(async move { validation.holder(request).await });
            }
            ("/livez", &Method::GET | &Method::HEAD) => empty(StatusCode::OK),
            ("/readyz", &Method::GET | &Method::HEAD) => self.readiness.response(),
            ("/session" | "/livez" | "/readyz", _) => method_not_allowed("GET, HEAD"),
            ("/logout", _) => method_not_allowed("POST"),
            _ => empty(StatusCode::NOT_FOUND),
        };
        Reply::now(response)
    }

    fn auth(self: &Arc<Self>, headers: &HeaderMap, admission: Admission) -> Reply {
        match auth(&self.validator, &self.settings, headers, admission) {
            Auth::Decided(verdict) => Reply::now(verdict.response()),
            Auth::Reading(look_up) => {
                let validation = self.clone();
                Reply::later(async move { validation.read(look_up, admission).await.response() })
            }
        }
    }

    /// A plain request, decided as far as that goes without waiting; `None` when it is no auth subrequest.
    pub fn plain(&self, request: &PlainRequest<'_>) -> Option<(Auth, Admission)> {
        let admission = admission(request.path)?;
        Some((auth(&self.validator, &self.settings, request.headers, admission), admission))
    }

    /// Decides once the store was read.
    pub async fn read(&self, look_up: LookUp, admission: Admission) -> Verdict {
        verdict(self.validator.look_up(look_up).await, admission)
    }

    /// What a token's holder does with it.
    async fn holder(&self, request: Request<Incoming>) -> Response<Body> {
        let (validator, settings, headers) = (&self.validator, &self.settings, request.headers());
        match request.uri().path() {
            "/logout" => logout(validator, settings, headers).await,
            _ => session(validator, settings, headers).await,
        }
    }
}

/// Who may pass by an auth subrequest to this path; `None` for another path.
fn admission(path: &str) -> Option<Admission> {
    if is_or_below(path, "/auth") {
        return Some(Admission::Required);
    }
    is_or_below(path, "/auth-optional").then_some(Admission::Optional)
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
