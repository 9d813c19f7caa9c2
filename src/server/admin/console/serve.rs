//! Answers the requests at `/console/`.

use hyper::header::{
    CACHE_CONTROL, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HeaderMap, HeaderName,
    HeaderValue, IF_NONE_MATCH, LOCATION, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use hyper::{Method, Response, StatusCode};

use super::files::{File, find};
use crate::server::admin::call::Answer;
use crate::server::admin::problem::Problem;
use crate::server::transport::body::Body;
use crate::server::transport::response::{empty, with_body};

/// The path of the page, and of every file of the console in metrics.
pub const PATTERN: &str = "/console/";

/// The policy of what the browser may load and run: the files of the console, and calls to the node that served them. Strings never
/// become code or HTML.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; \
     trusted-types 'none'";

/// The headers of every file. Files are revalidated by their entity tags, so a new version of the server is seen at once.
const HEADERS: [(HeaderName, &str); 7] = [
    (CONTENT_SECURITY_POLICY, POLICY),
    (CACHE_CONTROL, "no-cache"),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (
        HeaderName::from_static("permissions-policy"),
        "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    ),
];

/// Whether a path belongs to the console.
pub fn has(path: &str) -> bool {
    path == "/console" || path.starts_with(PATTERN)
}

/// Answers a request for a path of the console.
///
/// # Errors
/// 404 for an unknown file, 405 for another method than GET and HEAD.
pub fn answer(method: &Method, path: &str, headers: &HeaderMap) -> Answer {
    let Some(name) = path.strip_prefix(PATTERN) else { return allowed(method).map(|()| redirect()) };
    let file = find(name).ok_or_else(|| Problem::no_such_path(path))?;
    allowed(method)?;
    Ok(respond(file, headers))
}

fn allowed(method: &Method) -> Result<(), Problem> {
    let methods = [Method::GET, Method::HEAD];
    if methods.contains(method) { Ok(()) } else { Err(Problem::method_not_allowed(&methods)) }
}

/// The paths in the page are relative, so the page needs the slash at the end.
fn redirect() -> Response<Body> {
    let mut response = empty(StatusCode::PERMANENT_REDIRECT);
    // Relative, because a proxy may serve the admin plane below another path.
    response.headers_mut().insert(LOCATION, HeaderValue::from_static("console/"));
    response
}

fn respond(file: &'static File, request_headers: &HeaderMap) -> Response<Body> {
    let is_known = request_headers.get_all(IF_NONE_MATCH).iter().any(|value| names(value, &file.etag));
    let mut response =
        if is_known { empty(StatusCode::NOT_MODIFIED) } else { with_body(StatusCode::OK, file.bytes) };
    let headers = response.headers_mut();
    if is_known {
        headers.remove(CONTENT_LENGTH);
    } else {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(file.media_type));
        headers.insert(CONTENT_LENGTH, file.bytes.len().into());
    }
    headers.insert(ETAG, file.etag.clone());
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Whether a value of `If-None-Match` names an entity tag: `*`, or a list whose comparison is weak (RFC 9110, section
/// 13.1.2).
fn names(value: &HeaderValue, etag: &HeaderValue) -> bool {
    let (Ok(value), Ok(etag)) = (value.to_str(), etag.to_str()) else { return false };
    let mut tags = value.split(',').map(str::trim);
    value.trim() == "*" || tags.any(|tag| tag.strip_prefix("W/").unwrap_or(tag) == etag)
}
