//! OAuth's errors (RFC 6749, section 5.2).

use hyper::header::{HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use hyper::{Response, StatusCode};
use serde::Serialize;

use crate::request::request_id::RequestId;
use crate::server::admin::api_keys::lacks;
use crate::server::admin::problem::{Problem, ProblemKind, challenge};
use crate::server::transport::body::Body;
use crate::server::transport::response::json;
use crate::service::ServiceError;
use crate::store::StoreError;
use crate::values::Scope;

/// Why a call of an OAuth client was refused.
#[derive(Debug)]
pub enum OAuthError {
    /// The request is malformed in this way.
    InvalidRequest(&'static str),
    /// The client has no valid API key. The challenge names the scheme that it tried.
    InvalidClient { challenge: &'static str },
    /// The API key has none of these scopes.
    InsufficientScope(&'static [Scope]),
    /// The store failed. The response has OAuth's form.
    Failed(Problem),
    /// OAuth has no error for it, so the response is the one of the other calls.
    Problem(Problem),
}

impl OAuthError {
    /// The error of the store that the log shall report.
    pub fn cause(&self) -> Option<&StoreError> {
        match self {
            Self::Failed(problem) | Self::Problem(problem) => problem.cause(),
            _ => None,
        }
    }

    /// The kind of problem that other calls have for it.
    pub fn kind(&self) -> ProblemKind {
        match self {
            Self::InvalidRequest(_) => ProblemKind::InvalidFields,
            Self::InvalidClient { challenge: challenge::API_KEY_MISSING } => ProblemKind::ApiKeyMissing,
            Self::InvalidClient { .. } => ProblemKind::ApiKeyInvalid,
            Self::InsufficientScope(_) => ProblemKind::InsufficientScope,
            Self::Failed(problem) | Self::Problem(problem) => problem.kind(),
        }
    }

    /// The response. OAuth's own errors have no member for `request_id`.
    pub fn response(self, request_id: &RequestId) -> Response<Body> {
        match self {
            Self::InvalidRequest(detail) => error(StatusCode::BAD_REQUEST, "invalid_request", detail),
            Self::InvalidClient { challenge } => {
                let detail = "the request needs a valid API key: as a Bearer token or as the client secret";
                let mut response = error(StatusCode::UNAUTHORIZED, "invalid_client", detail);
                response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
                response
            }
            Self::InsufficientScope(scopes) => {
                let mut response = error(StatusCode::FORBIDDEN, "insufficient_scope", &lacks(scopes));
                response
                    .headers_mut()
                    .insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge::INSUFFICIENT_SCOPE));
                response
            }
            Self::Failed(problem) => failed(problem, request_id),
            Self::Problem(problem) => problem.response(request_id),
        }
    }
}

/// Translates the response of the other calls into OAuth's form.
fn failed(problem: Problem, request_id: &RequestId) -> Response<Body> {
    let other = problem.response(request_id);
    if other.status() == StatusCode::SERVICE_UNAVAILABLE {
        let detail = "the store is unavailable; try again";
        let mut response = error(other.status(), "temporarily_unavailable", detail);
        response.headers_mut().extend(other.headers().get(RETRY_AFTER).cloned().map(|v| (RETRY_AFTER, v)));
        return response;
    }
    error(StatusCode::INTERNAL_SERVER_ERROR, "server_error", "a record in the store is corrupt; see the log")
}

impl From<Problem> for OAuthError {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl From<ServiceError> for OAuthError {
    fn from(error: ServiceError) -> Self {
        Self::Failed(error.into())
    }
}

impl From<StoreError> for OAuthError {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.into())
    }
}

fn error(status: StatusCode, error: &str, error_description: &str) -> Response<Body> {
    #[derive(Serialize)]
    struct ErrorJson<'a> {
        error: &'a str,
        error_description: &'a str,
    }
    json(status, &ErrorJson { error, error_description })
}
