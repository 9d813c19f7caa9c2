//! The JSON object of a token.

use serde::Serialize;

use super::takeover::TakeoverJson;
use super::timestamp::{TimestampWriter, timestamp};
use crate::foreign::Scheme;
use crate::model::revoke_reason::RevokeReason;
use crate::model::token::{GappedText, RelatedObject, Token, TokenRef};

/// The token object of the HTTP contract, borrowed from a token.
#[derive(Serialize)]
pub struct TokenJson<'a> {
    id: String,
    user: &'a str,
    created_at: String,
    last_access: String,
    expires_at: String,
    /// No renewal reaches beyond this.
    ends_at: String,
    is_active: bool,
    /// True while the user is locked.
    locked: bool,
    user_agent: &'a str,
    expiration: bool,
    ip: std::net::IpAddr,
    auth_slug: Option<&'a str>,
    backend: Option<&'a str>,
    scopes: Vec<&'a str>,
    allowed_cookie: bool,
    allowed_header: bool,
    related_objects: Vec<RelatedObjectJson<'a>>,
    /// The active takeover.
    takeover: Option<TakeoverJson<'a>>,
    device: Option<&'a str>,
    /// False while the second factor is still to be shown.
    is_authenticated: bool,
    /// The scheme of the foreign token that was imported.
    origin: Option<&'static str>,
    revoked_at: Option<String>,
    revoked_reason: Option<&'static str>,
    /// The token string; only in the answer that makes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<&'a str>,
    /// The value of the `Set-Cookie` header for a browser, if the caller asked for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    set_cookie: Option<String>,
}

#[derive(Serialize)]
pub(crate) struct RelatedObjectJson<'a> {
    content_type: &'a str,
    object_id: &'a str,
}

impl<'a> TokenJson<'a> {
    /// Appends the object of a token in a batch. The text is cached with a gap for the last access. A token with a takeover
    /// is not cached, because its text changes at the takeover's hard end.
    pub fn write_batch(
        token: TokenRef<'a>,
        now_ms: u64,
        timestamps: &mut TimestampWriter,
        out: &mut Vec<u8>,
    ) {
        if token.record.takeover.is_some() {
            // Serialization to memory cannot fail: there is no map with keys other than strings.
            let _ = serde_json::to_writer(out, &Self::of(token, now_ms));
            return;
        }
        let json = token.record.json.get_or_init(|| {
            let without = Self { last_access: String::new(), ..Self::of(token, now_ms) };
            with_gap(&without)
        });
        let (before, after) = json.parts();
        out.extend_from_slice(before);
        timestamps.write(token.last_access_ms, out);
        out.extend_from_slice(after);
    }

    /// The object at `now_ms`, without the token string.
    pub fn of(token: impl Into<TokenRef<'a>>, now_ms: u64) -> Self {
        let TokenRef { record, details, last_access_ms, revoked } = token.into();
        let related = |object: &'a RelatedObject| RelatedObjectJson {
            content_type: &object.content_type,
            object_id: &object.object_id,
        };
        Self {
            id: record.id.to_string(),
            user: record.user(),
            created_at: timestamp(record.created_at_ms),
            last_access: timestamp(last_access_ms),
            expires_at: timestamp(record.expires_at_ms),
            ends_at: timestamp(record.ends_at_ms),
            is_active: record.is_active,
            locked: record.is_locked(),
            user_agent: &details.user_agent,
            expiration: details.expiration,
            ip: details.ip,
            auth_slug: record.auth_slug(),
            backend: record.backend(),
            scopes: record.scopes().collect(),
            allowed_cookie: record.allowed_cookie,
            allowed_header: record.allowed_header,
            related_objects: details.related_objects.iter().map(related).collect(),
            takeover: record
                .active_takeover(now_ms)
                .map(|takeover| TakeoverJson::of_active(takeover, record)),
            device: record.device(),
            is_authenticated: record.is_authenticated(),
            origin: details.origin.map(Scheme::name),
            // Of two calls at once, the one that read its clock first may be done last.
            revoked_at: revoked.map(|revoked| timestamp(revoked.at_ms.max(record.created_at_ms))),
            revoked_reason: revoked.and_then(|revoked| revoked.reason).map(RevokeReason::name),
            token: None,
            set_cookie: None,
        }
    }

    /// The object at `now_ms`, with the token string for the holder.
    pub fn with_secret(token: &'a Token, token_string: &'a str, now_ms: u64) -> Self {
        Self { token: Some(token_string), ..Self::of(token, now_ms) }
    }

    /// Adds the value of the `Set-Cookie` header.
    pub fn with_cookie(self, set_cookie: Option<String>) -> Self {
        Self { set_cookie, ..self }
    }
}

/// Makes a text with a gap of an object whose last access is empty.
pub(crate) fn with_gap(without: &TokenJson<'_>) -> GappedText {
    // No string contains this, because quotes in strings are escaped.
    const EMPTY: &[u8] = b"\"last_access\":\"\"";
    let text = serde_json::to_vec(without).unwrap_or_default();
    let at = text.windows(EMPTY.len()).position(|window| window == EMPTY);
    let gap_at = at.map_or(text.len(), |at| at + EMPTY.len() - 1);
    GappedText::new(text, gap_at)
}
