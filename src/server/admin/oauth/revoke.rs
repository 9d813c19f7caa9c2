//! `POST /revoke` (RFC 7009).

use hyper::StatusCode;

use super::call::{OAuthAnswer, OAuthCall};
use crate::logging::audit::AuditEntry;
use crate::model::revoke_reason::RevokeReason;
use crate::model::token::TokenChange;
use crate::server::transport::response::empty;
use crate::service::ServiceError;
use crate::store::Rejection;

/// Revokes the token with this token string. The answer is the same without such a token (RFC 7009, section 2.2).
pub async fn revoke(call: OAuthCall<'_>, entry: &mut AuditEntry) -> OAuthAnswer {
    let Some(id) = call.admin.validator.opened(call.token.as_bytes(), &call.audited).await? else {
        entry.count = Some(0);
        return Ok(empty(StatusCode::OK));
    };
    entry.token = Some(id);
    match call.admin.service.change(id, &TokenChange::revoking(RevokeReason::Revoked), call.actor()).await {
        Ok(token) => entry.user = Some(token.record.user().to_owned()),
        Err(ServiceError::Rejected(Rejection::NotFound)) => entry.count = Some(0),
        Err(error) => return Err(error.into()),
    }
    Ok(empty(StatusCode::OK))
}
