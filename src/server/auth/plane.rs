//! The validation plane. Paths are compared as they come, never normalised; queries are ignored.
//!
//! | path | method | answers |
//! |---|---|---|
//! | `/auth`, `/auth/<anything>` | any | `auth` |
//! | `/auth-optional`, `/auth-optional/<anything>` | any | `auth` |
//! | `/check/<name>`, `/check/<name>/<anything>` | any | `auth`, as the named check has it |
//! | `/session` | GET | `session` |
//! | `/logout` | POST | `session` |
//! | `/livez`, `/readyz` | GET | here |

use super::settings::Settings;
use std::sync::Arc;

use hyper::body::Incoming;
use hyper::header::{ALLOW, HeaderValue};
use hyper::{HeaderMap, Method, Request, Response, StatusCode};

use super::admission::Admission;
use super::decision::{Auth, Verdict, auth, read};
use super::session::{logout, session};
use crate::node::readiness::Readiness;
use crate::server::auth::fast_path::request::PlainRequest;
use crate::server::request::origin::{Peer, Received};
use crate::server::transport::body::Body;
use crate::server::transport::reply::Reply;
use crate::server::transport::response::empty;
use crate::validation::{LookUp, Validator};

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
    pub fn respond(self: &Arc<Self>, request: Request<Incoming>, peer: Peer) -> Reply {
        let path = request.uri().path();
        if let Some(admission) = self.settings.admission(path) {
            return self.auth(Received::of(&request, peer), admission);
        }
        let response = match (path, request.method()) {
            ("/session", &Method::GET | &Method::HEAD) | ("/logout", &Method::POST) => {
                let validation = self.clone();
                return Reply::later(async move { validation.holder(request, peer).await });
            }
            ("/livez", &Method::GET | &Method::HEAD) => empty(StatusCode::OK),
            ("/readyz", &Method::GET | &Method::HEAD) => self.readiness.response(),
            ("/session" | "/livez" | "/readyz", _) => method_not_allowed("GET, HEAD"),
            ("/logout", _) => method_not_allowed("POST"),
            _ => empty(StatusCode::NOT_FOUND),
        };
        Reply::now(response)
    }

    fn auth(self: &Arc<Self>, received: Received<'_, HeaderMap>, admission: Admission) -> Reply {
        let response = |verdict: Verdict<'_>| verdict.response();
        match auth(&self.validator, &self.settings, received, admission, response) {
            Auth::Decided(response) => Reply::now(response),
            Auth::Reading(look_up, admission) => {
                let validation = self.clone();
                Reply::later(async move { validation.read(look_up, &admission, response).await })
            }
        }
    }

    /// A plain request, decided as far as that goes without waiting; `None` when it is no auth subrequest.
    pub fn plain<R>(
        &self,
        request: &PlainRequest<'_>,
        peer: Peer,
        answer: impl FnOnce(Verdict<'_>) -> R,
    ) -> Option<Auth<R>> {
        let admission = self.settings.admission(request.path)?;
        let received = Received { headers: request.headers, method: request.method, authority: None, peer };
        Some(auth(&self.validator, &self.settings, received, admission, answer))
    }

    /// Decides once the store was read.
    pub async fn read<R>(
        &self,
        look_up: LookUp,
        admission: &Admission,
        answer: impl FnOnce(Verdict<'_>) -> R,
    ) -> R {
        read(&self.validator, look_up, admission, answer).await
    }

    /// What a token's holder does with it.
    async fn holder(&self, request: Request<Incoming>, peer: Peer) -> Response<Body> {
        let (validator, settings) = (&self.validator, &self.settings);
        match request.uri().path() {
            "/logout" => logout(validator, settings, Received::of(&request, peer)).await,
            _ => session(validator, settings, request.headers()).await,
        }
    }
}

pub(crate) fn method_not_allowed(allowed: &'static str) -> Response<Body> {
    let mut response = empty(StatusCode::METHOD_NOT_ALLOWED);
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    response
}

impl Readiness {
    /// 200, or 503 without details.
    pub fn response(&self) -> Response<Body> {
        if self.is_ready() {
            empty(StatusCode::OK)
        } else {
            crate::server::transport::response::unavailable()
        }
    }
}
