//! `POST /revoke` (RFC 7009).

use hyper::StatusCode;

use super::call::{OAuthAnswer, OAuthCall};
use crate::model::event::RevokeReason;
use crate::model::token::TokenChange;
use crate::server::transport::response::empty;
use crate::service::ServiceError;
use crate::store::Rejection;

/// Revokes the token with this token string. The answer is the same without such a token (RFC 7009, section 2.2).
pub async fn revoke(call: OAuthCall<'_>) -> OAuthAnswer {
    if let Some(id) = call.admin.validator.opened(call.token.as_bytes()).await? {
        let change = TokenChange::revoking(RevokeReason::Revoked);
        match call.admin.service.change(id, &change, call.actor()).await {
            Ok(_) | Err(ServiceError::Rejected(Rejection::NotFound)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(empty(StatusCode::OK))
}
