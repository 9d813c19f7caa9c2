//! `Check`: may this request pass? The same decision as on the HTTP plane, from the headers that Envoy tells.
//!
//! Whatever is not allowed is an answer that denies, 503 included: a failed call lets everybody pass where Envoy's
//! `failure_mode_allow` is on, and is a 403 where it is not.

use std::sync::LazyLock;

use hyper::header::{CONTENT_LENGTH, HeaderName};
use hyper::{Response, StatusCode};

use super::messages::{
    Allowed, Attributes, CheckRequest, CheckResponse, Denied, HeaderOption, HttpRequest, HttpResponse,
    HttpStatus, OVERWRITE, Pair, Status,
};
use crate::server::auth::admission::Admission;
use crate::server::auth::decision::{Auth, auth};
use crate::server::auth::plane::Validation;
use crate::server::request::headers::RequestHeaders;
use crate::server::request::origin::{Peer, Received};
use crate::server::transport::body::Body;
use crate::server::transport::response::{empty, unavailable};

/// The key of `context_extensions` that names a check.
const CHECK: &[u8] = b"check";

/// Decides on a request; `context_extensions` may name the check that it must meet.
pub async fn check(validation: &Validation, request: CheckRequest) -> CheckResponse {
    let response = match decide(validation, request) {
        Auth::Decided(response) => response,
        Auth::Reading(look_up, admission) => {
            validation.read(look_up, &admission, |verdict| verdict.response()).await
        }
    };
    answer(&response)
}

/// Decides as far as that goes without the store. The request is not kept while the store is read.
fn decide(validation: &Validation, request: CheckRequest) -> Auth<Response<Body>> {
    let Attributes { source, request, context_extensions } = request.attributes.unwrap_or_default();
    let Some(admission) = admission(validation, &context_extensions) else {
        // As over HTTP: a mistake in the proxy's settings, so nobody passes.
        return Auth::Decided(empty(StatusCode::NOT_FOUND));
    };
    let http = request.and_then(|request| request.http).unwrap_or_default();
    let HttpRequest { method, headers, host, header_map } = http;
    let headers = Lines(header_map.map_or(headers, |raw| raw.headers));
    let address = source.and_then(|source| source.address).and_then(|address| address.socket_address);
    let address = address.and_then(|address| address.address.parse().ok());
    // Envoy itself is believed as it is; the peer is who sent it the request. Without an address it is not trusted: only
    // the peer of a unix socket of this process is `unix`.
    let trusted = &validation.settings.trusted_proxies;
    let peer = address.map_or_else(Peer::unknown, |address| Peer::new(Some(address), trusted));
    let received = Received { headers: &headers, method: &method, authority: Some(&host), peer };
    auth(&validation.validator, &validation.settings, received, admission, |verdict| verdict.response())
}

/// The answer for a request that came while its connection held too many messages.
pub fn no_room() -> CheckResponse {
    answer(&unavailable())
}

/// The answer for a request whose head is too large to be judged.
pub fn too_large() -> CheckResponse {
    answer(&empty(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE))
}

fn admission(validation: &Validation, extensions: &[Pair]) -> Option<Admission> {
    // Of several entries of one key in a map the last counts.
    match extensions.iter().rfind(|pair| pair.key == CHECK) {
        None => Some(Admission::REQUIRED),
        Some(pair) => validation.settings.check(std::str::from_utf8(&pair.value).ok()?),
    }
}

/// The headers of the request, of which Envoy has put those of one name together.
struct Lines(Vec<Pair>);

impl RequestHeaders for Lines {
    fn values<'a>(&'a self, name: &'a HeaderName) -> impl Iterator<Item = &'a [u8]> {
        let is_named = move |pair: &&Pair| pair.key.eq_ignore_ascii_case(name.as_str().as_bytes());
        let value = |pair: &'a Pair| if pair.raw_value.is_empty() { &*pair.value } else { &*pair.raw_value };
        self.0.iter().filter(is_named).map(value)
    }
}

/// The answer that the HTTP plane would give, for Envoy.
fn answer(response: &Response<Body>) -> CheckResponse {
    let names = response.headers().iter().filter(|(name, _)| *name != CONTENT_LENGTH);
    let header = |(name, value): (&HeaderName, &hyper::header::HeaderValue)| HeaderOption {
        header: Some(Pair {
            key: name.as_str().into(),
            value: value.as_bytes().into(),
            raw_value: Vec::new(),
        }),
        append_action: OVERWRITE,
    };
    if response.status() == StatusCode::OK {
        let headers = names.filter(|(name, _)| name.as_str().starts_with("x-auth-")).map(header).collect();
        let allowed = Allowed { headers, headers_to_remove: OTHER_SPELLINGS.clone() };
        return CheckResponse {
            status: Some(Status { code: 0 }),
            http_response: Some(HttpResponse::Ok(allowed)),
        };
    }
    let denied = Denied {
        status: Some(HttpStatus { code: response.status().as_u16().into() }),
        headers: names.map(header).collect(),
    };
    let status = Status { code: code(response.status()) };
    CheckResponse { status: Some(status), http_response: Some(HttpResponse::Denied(denied)) }
}

/// The nearest of google.rpc.Code. Anything but 0 denies.
fn code(status: StatusCode) -> i32 {
    match status {
        StatusCode::UNAUTHORIZED => 16,
        StatusCode::NOT_FOUND => 5,
        StatusCode::SERVICE_UNAVAILABLE => 14,
        _ => 7,
    }
}

/// The identity headers with some of their hyphens underscored: many applications read both as one variable, so a
/// client's own must not reach them.
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
    fn every_other_spelling_is_named_once() {
        assert_eq!(other_spellings("x-auth-user"), ["x_auth-user", "x-auth_user", "x_auth_user"]);
        assert_eq!(OTHER_SPELLINGS.len(), 5 * 3 + 2 * 7);
        assert!(OTHER_SPELLINGS.iter().all(|name| name.contains('_')));
    }
}
