//! `/v1/users/{user}`, with its lock and its tokens.

use hyper::StatusCode;
use serde_json::json;

use crate::logging::audit::AuditEntry;
use crate::model::token::Token;
use crate::server::admin::call::{AdminCall, Answer};
use crate::server::admin::input::parsed;
use crate::server::admin::paging::Page;
use crate::server::json::token::TokenJson;
use crate::server::transport::response;
use crate::server::transport::response::empty;
use crate::token_string::TokenId;

/// Erases everything of the user: 204, also for an unknown user.
pub async fn erase(mut call: AdminCall<'_>, _: &mut AuditEntry) -> Answer {
    let mut query = call.input.query();
    let user = call.params.user(&mut query)?;
    query.finish()?;
    call.service().erase_user(&user, call.actor).await?;
    Ok(empty(StatusCode::NO_CONTENT))
}

/// Locks the user: 204, also if the user is locked already.
pub async fn lock(call: AdminCall<'_>, entry: &mut AuditEntry) -> Answer {
    set_lock(call, entry, true).await
}

/// Unlocks the user: 204, also if the user is not locked.
pub async fn unlock(call: AdminCall<'_>, entry: &mut AuditEntry) -> Answer {
    set_lock(call, entry, false).await
}

async fn set_lock(mut call: AdminCall<'_>, entry: &mut AuditEntry, is_locked: bool) -> Answer {
    let mut query = call.input.query();
    let user = call.params.user(&mut query)?;
    query.finish()?;
    if !call.service().set_user_lock(&user, is_locked, call.actor).await? {
        entry.count = Some(0);
    }
    Ok(empty(StatusCode::NO_CONTENT))
}

/// Tells whether the user is locked.
pub async fn show_lock(mut call: AdminCall<'_>) -> Answer {
    let mut query = call.input.query();
    let user = call.params.user(&mut query)?;
    query.finish()?;
    let is_locked = call.service().is_user_locked(&user).await?;
    Ok(response::json(StatusCode::OK, &json!({"locked": is_locked})))
}

/// Lists the user's tokens, newest first, in pages.
pub async fn list_tokens(mut call: AdminCall<'_>) -> Answer {
    let mut query = call.input.query();
    let user = call.params.user(&mut query)?;
    let include_revoked = parsed(|value| match value {
        "revoked" => Ok(true),
        _ => Err("may only be \"revoked\"".into()),
    });
    let include_revoked = query.optional("include", include_revoked).unwrap_or(false);
    let page = Page::of(&mut query, &["user tokens", &user]);
    query.finish()?;
    let service = call.service();
    let tokens = service.user_tokens(&user, include_revoked).await?;
    let now_ms = service.clock().now_ms();
    Ok(page.response("tokens", &tokens, Token::listing_key, |token| TokenJson::of(token, now_ms)))
}

/// Revokes the user's tokens except the one named by `except`: 200, their number.
pub async fn revoke_tokens(mut call: AdminCall<'_>, entry: &mut AuditEntry) -> Answer {
    let mut query = call.input.query();
    let user = call.params.user(&mut query)?;
    let token_id = parsed(|id| TokenId::parse(id).ok_or_else(|| "must be a token id".into()));
    let except = query.optional("except", token_id);
    query.finish()?;
    entry.except = except;
    let revoked = call.service().revoke_user_tokens(&user, except, call.actor).await?;
    entry.count = Some(revoked);
    Ok(response::json(StatusCode::OK, &json!({"revoked": revoked})))
}
