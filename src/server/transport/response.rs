//! The two listeners: bytes in, bytes out. Everything here turns requests into calls of the service or the
//! validator, and what they say into responses.
//!
//! | file | what |
//! |---|---|
//! | `listener` | addresses, accepting, connection limits |
//! | `connection`, `stream` | one HTTP/1 or HTTP/2 connection, and the bytes under it |
//! | `handshake` | the limit of what a client sends in a TLS handshake |
//! | `body` | an answer's body |
//! | `date` | `Date`, by the node's clock |
//! | `front`, `plain`, `answer_bytes` | plain auth subrequests, answered without hyper |
//! | `connections` | all of them: draining, idle timeout |
//! | `validation` | the validation plane's endpoints |
//! | `auth` | `/auth`, the hot path |
//! | `identity` | a record as header values |
//! | `headers` | the headers of a request, in either form |
//! | `presented` | where a request carries its token |
//! | `cookie` | the cookie that carries one, set and cleared |
//! | `received` | where a request came from, and whether another site made a browser send it |
//! | `session` | `/session` and `/logout` |
//! | `admin` | the admin plane |
//! | `json_value` | a request's JSON |
//! | `problem`, `fields`, `…_json` | the admin plane's errors, inputs and outputs |

use bytes::Bytes;
use hyper::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::{Response, StatusCode};

use super::body::Body;

/// A response without a body that nobody may cache.
pub fn empty(status: StatusCode) -> Response<Body> {
    let mut response = with_body(status, Bytes::new());
    // hyper says so by itself, but not in answer to HEAD. A 204 has no length (RFC 9110, section 8.6).
    if status != StatusCode::NO_CONTENT {
        response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    }
    response
}

/// A response that nobody may cache.
pub fn with_body(status: StatusCode, body: impl Into<Bytes>) -> Response<Body> {
    let mut response = Response::new(Body::new(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// A JSON response that nobody may cache.
pub fn json(status: StatusCode, body: &impl serde::Serialize) -> Response<Body> {
    with_json_type(status, body, "application/json")
}

pub(crate) fn with_json_type(
    status: StatusCode,
    body: &impl serde::Serialize,
    content_type: &'static str,
) -> Response<Body> {
    // Serialization to memory fails only for maps with keys that are no strings; there are none.
    let bytes = serde_json::to_vec(body).unwrap_or_default();
    let mut response = with_body(status, bytes);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// The store cannot be asked: 503, never a 401, and the client is told when to come back.
pub fn unavailable() -> Response<Body> {
    let mut response = empty(StatusCode::SERVICE_UNAVAILABLE);
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    response
}
