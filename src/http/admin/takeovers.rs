//! `/v1/tokens/{id}/takeover` and `/v1/tokens/{id}/takeovers`.

use hyper::{Response, StatusCode};

use super::paging::Page;
use crate::event::{Actor, EndReason};
use crate::http::fields::{Fields, integer, text};
use crate::http::problem::Problem;
use crate::http::takeover_json::TakeoverJson;
use crate::http::{Body, empty, json};
use crate::rules;
use crate::secret::TokenId;
use crate::service::Service;
use crate::takeover::Takeover;

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
    service.end_takeover(token, EndReason::Ended, actor).await?;
    Ok(empty(StatusCode::NO_CONTENT))
}

/// GET: the token's takeovers, newest first, in pages.
pub async fn list(service: &Service, token: TokenId, mut query: Fields) -> Result<Response<Body>, Problem> {
    let page = Page::of(&mut query, &["token takeovers", &token.to_string()]);
    query.finish()?;
    let takeovers = service.token_takeovers(token).await?;
    Ok(page.response("takeovers", &takeovers, Takeover::listing_key, TakeoverJson::of))
}
