//! Request bodies of the admin plane: JSON or a form, small, and here in time.

use std::time::Duration;

use http_body_util::BodyExt as _;
use hyper::Request;
use hyper::body::{Body as _, Incoming};
use hyper::header::CONTENT_TYPE;

use super::fields::Fields;
use super::problem::Problem;
use crate::server::admin::problem::kind::Kind;

/// How much of a request's body is read.
#[derive(Clone, Copy, Debug)]
pub struct BodyLimit {
    /// The most bytes of a body.
    max_bytes: usize,
    /// Of a longer body this much more is read and thrown away, so that its sender gets to read the refusal.
    max_discarded_bytes: usize,
}

impl BodyLimit {
    /// Of a client that has shown a valid key.
    pub const AUTHENTICATED: Self = Self { max_bytes: 64 * 1024, max_discarded_bytes: 1024 * 1024 };
    /// Of a client whose key may be in the body.
    pub const UNAUTHENTICATED: Self = Self { max_bytes: 4 * 1024, max_discarded_bytes: 0 };
}

/// Reads a JSON object.
///
/// # Errors
/// 415, 413, 408, 400 and 422.
pub async fn read_json(request: Request<Incoming>, timeout: Duration) -> Result<Fields, Problem> {
    Fields::of_json(&read_json_text(request, timeout).await?)
}

/// Reads what says that it is JSON.
///
/// # Errors
/// 415, 413 and 408.
pub async fn read_json_text(request: Request<Incoming>, timeout: Duration) -> Result<Vec<u8>, Problem> {
    if !is_json(&request) {
        return Err(no_json());
    }
    read_bytes(request, BodyLimit::AUTHENTICATED, timeout).await
}

/// Reads a JSON object where there is a body at all; no body is an object without fields.
///
/// # Errors
/// 415, 413, 408, 400 and 422.
pub async fn read_optional_json(request: Request<Incoming>, timeout: Duration) -> Result<Fields, Problem> {
    let is_json = is_json(&request);
    match read_bytes(request, BodyLimit::AUTHENTICATED, timeout).await?.as_slice() {
        [] => Fields::of_json(b"{}"),
        body if is_json => Fields::of_json(body),
        _ => Err(no_json()),
    }
}

fn is_json(request: &Request<Incoming>) -> bool {
    has_type(request, &["application/json", "application/merge-patch+json"])
}

fn no_json() -> Problem {
    unsupported("the body must be JSON: Content-Type: application/json")
}

/// Whether a request says that its body is one of these, whatever the parameters, such as a charset.
pub fn has_type(request: &Request<Incoming>, types: &[&str]) -> bool {
    let content_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = content_type.and_then(|value| value.split(';').next()).unwrap_or_default().trim();
    types.iter().any(|wanted| essence.eq_ignore_ascii_case(wanted))
}

/// 415.
pub fn unsupported(detail: &str) -> Problem {
    Problem::new(Kind::UnsupportedMediaType, detail)
}

/// Reads a body.
///
/// # Errors
/// 413, 408, and 400 where it breaks off.
pub async fn read_bytes(
    request: Request<Incoming>,
    limit: BodyLimit,
    timeout: Duration,
) -> Result<Vec<u8>, Problem> {
    match tokio::time::timeout(timeout, read(request.into_body(), limit)).await {
        Ok(body) => body,
        Err(_) => Err(Problem::new(Kind::BodyTimeout, "the body did not arrive in time")),
    }
}

async fn read(mut body: Incoming, limit: BodyLimit) -> Result<Vec<u8>, Problem> {
    let BodyLimit { max_bytes, max_discarded_bytes } = limit;
    // A body whose length is known to be far too long is not even begun.
    if body.size_hint().lower() > (max_bytes + max_discarded_bytes) as u64 {
        return Err(too_long(max_bytes));
    }
    let mut bytes = Vec::new();
    let mut size = 0;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Problem::new(Kind::BodyIncomplete, "the body broke off"))?;
        let Some(data) = frame.data_ref() else { continue };
        size += data.len();
        if size <= max_bytes {
            bytes.extend_from_slice(data);
        } else if size > max_bytes + max_discarded_bytes {
            break;
        }
    }
    if size > max_bytes { Err(too_long(max_bytes)) } else { Ok(bytes) }
}

fn too_long(max_bytes: usize) -> Problem {
    let detail = format!("the body has more than {max_bytes} bytes");
    Problem::new(Kind::BodyTooLarge, detail)
}
