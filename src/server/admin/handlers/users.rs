//! `/v1/users/{user}` and `/v1/users/{user}/lock`.

use hyper::StatusCode;
use serde_json::json;

use crate::logging::audit::AuditEntry;
use crate::server::admin::call::{AdminCall, Answer};
use crate::server::transport::response;
use crate::server::transport::response::empty;

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
