//! The validation plane's endpoints. Paths are compared as they arrive, never normalised; queries are ignored.
//!
//! | path | method | answered in |
//! |---|---|---|
//! | `/auth`, `/auth/<anything>` | any | `decision` |
//! | `/auth-optional`, `/auth-optional/<anything>` | any | `decision` |
//! | `/check/<name>`, `/check/<name>/<anything>` | any | `decision`, with the named route check |
//! | `/session` | GET | `session` |
//! | `/session/upgrade` | POST | `upgrade` |
//! | `/logout` | POST | `logout` |
//! | `/session`, `/session/upgrade`, `/logout` | OPTIONS | `cors` |
//! | `/livez`, `/readyz` | GET | here |

use std::sync::Arc;

use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{HeaderMap, Method, Request, Response, StatusCode};

use super::access_log::{AccessLog, LoggedOutcome, LoggedRequest};
use super::decision::{AuthProgress, UndecidedAuth, decide, decide_after_read};
use super::holder::show_session;
use super::logout::log_out;
use super::upgrade::upgrade;
use super::{cors, routes};
use crate::node::readiness::Readiness;
use crate::request::headers::RequestHeaders;
use crate::request::origin::{DirectClient, RequestOrigin};
use crate::request_check::admission::Admission;
use crate::request_check::decision::Decision;
use crate::request_check::settings::ValidationSettings;
use crate::server::plane_hint::not_found_on_validation;
use crate::server::request::span::{RequestSpan, RequestTracer, later_within};
use crate::server::transport::body::Body;
use crate::server::transport::response::{Reply, empty, method_not_allowed, unavailable, with_body};
use crate::token_string::TokenId;
use crate::validation::Validator;

/// The validation plane of one runtime.
pub struct ValidationPlane {
    /// Judges tokens.
    pub validator: Validator,
    /// The settings of the plane.
    pub settings: ValidationSettings,
    /// The answer of `/readyz`.
    pub readiness: Readiness,
    /// Starts the spans of sampled requests; `None` without tracing.
    pub tracer: Option<RequestTracer>,
    /// `None` if it is off.
    pub access_log: Option<AccessLog>,
}

impl ValidationPlane {
    /// Answers a request. Its body is not read.
    pub fn respond(self: &Arc<Self>, request: Request<Incoming>, client: DirectClient) -> Reply {
        let path = request.uri().path();
        if let Some(admission) = self.admission(path) {
            return self.answer_auth(RequestOrigin::of(&request, client), admission, path);
        }
        let response = match (path, request.method()) {
            ("/session", &Method::GET | &Method::HEAD) => {
                return self.answer_holder(HolderCall::ShowSession, request, client);
            }
            ("/session/upgrade", &Method::POST) => {
                return self.answer_holder(HolderCall::Upgrade, request, client);
            }
            ("/logout", &Method::POST) => return self.answer_holder(HolderCall::LogOut, request, client),
            ("/session", &Method::OPTIONS) => cors::preflight(&self.settings, request.headers(), "GET, HEAD"),
            ("/logout" | "/session/upgrade", &Method::OPTIONS) => {
                cors::preflight(&self.settings, request.headers(), "POST")
            }
            ("/livez", &Method::GET | &Method::HEAD) => empty(StatusCode::OK),
            ("/readyz", &Method::GET | &Method::HEAD) => self.readiness.response(),
            ("/session" | "/livez" | "/readyz", _) => method_not_allowed("GET, HEAD"),
            ("/logout" | "/session/upgrade", _) => method_not_allowed("POST"),
            _ => not_found(path),
        };
        Reply::now(response)
    }

    fn answer_auth(
        self: &Arc<Self>,
        origin: RequestOrigin<'_, HeaderMap>,
        admission: Admission,
        path: &str,
    ) -> Reply {
        let response = |decision: Decision<'_>| decision.response();
        let span = self.begin_span(&origin, path);
        match self.decide(origin, path, admission, span, response) {
            AuthProgress::Decided(response) => Reply::now(response),
            AuthProgress::MustRead(undecided) => {
                let plane = self.clone();
                Reply::later(async move { plane.decide_after_read(undecided, response).await })
            }
        }
    }

    fn answer_holder(
        self: &Arc<Self>,
        call: HolderCall,
        request: Request<Incoming>,
        client: DirectClient,
    ) -> Reply {
        let span = self.begin_span(&RequestOrigin::of(&request, client), request.uri().path());
        let plane = self.clone();
        later_within(span, async move {
            let (validator, settings) = (&plane.validator, &plane.settings);
            let (origin, mut holder) = (RequestOrigin::of(&request, client), None);
            let answer = match call {
                HolderCall::ShowSession => show_session(validator, settings, origin, &mut holder).await,
                HolderCall::Upgrade => upgrade(validator, settings, origin, &mut holder).await,
                HolderCall::LogOut => Ok(log_out(validator, settings, origin, &mut holder).await),
            };
            let mut response = answer.unwrap_or_else(|refusal| refusal);
            cors::share(settings, request.headers(), &mut response);
            plane.log_response(&response, holder, || plane.logged(&request, client));
            response
        })
    }

