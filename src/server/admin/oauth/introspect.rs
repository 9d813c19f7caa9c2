//! `POST /introspect` (RFC 7662).

use hyper::StatusCode;
use serde::Serialize;

use super::call::{OAuthAnswer, OAuthCall};
use crate::model::token::TokenRef;
use crate::server::transport::response::json;

/// Introspects a token, like a batch of one: the client is a trusted resource server, so `allowed_cookie` and
/// `allowed_header` are ignored, and the call counts as an access.
pub async fn introspect(call: OAuthCall<'_>) -> OAuthAnswer {
    let OAuthCall { admin, token, access, audited, .. } = call;
    let now_ms = admin.service.clock().now_ms();
    let mut response = json(StatusCode::OK, &Inactive { active: false });
    let show = |_, token: Option<TokenRef<'_>>| {
        if let Some(token) = token {
            response = json(StatusCode::OK, &Introspection::of(token, now_ms));
        }
    };
    admin.validator.show_batch(&[token], access, Some(&audited), show).await?;
    Ok(response)
}

#[derive(Serialize)]
struct Inactive {
    active: bool,
}

/// The answer for a valid token (RFC 7662, section 2.2).
#[derive(Serialize)]
struct Introspection<'a> {
    active: bool,
    /// The effective user.
    sub: &'a str,
    /// In seconds since the Unix epoch, like `exp`.
    iat: u64,
    /// When the answer ends. A takeover may end before its token.
    exp: u64,
    jti: String,
    /// The effective user, as `sub`: some clients read only this.
    username: &'a str,
    /// RFC 6749, section 3.3.
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<&'a str>,
    token_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    act: Option<ActingParty<'a>>,
}

/// The user who acts as another in a takeover (RFC 8693, section 4.1).
#[derive(Serialize)]
struct ActingParty<'a> {
    sub: &'a str,
}

impl<'a> Introspection<'a> {
    fn of(token: TokenRef<'a>, now_ms: u64) -> Self {
        let record = token.record;
        Self {
            active: true,
            sub: record.effective_user(now_ms),
            iat: token.record.created_at_ms / 1000,
            exp: record.identity_ends_at_ms(now_ms) / 1000,
            jti: record.id.to_string(),
            username: record.effective_user(now_ms),
            scope: record.texts.scopes(),
            token_type: "Bearer",
            act: record.active_takeover(now_ms).map(|_| ActingParty { sub: record.user() }),
        }
    }
}
