//! What belongs to a user: `/v1/users/{user}/tokens`, `…/takeovers`, `…/events`.

use hyper::{Response, StatusCode};
use serde_json::json;

use super::fields::{Fields, parsed};
use super::paging::Page;
use super::problem::Problem;
use crate::model::event::Actor;
use crate::model::field_rules as rules;
use crate::model::takeover::Takeover;
use crate::model::token::Token;
use crate::server::json::event::EventJson;
use crate::server::json::takeover::TakeoverJson;
use crate::server::json::token::TokenJson;
use crate::server::transport::body::Body;
use crate::server::transport::response::json;
use crate::service::Service;
use crate::token_string::TokenId;

/// GET: the user's tokens, newest first, in pages.
pub async fn list_tokens(
    service: &Service,
    user: &str,
    mut query: Fields,
) -> Result<Response<Body>, Problem> {
    check_user(user, &mut query);
    let include_revoked = query.optional(
        "include",
        parsed(|value| match value {
            "revoked" => Ok(true),
            _ => Err("may only be \"revoked\"".into()),
        }),
    );
    let page = Page::of(&mut query, &["user tokens", user]);
    query.finish()?;
    let tokens = service.user_tokens(user, include_revoked.unwrap_or(false)).await?;
    let now_ms = service.clock().now_ms();
    Ok(page.response("tokens", &tokens, Token::listing_key, |token| TokenJson::of(token, now_ms)))
}

/// DELETE: ends the user's tokens, but for `except`.
pub async fn end_tokens(
    service: &Service,
    user: &str,
    mut query: Fields,
    actor: Actor<'_>,
) -> Result<Response<Body>, Problem> {
    check_user(user, &mut query);
    let except =
        query.optional("except", parsed(|id| TokenId::parse(id).ok_or_else(|| "must be a token id".into())));
    query.finish()?;
    let revoked = service.revoke_user_tokens(user, except, actor).await?;
    Ok(json(StatusCode::OK, &json!({"revoked": revoked})))
}

/// GET: who took this user over, newest first, in pages.
pub async fn list_takeovers(
    service: &Service,
    user: &str,
    mut query: Fields,
) -> Result<Response<Body>, Problem> {
    check_user(user, &mut query);
    let page = Page::of(&mut query, &["user takeovers", user]);
    query.finish()?;
    let takeovers = service.user_takeovers(user).await?;
    Ok(page.response("takeovers", &takeovers, Takeover::listing_key, TakeoverJson::of))
}

/// GET: all that is kept of what happened to the user, newest first; there are never more than `events-per-user`.
pub async fn list_events(
    service: &Service,
    user: &str,
    mut query: Fields,
) -> Result<Response<Body>, Problem> {
    check_user(user, &mut query);
    query.finish()?;
    let events = service.user_events(user).await?;
    let shown: Vec<_> = events.iter().map(|event| EventJson::of(user, event)).collect();
    Ok(json(StatusCode::OK, &json!({"events": shown})))
}

/// Notes what is wrong with the user in a path.
pub fn check_user(user: &str, fields: &mut Fields) {
    if let Err(detail) = rules::user(user) {
        fields.fail("user", detail);
    }
}
