//! The token object as the contract shows it.

use chrono::{DateTime, SecondsFormat};
use serde::Serialize;

use crate::token::{RelatedObject, Token};

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
    takeover: Option<()>,
    device: Option<&'a str>,
    /// The secret string; only in the answer that makes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<&'a str>,
}

#[derive(Serialize)]
struct RelatedObjectJson<'a> {
    content_type: &'a str,
    object_id: &'a str,
}

impl<'a> TokenJson<'a> {
    /// The object without the secret.
    pub fn of(token: &'a Token) -> Self {
        let credential = &token.credential;
        let related = |object: &'a RelatedObject| RelatedObjectJson {
            content_type: &object.content_type,
            object_id: &object.object_id,
        };
        Self {
            id: credential.id.to_string(),
            user: &credential.user,
            created_at: timestamp(token.created_at_ms),
            last_access: timestamp(token.last_access_ms),
            expires_at: timestamp(credential.expires_at_ms),
            is_active: credential.is_active,
            user_agent: &token.user_agent,
            expiration: token.expiration,
            ip: token.ip,
            auth_slug: credential.auth_slug.as_deref(),
            backend: credential.backend.as_deref(),
            allowed_cookie: credential.allowed_cookie,
            allowed_header: credential.allowed_header,
            related_objects: token.related_objects.iter().map(related).collect(),
            takeover: None,
            device: credential.device.as_deref(),
            token: None,
        }
    }

    /// The object with the string that only its holder gets.
    pub fn with_secret(token: &'a Token, wire: &'a str) -> Self {
        Self { token: Some(wire), ..Self::of(token) }
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
