//! The decision on requests for an application in process.

use http::HeaderValue;

use super::admission::Admission;
use super::decision::{Progress, decide, decide_after_read};
use super::incoming::IncomingRequest;
use super::request_decision::RequestDecision;
use super::settings::ValidationSettings;
use crate::config::Config;
use crate::request::client::DirectClient;
use crate::request::origin::RequestOrigin;
use crate::request::set_cookie;
use crate::service::{Issued, Service};
use crate::validation::Validator;

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
