//! `/auth` and `/auth-optional`: may this request pass? The hot path.
//!
//! All bodies are empty and stay unread: proxies keep the connection then, and one that sends a length without a
//! body is not waited for.

use hyper::header::{HeaderName, HeaderValue, WWW_AUTHENTICATE};
use hyper::{HeaderMap, Response, StatusCode};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use super::presented::{Presented, presented};
use super::validation::{Settings, report};
use super::{Body, empty, unavailable};
use crate::token::Credential;
use crate::validator::{Access, Validator};

const USER: HeaderName = HeaderName::from_static("x-auth-user");
const ACTOR: HeaderName = HeaderName::from_static("x-auth-actor");
const TOKEN_ID: HeaderName = HeaderName::from_static("x-auth-token-id");
const SLUG: HeaderName = HeaderName::from_static("x-auth-slug");
const BACKEND: HeaderName = HeaderName::from_static("x-auth-backend");
const DEVICE: HeaderName = HeaderName::from_static("x-auth-device");
const EXPIRES_IN: HeaderName = HeaderName::from_static("x-auth-expires-in");

/// A value that does not exist. Never left out: a proxy would pass the client's own header on.
const NONE: HeaderValue = HeaderValue::from_static("-");

/// What a header value cannot carry as it is: all but visible ASCII (the encoder always takes what is not
/// ASCII), and the escape itself.
const ESCAPED: &AsciiSet = &CONTROLS.add(b' ').add(b'%');

/// Who may pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Only a valid token.
    Required,
    /// Everybody: without a valid token as the anonymous one.
    Optional,
}

/// Answers an auth subrequest.
pub async fn auth(
    validator: &Validator,
    settings: &Settings,
    headers: &HeaderMap,
    admission: Admission,
) -> Response<Body> {
    let refusal = match presented(headers, &settings.cookie_name) {
        Presented::Token(wire, via) => match validator.validate(wire, via, settings.access(headers)).await {
            Ok(Some(credential)) => return allowed(&credential, validator.service().clock().now_ms()),
            Ok(None) => Refusal::InvalidToken,
            Err(error) => {
                report(&error);
                return unavailable();
            }
        },
        Presented::Ambiguous => Refusal::InvalidToken,
        Presented::Absent => Refusal::NoToken,
    };
    match admission {
        Admission::Required => refusal.response(),
        Admission::Optional => anonymous(),
    }
}

fn allowed(credential: &Credential, now_ms: u64) -> Response<Body> {
    let user = value(&credential.user);
    let or_none = |field: &Option<String>| field.as_deref().map_or(NONE, value);
    let mut response = empty(StatusCode::OK);
    let headers = response.headers_mut();
    headers.insert(USER, user.clone());
    headers.insert(ACTOR, user);
    headers.insert(TOKEN_ID, value(&credential.id.to_string()));
    headers.insert(SLUG, or_none(&credential.auth_slug));
    headers.insert(BACKEND, or_none(&credential.backend));
    headers.insert(DEVICE, or_none(&credential.device));
    headers.insert(EXPIRES_IN, HeaderValue::from(credential.expires_at_ms.saturating_sub(now_ms) / 1000));
    response
}

fn anonymous() -> Response<Body> {
    let mut response = empty(StatusCode::OK);
    let headers = response.headers_mut();
    for name in [USER, ACTOR, TOKEN_ID, SLUG, BACKEND, DEVICE] {
        headers.insert(name, NONE);
    }
    headers.insert(EXPIRES_IN, HeaderValue::from_static("0"));
    response
}

/// A text as a header value, escaped where it must be.
fn value(text: &str) -> HeaderValue {
    let escaped: std::borrow::Cow<'_, str> = utf8_percent_encode(text, ESCAPED).into();
    // What is left is visible ASCII, which every header value may hold.
    HeaderValue::from_str(&escaped).unwrap_or(NONE)
}

/// Why a request is not authenticated, as far as its client may know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It carried no token.
    NoToken,
    /// It carried one that is not valid here and now.
    InvalidToken,
}

impl Refusal {
    /// 401 with the challenge of RFC 6750, section 3: no `error` for a request without credentials.
    pub fn response(self) -> Response<Body> {
        let challenge = match self {
            Self::NoToken => "Bearer realm=\"doorward\"",
            Self::InvalidToken => "Bearer realm=\"doorward\", error=\"invalid_token\"",
        };
        let mut response = empty(StatusCode::UNAUTHORIZED);
        response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        response
    }
}

impl Settings {
    /// Whether this request's access counts.
    pub fn access(&self, headers: &HeaderMap) -> Access {
        match &self.renewal_exempt_header {
            Some(name) if headers.contains_key(name) => Access::Exempt,
            _ => Access::Recorded,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_visible_ascii() {
        assert_eq!(value("alice"), "alice");
        assert_eq!(value("é 100%\n"), "%C3%A9%20100%25%0A");
        assert_eq!(value("~!\"#"), "~!\"#");
    }
}
