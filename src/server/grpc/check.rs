//! `Check`: may this request pass? The same decision as over HTTP, from the headers that Envoy sends.
//!
//! A request that may not pass is denied by an answer, with a 503, too. A failed call would let the request pass if Envoy's
//! `failure_mode_allow` is on, and would be a 403 otherwise.

use std::sync::LazyLock;

use hyper::header::{CONTENT_LENGTH, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};
use opentelemetry::trace::SpanContext;

use super::messages::{
    AttributeContext, AttributeContextHttpRequest, CheckRequest, CheckResponse, DeniedHttpResponse,
    HeaderValueOption, HttpResponse, HttpStatus, MessageHeader, OVERWRITE_IF_EXISTS_OR_ADD, OkHttpResponse,
    RpcStatus,
};
use crate::request::headers::RequestHeaders;
use crate::request::origin::{DirectClient, RequestOrigin};
use crate::request_check::admission::Admission;
use crate::server::auth::access_log::LoggedRequest;
use crate::server::auth::decision::AuthProgress;
use crate::server::auth::plane::ValidationPlane;
use crate::server::request::span::sampled_parent;
use crate::server::transport::body::Body;
use crate::server::transport::response::{empty, unavailable};

/// The key of `context_extensions` that names a route check.
const CHECK: &[u8] = b"check";

/// The full name of the method, as spans have it.
const METHOD: &str = "envoy.service.auth.v3.Authorization/Check";

/// Decides on a request. `context_extensions` may name the route check that it must meet. `parent` is the sampled span
/// that Envoy's call belongs to.
pub(super) async fn check(
    plane: &ValidationPlane,
    request: CheckRequest,
    parent: Option<SpanContext>,
) -> CheckResponse {
    let response = match decide(plane, request, parent) {
        AuthProgress::Decided(response) => response,
        AuthProgress::MustRead(undecided) => {
            plane.decide_after_read(undecided, |decision| decision.response()).await
        }
    };
    to_check_response(&response)
}

/// Decides if that is possible without the store. The request is dropped before the store is read.
fn decide(
    plane: &ValidationPlane,
    request: CheckRequest,
    parent: Option<SpanContext>,
) -> AuthProgress<Response<Body>> {
    let AttributeContext { source, request, context_extensions } = request.attributes.unwrap_or_default();
    let http = request.and_then(|request| request.http).unwrap_or_default();
    let AttributeContextHttpRequest { method, headers, path, host, header_map } = http;
    let path = String::from_utf8_lossy(&path);
    let headers = EnvoyHeaders(header_map.map_or(headers, |raw| raw.headers));
    let address = source.and_then(|source| source.address).and_then(|address| address.socket_address);
    let address = address.and_then(|address| address.address.parse().ok());
    // Envoy itself is trusted; the direct client is the one that sent it the request. Without an address, that client is
    // not trusted: `unix` in `trusted-proxies` means clients on Unix sockets of this process.
    let settings = &plane.settings;
    let client = address.map_or_else(DirectClient::unknown, |address| {
        DirectClient::new(Some(address), &settings.trusted_proxies)
    });
    let origin = RequestOrigin { headers: &headers, method: &method, authority: Some(&host), client };
    let Some(admission) = admission(plane, &context_extensions) else {
        // As over HTTP: the proxy's settings name an unknown route check, so no request passes.
        let response = empty(StatusCode::NOT_FOUND);
        plane.log_response(&response, None, || LoggedRequest::of(&origin, &path, settings));
        return AuthProgress::Decided(response);
    };
    // An Envoy that does not trace sends no `traceparent` of its own, but passes on the request's.
    let span = plane.tracer.as_ref().and_then(|tracer| {
        let parent = parent.or_else(|| sampled_parent(&headers, &plane.settings.places))?;
        Some(tracer.begin_call(METHOD, &parent, &origin))
    });
    plane.decide(origin, &path, admission, span, |decision| decision.response())
}

/// Returns the answer for a request that arrived while its connection held too many messages.
pub(super) fn no_room(plane: &ValidationPlane) -> CheckResponse {
    denied_unread(plane, &unavailable())
}

/// Returns the answer for a request whose head is too large to be judged.
pub(super) fn too_large(plane: &ValidationPlane) -> CheckResponse {
    denied_unread(plane, &empty(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE))
}

