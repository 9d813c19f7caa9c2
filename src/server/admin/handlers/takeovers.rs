//! `/v1/tokens/{id}/takeover`, `/v1/tokens/{id}/takeovers` and `/v1/users/{user}/takeovers`.

use hyper::StatusCode;

use crate::logging::audit::AuditEntry;
use crate::model::field_rules as rules;
use crate::model::revoke_reason::RevokeReason;
use crate::model::takeover::Takeover;
use crate::server::admin::call::{AdminCall, Answer};
use crate::server::admin::input::{integer, text};
use crate::server::admin::paging::Page;
use crate::server::json::takeover::TakeoverJson;
use crate::server::transport::response::{empty, json};

/// Starts a takeover: 201, the takeover.
pub async fn start(call: AdminCall<'_>, entry: &mut AuditEntry) -> Answer {
    let (service, token) = (call.service(), call.params.id()?);
    let mut fields = call.input.json().await?;
    let user = fields.required("user", text(rules::user));
    let reason = fields.optional("reason", text(rules::reason)).filter(|reason| !reason.is_empty());
    let max_seconds = service.policy().max_takeover_age_ms / 1000;
    let age_ms = fields.optional("seconds", integer(1..=max_seconds)).map(|seconds| seconds * 1000);
    let user = fields.finish_with(user)?;
    (entry.taken_over, entry.reason) = (Some(user.clone()), reason.clone());
    let takeover = service.start_takeover(token, user, reason, age_ms, call.actor).await?;
    (entry.takeover, entry.user) = (Some(takeover.id), Some(takeover.actor.clone()));
    Ok(json(StatusCode::CREATED, &TakeoverJson::of(&takeover)))
}

/// Ends the active takeover: 204, or 404 without one.
pub async fn end(call: AdminCall<'_>, entry: &mut AuditEntry) -> Answer {
    call.input.no_query()?;
    let ended = call.service().end_takeover(call.params.id()?, RevokeReason::Ended, call.actor).await?;
    entry.user = Some(ended.actor);
    (entry.takeover, entry.taken_over) = (Some(ended.id), Some(ended.user));
    Ok(empty(StatusCode::NO_CONTENT))
}

/// Lists the takeovers by a token, newest first, in pages.
pub async fn list_of_token(call: AdminCall<'_>) -> Answer {
    let token = call.params.id()?;
    let mut query = call.input.query();
    let page = Page::of(&mut query, &["token takeovers", &token.to_string()]);
    query.finish()?;
    let takeovers = call.service().token_takeovers(token).await?;
    Ok(page.response("takeovers", &takeovers, Takeover::listing_key, TakeoverJson::of))
}

/// Lists the takeovers of a user by others, newest first, in pages.
pub async fn list_of_user(mut call: AdminCall<'_>) -> Answer {
    let mut query = call.input.query();
    let user = call.params.user(&mut query)?;
    let page = Page::of(&mut query, &["user takeovers", &user]);
    query.finish()?;
    let takeovers = call.service().user_takeovers(&user).await?;
    Ok(page.response("takeovers", &takeovers, Takeover::listing_key, TakeoverJson::of))
}
