//! OAuth's errors (RFC 6749, section 5.2).

use hyper::header::{HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use hyper::{Response, StatusCode};
use serde::Serialize;

use crate::server::admin::problem::{INSUFFICIENT_SCOPE, Problem};
use crate::server::transport::body::Body;
use crate::server::transport::response::json;
use crate::service::ServiceError;
use crate::store::StoreError;
use crate::values::Scope;

use crate::server::admin::api_keys::either;

/// Why a client gets nothing.
#[derive(Debug)]
pub enum Refusal {
    /// What is wrong with the request.
    InvalidRequest(&'static str),
    /// It is not a client of ours; the challenge names the scheme it tried.
    InvalidClient { challenge: &'static str },
    /// Its key has none of these scopes.
    InsufficientScope(&'static [Scope]),
    /// The store had no answer, or none that can be read.
    Failed(ServiceError),
}

impl Refusal {
    /// 400: the request has this fault.
    pub fn invalid_request(detail: &'static str) -> Self {
        Self::InvalidRequest(detail)
    }

    /// What the log is to say of it.
    pub fn cause(&self) -> Option<&StoreError> {
        match self {
            Self::Failed(ServiceError::Store(error)) => Some(error),
            _ => None,
        }
    }

    /// The response.
    pub fn response(self) -> Response<Body> {
        match self {
            Self::InvalidRequest(detail) => error(StatusCode::BAD_REQUEST, "invalid_request", detail),
            Self::InvalidClient { challenge } => {
                let detail = "a good API key is needed: as Bearer, or as the client secret";
                let mut response = error(StatusCode::UNAUTHORIZED, "invalid_client", detail);
                response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
                response
            }
            Self::InsufficientScope(scopes) => {
                let detail = format!("this API key lacks the scope {}", either(scopes));
                let mut response = error(StatusCode::FORBIDDEN, "insufficient_scope", &detail);
                response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static(INSUFFICIENT_SCOPE));
                response
            }
            Self::Failed(cause) => failed(cause),
        }
    }
}

/// As everywhere on the admin plane, in OAuth's words.
fn failed(cause: ServiceError) -> Response<Body> {
    let like = Problem::from(cause).response();
    if like.status() == StatusCode::SERVICE_UNAVAILABLE {
        let detail = "the store cannot be asked; try again";
        let mut response = error(like.status(), "temporarily_unavailable", detail);
        response.headers_mut().extend(like.headers().get(RETRY_AFTER).cloned().map(|v| (RETRY_AFTER, v)));
        return response;
    }
    error(StatusCode::INTERNAL_SERVER_ERROR, "server_error", "a record in the store is corrupt; see the log")
}

impl From<ServiceError> for Refusal {
    fn from(error: ServiceError) -> Self {
        Self::Failed(error)
    }
}

impl From<StoreError> for Refusal {
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
