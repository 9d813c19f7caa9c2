//! `/v1/users/{user}`.

use hyper::StatusCode;

use crate::logging::audit::AuditEntry;
use crate::server::admin::call::{AdminCall, Answer};
use crate::server::transport::response::empty;

/// Erases everything of the user: 204, also for an unknown user.
pub async fn erase(mut call: AdminCall<'_>, _: &mut AuditEntry) -> Answer {
    let mut query = call.input.query();
    let user = call.params.user(&mut query)?;
    query.finish()?;
    call.service().erase_user(&user, call.actor).await?;
    Ok(empty(StatusCode::NO_CONTENT))
}
