//! Request bodies: bounded in size and in time.

use std::time::Duration;

use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderMap};

use crate::model::import::MAX_IMPORT_BYTES;
use crate::server::admin::problem::{Problem, ProblemKind};

/// How much of a request's body is read.
#[derive(Clone, Copy, Debug)]
pub struct BodyLimit {
    /// The largest body that is accepted.
    max_bytes: usize,
    /// How much more of a larger body is read and discarded. A client that writes its whole body before it reads gets the
    /// refusal instead of a reset connection.
    max_discarded_bytes: usize,
}

impl BodyLimit {
    /// The limits for a client whose key is valid.
    pub const AUTHENTICATED: Self = Self { max_bytes: 64 * 1024, max_discarded_bytes: 1024 * 1024 };
    /// For an import, from a client whose key is valid.
    pub const IMPORT: Self = Self { max_bytes: MAX_IMPORT_BYTES, max_discarded_bytes: 1024 * 1024 };
    /// The limits for a client whose key may be in the body.
    pub const UNAUTHENTICATED: Self = Self { max_bytes: 4 * 1024, max_discarded_bytes: 0 };
}

/// Whether `Content-Type` is one of these media types, whatever its parameters, such as a charset.
pub fn has_type(headers: &HeaderMap, types: &[&str]) -> bool {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = content_type.and_then(|value| value.split(';').next()).unwrap_or_default().trim();
    types.iter().any(|wanted| essence.eq_ignore_ascii_case(wanted))
}

/// 415.
pub fn unsupported_type(detail: &str) -> Problem {
    Problem::new(ProblemKind::UnsupportedMediaType, detail)
}

/// Reads a body.
///
/// # Errors
/// 413, 408, and 400 if the connection breaks off.
pub async fn read_body(body: Incoming, limit: BodyLimit, timeout: Duration) -> Result<Vec<u8>, Problem> {
    match tokio::time::timeout(timeout, read(body, limit)).await {
        Ok(body) => body,
        Err(_) => Err(Problem::new(ProblemKind::BodyTimeout, "the body did not arrive in time")),
    }
}

async fn read(mut body: Incoming, limit: BodyLimit) -> Result<Vec<u8>, Problem> {
    let BodyLimit { max_bytes, max_discarded_bytes } = limit;
    // If the length is known to be far too large, nothing is read.
    if body.size_hint().lower() > (max_bytes + max_discarded_bytes) as u64 {
        return Err(too_large(max_bytes));
    }
    let mut bytes = Vec::new();
    let mut size = 0;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| incomplete())?;
        let Some(data) = frame.data_ref() else { continue };
        size += data.len();
        if size <= max_bytes {
            bytes.extend_from_slice(data);
        } else if size > max_bytes + max_discarded_bytes {
            break;
        }
    }
    if size > max_bytes { Err(too_large(max_bytes)) } else { Ok(bytes) }
}

fn incomplete() -> Problem {
    Problem::new(ProblemKind::BodyIncomplete, "the connection broke off before the end of the body")
}

fn too_large(max_bytes: usize) -> Problem {
    Problem::new(ProblemKind::BodyTooLarge, format!("the body has more than {max_bytes} bytes"))
}