fn denied_unread(plane: &ValidationPlane, response: &Response<Body>) -> CheckResponse {
    plane.log_response(response, None, LoggedRequest::default);
    to_check_response(response)
}

fn admission(plane: &ValidationPlane, extensions: &[MessageHeader]) -> Option<Admission> {
    // In a protobuf map, the last entry of a key counts.
    match extensions.iter().rfind(|pair| pair.key == CHECK) {
        None => Some(Admission::REQUIRED),
        Some(pair) => {
            let check = plane.settings.checks.get(std::str::from_utf8(&pair.value).ok()?)?;
            Some(Admission::of_check(check))
        }
    }
}

/// The headers of the request. Envoy has joined the lines of one name.
struct EnvoyHeaders(Vec<MessageHeader>);

impl RequestHeaders for EnvoyHeaders {
    fn values<'a>(&'a self, name: &'a HeaderName) -> impl Iterator<Item = &'a [u8]> {
        let is_named =
            move |header: &&MessageHeader| header.key.eq_ignore_ascii_case(name.as_str().as_bytes());
        let value = |header: &'a MessageHeader| {
            if header.raw_value.is_empty() { &*header.value } else { &*header.raw_value }
        };
        self.0.iter().filter(is_named).map(value)
    }
}

/// Converts the response of the HTTP plane for Envoy.
fn to_check_response(response: &Response<Body>) -> CheckResponse {
    let names = response.headers().iter().filter(|(name, _)| *name != CONTENT_LENGTH);
    let header = |(name, value): (&HeaderName, &HeaderValue)| HeaderValueOption {
        header: Some(MessageHeader {
            key: name.as_str().into(),
            value: value.as_bytes().into(),
            raw_value: Vec::new(),
        }),
        append_action: OVERWRITE_IF_EXISTS_OR_ADD,
    };
    if response.status() == StatusCode::OK {
        let headers = names.filter(|(name, _)| name.as_str().starts_with("x-auth-")).map(header).collect();
        let allowed = OkHttpResponse { headers, headers_to_remove: OTHER_SPELLINGS.clone() };
        return CheckResponse {
            status: Some(RpcStatus { code: 0 }),
            http_response: Some(HttpResponse::Ok(allowed)),
        };
    }
    let denied = DeniedHttpResponse {
        status: Some(HttpStatus { code: response.status().as_u16().into() }),
        headers: names.map(header).collect(),
    };
    let status = RpcStatus { code: rpc_code(response.status()) };
    CheckResponse { status: Some(status), http_response: Some(HttpResponse::Denied(denied)) }
}

/// Returns the `google.rpc.Code` that is nearest to an HTTP status. Any code but 0 denies.
fn rpc_code(status: StatusCode) -> i32 {
    match status {
        StatusCode::UNAUTHORIZED => 16,
        StatusCode::NOT_FOUND => 5,
        StatusCode::SERVICE_UNAVAILABLE => 14,
        _ => 7,
    }
}

/// The names of the identity headers with underscores for some of their hyphens. Many applications read both as one
/// variable, so a client's own header of such a name must not reach them.
static OTHER_SPELLINGS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let names = ["user", "actor", "token-id", "slug", "backend", "device", "expires-in"];
    names.into_iter().flat_map(|name| other_spellings(&format!("x-auth-{name}"))).collect()
});

fn other_spellings(name: &str) -> Vec<String> {
    let hyphens: Vec<_> = name.match_indices('-').map(|(at, _)| at).collect();
    let spelling = |underscored: u32| {
        let mut spelling = name.as_bytes().to_vec();
        for (bit, at) in hyphens.iter().enumerate() {
            if underscored & (1 << bit) != 0 {
                spelling[*at] = b'_';
            }
        }
        String::from_utf8_lossy(&spelling).into_owned()
    };
    (1..1 << hyphens.len()).map(spelling).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_with_underscores_is_listed_once() {
        assert_eq!(other_spellings("x-auth-user"), ["x_auth-user", "x-auth_user", "x_auth_user"]);
        assert_eq!(OTHER_SPELLINGS.len(), 5 * 3 + 2 * 7);
        assert!(OTHER_SPELLINGS.iter().all(|name| name.contains('_')));
    }
}