    /// Begins the span of a request to this path, if tracing is on and the request's parent is sampled.
    #[inline]
    pub fn begin_span(
        &self,
        origin: &RequestOrigin<'_, impl RequestHeaders + ?Sized>,
        path: &str,
    ) -> Option<Box<RequestSpan>> {
        self.tracer.as_ref()?.begin(origin, &self.settings.places, || routes::pattern(path))
    }

    /// Returns what an auth subrequest to this path demands, or `None` for another path.
    pub fn admission(&self, path: &str) -> Option<Admission> {
        routes::admission(&self.settings.checks, path)
    }

    /// Decides on an auth subrequest if that is possible without waiting.
    pub fn decide<R>(
        &self,
        origin: RequestOrigin<'_, impl RequestHeaders + ?Sized>,
        path: &str,
        admission: Admission,
        span: Option<Box<RequestSpan>>,
        answer: impl FnOnce(Decision<'_>) -> R,
    ) -> AuthProgress<R> {
        match &self.access_log {
            None => decide(&self.validator, &self.settings, origin, admission, span, answer),
            Some(log) => self.decide_logged(log, origin, path, admission, span, answer),
        }
    }

    /// Decides, and logs the request. Apart, so that the code of the hot path is no larger for it.
    #[inline(never)]
    fn decide_logged<R>(
        &self,
        log: &AccessLog,
        origin: RequestOrigin<'_, impl RequestHeaders + ?Sized>,
        path: &str,
        admission: Admission,
        span: Option<Box<RequestSpan>>,
        answer: impl FnOnce(Decision<'_>) -> R,
    ) -> AuthProgress<R> {
        let mut outcome = None;
        let answer = |decision: Decision<'_>| {
            outcome = log.outcome_of(&decision);
            answer(decision)
        };
        let mut progress = decide(&self.validator, &self.settings, origin, admission, span, answer);
        let request = || LoggedRequest::of(&origin, path, &self.settings);
        match &mut progress {
            AuthProgress::Decided(_) => outcome.into_iter().for_each(|outcome| log.add(outcome, request)),
            AuthProgress::MustRead(undecided) => undecided.logged = Some(Box::new(request())),
        }
        progress
    }

    /// Reads the token from the store, then decides.
    pub async fn decide_after_read<R>(
        &self,
        mut undecided: UndecidedAuth,
        answer: impl FnOnce(Decision<'_>) -> R,
    ) -> R {
        let Some((log, request)) = self.access_log.as_ref().zip(undecided.logged.take()) else {
            return decide_after_read(&self.validator, undecided, answer).await;
        };
        let mut outcome = None;
        let answer = |decision: Decision<'_>| {
            outcome = log.outcome_of(&decision);
            answer(decision)
        };
        // Boxed, so that the state of connections is no larger for it.
        let answer = Box::pin(decide_after_read(&self.validator, undecided, answer)).await;
        if let Some(outcome) = outcome {
            log.add(outcome, || *request);
        }
        answer
    }

    /// Logs a response that was made without a decision. `holder` is the valid token and its user.
    pub fn log_response(
        &self,
        response: &Response<Body>,
        holder: Option<(TokenId, String)>,
        request: impl FnOnce() -> LoggedRequest,
    ) {
        if let Some(log) = &self.access_log {
            log.add_response(response, holder, request);
        }
    }

    /// Logs a call that failed before its request was known. `status` is the HTTP status that is nearest to its error.
    pub fn log_failure(&self, result: &'static str, status: StatusCode) {
        if let Some(log) = &self.access_log {
            log.add(LoggedOutcome { result, status, holder: None }, LoggedRequest::default);
        }
    }

    fn logged(&self, request: &Request<Incoming>, client: DirectClient) -> LoggedRequest {
        let (origin, path) = (RequestOrigin::of(request, client), request.uri().path());
        LoggedRequest::of(&origin, path, &self.settings)
    }
}

/// A call of a token's holder.
#[derive(Clone, Copy)]
enum HolderCall {
    ShowSession,
    Upgrade,
    LogOut,
}

fn not_found(path: &str) -> Response<Body> {
    let Some(hint) = not_found_on_validation(path) else { return empty(StatusCode::NOT_FOUND) };
    let mut response = with_body(StatusCode::NOT_FOUND, hint);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

impl Readiness {
    /// Builds the answer of `/readyz`: 200, or 503 without details.
    pub fn response(&self) -> Response<Body> {
        if self.is_ready() { empty(StatusCode::OK) } else { unavailable() }
    }
}
