//! The decision on requests for an application in process.

use std::net::IpAddr;

use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri};

use super::admission::Admission;
use super::decision::{Decision, Progress, decide, decide_after_read};
use super::refusal::{ForbiddenReason, Refusal};
use super::settings::ValidationSettings;
use crate::config::Config;
use crate::model::token::Transport;
use crate::request::origin::{DirectClient, RequestOrigin};
use crate::request::set_cookie;
use crate::service::{Issued, Service};
use crate::validation::{Identity, Validator};

/// Decides whether requests may pass, as a server does at `/auth`, `/auth-optional` and `/check/NAME`: where a request
/// carries its token, whether another site made the browser send it (`cookie-csrf-check`), and which route check it must
/// meet. Clones share the route checks.
#[derive(Clone, Debug)]
pub struct RequestCheck {
    settings: ValidationSettings,
}

impl RequestCheck {
    /// A check by the settings of the cookie, the header, further places, proxies and origins, and by the route checks.
    pub fn new(config: &Config) -> Self {
        Self { settings: ValidationSettings::of(config) }
    }

    /// Returns what the route check of this name demands, as `/check/NAME`. `None` if the settings have no such check: no
    /// request may pass then.
    pub fn route(&self, name: &str) -> Option<Admission> {
        self.settings.checks.get(name).map(Admission::of_check)
    }

    /// Decides whether a request may pass. Does not wait for a token that is cached, forged or absent.
    pub async fn decide(
        &self,
        validator: &Validator,
        admission: Admission,
        request: &IncomingRequest<'_>,
    ) -> RequestDecision {
        let IncomingRequest { headers, method, uri, address } = *request;
        let client = match address {
            Some(address) => DirectClient::new(Some(address), &self.settings.trusted_proxies),
            None => DirectClient::unknown(),
        };
        let authority = uri.authority().map(|authority| authority.as_str());
        let origin = RequestOrigin { headers, method: method.as_str(), authority, client };
        match decide(validator, &self.settings, origin, admission, RequestDecision::of) {
            Progress::Decided(decision) => decision,
            Progress::MustRead(undecided) => {
                let read = decide_after_read(validator, undecided, RequestDecision::of);
                let decided = validator.in_time(async { Ok(read.await) }).await;
                decided.unwrap_or_else(|error| {
                    validator.service().report(&error, None);
                    RequestDecision::Unavailable
                })
            }
        }
    }

    /// Returns the `Set-Cookie` value that gives a browser a token which `service` has just issued or rotated.
    pub fn set_cookie(&self, service: &Service, issued: &Issued) -> HeaderValue {
        let now_ms = service.clock().now_ms();
        let line = set_cookie::set(&self.settings.cookie, &issued.token, &issued.token_string, now_ms);
        // Cannot fail: the settings allow only characters of headers.
        HeaderValue::from_str(&line).unwrap_or_else(|_| HeaderValue::from_static(""))
    }

    /// Returns the `Set-Cookie` values that clear the token cookie.
    pub fn clear_cookie(&self) -> impl Iterator<Item = HeaderValue> {
        set_cookie::all_cleared(&self.settings.cookie)
    }
}

/// A request, as far as a decision depends on it.
#[derive(Clone, Copy, Debug)]
pub struct IncomingRequest<'a> {
    /// Its headers.
    pub headers: &'a HeaderMap,
    /// Its method.
    pub method: &'a Method,
    /// Its target. In HTTP/2, this has the host.
    pub uri: &'a Uri,
    /// The address of the other end of the connection. `None` on a Unix socket, and if it is not known.
    pub address: Option<IpAddr>,
}

impl<'a> IncomingRequest<'a> {
    /// A request with these parts that came from this address.
    pub fn of_parts(parts: &'a Parts, address: Option<IpAddr>) -> Self {
        let Parts { headers, method, uri, .. } = parts;
        Self { headers, method, uri, address }
    }

    /// Makes it of a request that came from this address.
    pub fn of<B>(request: &'a Request<B>, address: Option<IpAddr>) -> Self {
        Self { headers: request.headers(), method: request.method(), uri: request.uri(), address }
    }
}

/// The decision on a request.
#[derive(Clone, Debug)]
pub enum RequestDecision {
    /// The request passes with a valid token, which it carried there.
    Allowed(Identity, Transport),
    /// The request passes as the anonymous token.
    Anonymous,
    /// The request carries no valid token: answer 401, with [`Refusal::challenge`] in `WWW-Authenticate`.
    Refused(Refusal),
    /// The token is valid, but the request may not pass: answer 403.
    Forbidden(ForbiddenReason),
    /// The store cannot be asked: answer 503. This is no logout: the client keeps its token.
    Unavailable,
}

impl RequestDecision {
    /// Returns the status that a server answers with.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Allowed(..) | Self::Anonymous => StatusCode::OK,
            Self::Refused(_) => StatusCode::UNAUTHORIZED,
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// Keeps a decision beyond the look at the record.
    pub(super) fn of(decision: Decision<'_>) -> Self {
        match decision {
            Decision::Allowed(record, now_ms, via) => {
                Self::Allowed(Identity::new(record.keep(), now_ms), via)
            }
            Decision::Anonymous => Self::Anonymous,
            Decision::Refused(refusal) => Self::Refused(refusal),
            Decision::Forbidden(reason, _) => Self::Forbidden(reason),
            Decision::Unavailable => Self::Unavailable,
        }
    }
}
