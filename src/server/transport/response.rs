//! Responses that both planes give: none of them may be cached.

use std::pin::Pin;

use bytes::Bytes;
use hyper::body::Body as _;
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::{Response, StatusCode};

use super::body::Body;

/// Builds a response without a body.
pub fn empty(status: StatusCode) -> Response<Body> {
    let mut response = with_body(status, Bytes::new());
    // hyper adds it, but not in answer to HEAD. A 204 has no length (RFC 9110, section 8.6).
    if status != StatusCode::NO_CONTENT {
        response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    }
    response
}

/// Builds a response.
pub fn with_body(status: StatusCode, body: impl Into<Bytes>) -> Response<Body> {
    let mut response = Response::new(Body::new(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Builds a JSON response.
pub fn json(status: StatusCode, body: &impl serde::Serialize) -> Response<Body> {
    with_json_type(status, body, "application/json")
}

/// Builds a JSON response with the media type of a format on top of JSON.
pub(crate) fn with_json_type(
    status: StatusCode,
    body: &impl serde::Serialize,
    content_type: &'static str,
) -> Response<Body> {
    of_json_text(status, json_text(body), content_type)
}

/// Builds a JSON response of a text.
pub(crate) fn of_json_text(status: StatusCode, text: Vec<u8>, content_type: &'static str) -> Response<Body> {
    let mut response = with_body(status, text);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// Returns the body of a JSON response.
pub(crate) fn json_text(body: &impl serde::Serialize) -> Vec<u8> {
    // Serialization to memory fails only for maps whose keys are not strings, and no answer has one.
    let mut text = serde_json::to_vec(body).unwrap_or_default();
    // For people with curl: the next prompt begins on a line of its own.
    text.push(b'\n');
    text
}

/// Builds the 405 of a path that takes these methods, separated by commas.
pub fn method_not_allowed(allowed: &'static str) -> Response<Body> {
    let mut response = empty(StatusCode::METHOD_NOT_ALLOWED);
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    response
}

/// Builds the 503 for a store that does not answer: never a 401, which would log the user out.
pub fn unavailable() -> Response<Body> {
    let mut response = empty(StatusCode::SERVICE_UNAVAILABLE);
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

/// A response, at hand or to be waited for. The hot path's response is at hand: a future with room for everything that
/// a request might need would be moved and polled for nothing.
pub enum Reply {
    /// A response at hand; taken once.
    Now(Option<Response<Body>>),
    /// A response to wait for.
    Later(Pin<Box<dyn Future<Output = Response<Body>> + Send>>),
}

impl Reply {
    /// A response at hand.
    pub fn now(response: Response<Body>) -> Self {
        Self::Now(Some(response))
    }

    /// A response to be waited for.
    pub fn later(response: impl Future<Output = Response<Body>> + Send + 'static) -> Self {
        Self::Later(Box::pin(response))
    }

    /// Whether it keeps its connection busy: it is waited for, or has a body to be sent.
    pub(crate) fn takes_time(&self) -> bool {
        match self {
            Self::Now(response) => response.as_ref().is_some_and(|response| !response.body().is_end_stream()),
            Self::Later(_) => true,
        }
    }
}
