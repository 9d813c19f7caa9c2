//! Cross-origin sharing (Fetch, CORS protocol): pages of `allowed-origins` may call `/session`, `/session/upgrade` and
//! `/logout` with their credentials. Auth subrequests come from proxies and have none of this.

use hyper::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, HeaderMap,
    HeaderValue, ORIGIN, VARY,
};
use hyper::{Response, StatusCode};

use crate::request_check::cross_site::parse_origin;
use crate::request_check::settings::ValidationSettings;
use crate::server::transport::body::Body;
use crate::server::transport::response::{empty, method_not_allowed};

/// The seconds for which a browser may keep the answer to a preflight.
const PREFLIGHT_SECONDS: &str = "600";

/// The headers of an answer that a page may read, besides those that every page may.
const EXPOSED: &str = "Retry-After, WWW-Authenticate, X-Auth-Reason";

/// Answers OPTIONS: the preflight of an allowed origin gets the methods of the path, any other request a 405.
///
/// A proxy may remove `Access-Control-Request-Method`, so its absence does not matter. The answer is the same for all
/// requested headers, and the browser compares.
pub(super) fn preflight(
    settings: &ValidationSettings,
    headers: &HeaderMap,
    methods: &'static str,
) -> Response<Body> {
    let mut response = empty(StatusCode::NO_CONTENT);
    if !share(settings, headers, &mut response) {
        return method_not_allowed(methods);
    }
    let allowed = format!("Content-Type, {}", settings.places.header());
    let answer = response.headers_mut();
    answer.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(methods));
    if let Ok(names) = HeaderValue::try_from(allowed) {
        answer.insert(ACCESS_CONTROL_ALLOW_HEADERS, names);
    }
    answer.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(PREFLIGHT_SECONDS));
    response
}

/// Lets the page that sent the request read the answer, if its origin is allowed. Returns whether it is.
pub(super) fn share(
    settings: &ValidationSettings,
    headers: &HeaderMap,
    response: &mut Response<Body>,
) -> bool {
    let Some(origin) = allowed_origin(settings, headers) else { return false };
    let answer = response.headers_mut();
    answer.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
    answer.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    answer.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
    answer.append(VARY, HeaderValue::from_static("Origin"));
    true
}

/// Returns the `Origin` of the request as the browser wrote it, if it is the only one and in `allowed-origins`.
fn allowed_origin<'a>(settings: &ValidationSettings, headers: &'a HeaderMap) -> Option<&'a HeaderValue> {
    let mut origins = headers.get_all(ORIGIN).iter();
    let (Some(line), None) = (origins.next(), origins.next()) else { return None };
    let origin = parse_origin(line.as_bytes())?;
    settings.allowed_origins.contains(&origin).then_some(line)
}
