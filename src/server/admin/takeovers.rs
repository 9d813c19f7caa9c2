//! `/v1/tokens/{id}/takeover` and `/v1/tokens/{id}/takeovers`.

use hyper::{Response, StatusCode};

use super::fields::{Fields, integer, text};
use super::paging::Page;
use super::problem::Problem;
use crate::model::event::{Actor, RevokeReason};
use crate::model::field_rules as rules;
use crate::model::takeover::Takeover;
use crate::server::json::takeover::TakeoverJson;
use crate::server::transport::body::Body;
use crate::server::transport::response::{empty, json};
use crate::service::Service;
use crate::token_string::TokenId;

/// POST: starts one; 201, the takeover.
pub async fn start(
    service: &Service,
    token: TokenId,
    mut fields: Fields,
    actor: Actor<'_>,
) -> Result<Response<Body>, Problem> {
    let user = fields.required("user", text(rules::user));
    let reason = fields.optional("reason", text(rules::reason)).filter(|reason| !reason.is_empty());
    let most = service.policy().max_takeover_age_ms / 1000;
    let seconds = fields.optional("seconds", integer(1..=most));
    fields.finish()?;
    // Without errors the required field was there.
    let user = user.ok_or_else(Problem::not_found)?;
    let age_ms = seconds.map(|seconds| seconds * 1000);
    let takeover = service.start_takeover(token, user, reason, age_ms, actor).await?;
    Ok(json(StatusCode::CREATED, &TakeoverJson::of(&takeover)))
}

/// DELETE: ends the one under way; 204, or 404 when there is none.
pub async fn end(service: &Service, token: TokenId, actor: Actor<'_>) -> Result<Response<Body>, Problem> {
    service.end_takeover(token, RevokeReason::Ended, actor).await?;
    Ok(empty(StatusCode::NO_CONTENT))
}

/// GET: the token's takeovers, newest first, in pages.
pub async fn list(service: &Service, token: TokenId, mut query: Fields) -> Result<Response<Body>, Problem> {
    let page = Page::of(&mut query, &["token takeovers", &token.to_string()]);
    query.finish()?;
    let takeovers = service.token_takeovers(token).await?;
    Ok(page.response("takeovers", &takeovers, Takeover::listing_key, TakeoverJson::of))
}
