//! The token object as the contract shows it.

use chrono::{DateTime, SecondsFormat};
use serde::Serialize;

use super::takeover_json::TakeoverJson;
use crate::token::{Credential, RelatedObject, Token, TokenView};

/// See the contract; borrowed from the record.
#[derive(Serialize)]
pub struct TokenJson<'a> {
    id: String,
    user: &'a str,
    created_at: String,
    last_access: String,
    expires_at: String,
    is_active: bool,
    user_agent: &'a str,
    expiration: bool,
    ip: std::net::IpAddr,
    auth_slug: Option<&'a str>,
    backend: Option<&'a str>,
    allowed_cookie: bool,
    allowed_header: bool,
    related_objects: Vec<RelatedObjectJson<'a>>,
    /// The one under way.
    takeover: Option<TakeoverJson<'a>>,
    device: Option<&'a str>,
    /// False while the second factor is still to be shown.
    is_authenticated: bool,
    /// The secret string; only in the answer that makes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<&'a str>,
    /// The whole value of the header that gives it to a browser; where it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    set_cookie: Option<String>,
}

#[derive(Serialize)]
struct RelatedObjectJson<'a> {
    content_type: &'a str,
    object_id: &'a str,
}

/// What is shown beside the credential.
struct Rest<'a> {
    created_at_ms: u64,
    last_access_ms: u64,
    user_agent: &'a str,
    ip: std::net::IpAddr,
    expiration: bool,
    related_objects: &'a [RelatedObject],
}

impl<'a> TokenJson<'a> {
    /// The object without the secret, as it is at `now_ms`.
    pub fn of(token: &'a Token, now_ms: u64) -> Self {
        let rest = Rest {
            created_at_ms: token.created_at_ms,
            last_access_ms: token.last_access_ms,
            user_agent: &token.user_agent,
            ip: token.ip,
            expiration: token.expiration,
            related_objects: &token.related_objects,
        };
        Self::of_parts(&token.credential, rest, now_ms)
    }

    /// The same of a token as a batch sees it.
    pub fn of_view(view: &'a TokenView, now_ms: u64) -> Self {
        let rest = Rest {
            created_at_ms: view.details.created_at_ms,
            last_access_ms: view.last_access_ms(),
            user_agent: &view.details.user_agent,
            ip: view.details.ip,
            expiration: view.details.expiration,
            related_objects: &view.details.related_objects,
        };
        Self::of_parts(&view.credential, rest, now_ms)
    }

    fn of_parts(credential: &'a Credential, rest: Rest<'a>, now_ms: u64) -> Self {
        let related = |object: &'a RelatedObject| RelatedObjectJson {
            content_type: &object.content_type,
            object_id: &object.object_id,
        };
        Self {
            id: credential.id.to_string(),
            user: credential.user(),
            created_at: timestamp(rest.created_at_ms),
            last_access: timestamp(rest.last_access_ms),
            expires_at: timestamp(credential.expires_at_ms),
            is_active: credential.is_active,
            user_agent: rest.user_agent,
            expiration: rest.expiration,
            ip: rest.ip,
            auth_slug: credential.auth_slug(),
            backend: credential.backend(),
            allowed_cookie: credential.allowed_cookie,
            allowed_header: credential.allowed_header,
            related_objects: rest.related_objects.iter().map(related).collect(),
            takeover: credential
                .active_takeover(now_ms)
                .map(|takeover| TakeoverJson::of_active(takeover, credential)),
            device: credential.device(),
            is_authenticated: credential.is_authenticated,
            token: None,
            set_cookie: None,
        }
    }

    /// The object with the string that only its holder gets.
    pub fn with_secret(token: &'a Token, wire: &'a str, now_ms: u64) -> Self {
        Self { token: Some(wire), ..Self::of(token, now_ms) }
    }

    /// The same with the header's value that gives the string to a browser.
    pub fn with_cookie(self, set_cookie: Option<String>) -> Self {
        Self { set_cookie, ..self }
    }
}

/// RFC 3339, UTC, milliseconds.
pub fn timestamp(ms: u64) -> String {
    let time = i64::try_from(ms).ok().and_then(DateTime::from_timestamp_millis);
    time.unwrap_or(DateTime::UNIX_EPOCH).to_rfc3339_opts(SecondsFormat::Millis, true)
}

#[cfg(test)]
mod tests {
    #[test]
    fn timestamps_have_milliseconds_and_a_z() {
        assert_eq!(super::timestamp(1_800_000_000_007), "2027-01-15T08:00:00.007Z");
    }
}
