//! `POST /logout`: ends the active takeover, or else revokes the token.

use hyper::header::{HeaderMap, SET_COOKIE};
use hyper::{Response, StatusCode};
use serde_json::json;

use super::holder::{Holder, HolderAnswer, HolderAudit, authenticate, error_response};
use crate::logging::audit::Action;
use crate::model::event::Actor;
use crate::model::revoke_reason::RevokeReason;
use crate::model::token::{TokenChange, Transport};
use crate::request::credentials::{Credentials, extract, other_cookies};
use crate::request::origin::RequestOrigin;
use crate::request::set_cookie;
use crate::request_check::cross_site::is_same_site;
use crate::request_check::refusal::ForbiddenReason;
use crate::request_check::settings::ValidationSettings;
use crate::server::transport::body::Body;
use crate::server::transport::response::json;
use crate::service::ServiceError;
use crate::store::Rejection;
use crate::token_string::TokenId;
use crate::validation::{Access, Validator};

/// Ends the active takeover, or else revokes the token. A cookie without a valid token is cleared, too: the browser would
/// send it for ever. Tells `known` the valid token and its user.
pub async fn log_out(
    validator: &Validator,
    settings: &ValidationSettings,
    origin: RequestOrigin<'_, HeaderMap>,
    known: &mut Option<(TokenId, String)>,
) -> Response<Body> {
    let carried_by = match extract(origin.headers, &settings.places) {
        Credentials::Token(_, via) | Credentials::Invalid(via) => Some(via),
        Credentials::Absent => None,
    };
    let answer = end_login(validator, settings, &origin, known).await;
    let mut response = answer.unwrap_or_else(|refusal| refusal);
    if response.status() == StatusCode::UNAUTHORIZED
        && carried_by == Some(Transport::Cookie)
        && is_same_site(settings, &origin)
    {
        response
            .headers_mut()
            .extend(set_cookie::all_cleared(&settings.cookie).map(|line| (SET_COOKIE, line)));
        clear_other_cookies(settings, origin.headers, &mut response);
    }
    response
}

/// Clears each further and foreign cookie that the request carries: it would log the browser in again.
pub(super) fn clear_other_cookies(
    settings: &ValidationSettings,
    headers: &HeaderMap,
    response: &mut Response<Body>,
) {
    for name in other_cookies(headers, &settings.places) {
        for line in set_cookie::other_cleared(&settings.cookie, &name) {
            response.headers_mut().append(SET_COOKIE, line);
        }
    }
}

async fn end_login(
    validator: &Validator,
    settings: &ValidationSettings,
    origin: &RequestOrigin<'_, HeaderMap>,
    known: &mut Option<(TokenId, String)>,
) -> HolderAnswer {
    let holder = authenticate(validator, settings, origin, Access::Exempt, known).await?;
    let Holder { token, via, request, .. } = holder;
    if via == Transport::Cookie && !is_same_site(settings, origin) {
        return Err(ForbiddenReason::CrossSite.response());
    }
    let (service, id) = (validator.service(), token.record.id);
    if token.record.takeover.is_some() {
        let audit = HolderAudit::begin(Action::TakeoverEnd, &token, &request);
        let ended = service.end_takeover(id, RevokeReason::Logout, Actor::Holder).await;
        audit.conclude(&ended);
        match ended {
            Ok(_) => return Ok(json(StatusCode::OK, &json!({"ended": "takeover"}))),
            // The takeover has just ended by itself.
            Err(ServiceError::Rejected(Rejection::NotFound)) => {}
            Err(error) => return Err(error_response(service, &error)),
        }
    }
    let audit = HolderAudit::begin(Action::TokenRevoke, &token, &request);
    let revoked = service.change(id, &TokenChange::revoking(RevokeReason::Logout), Actor::Holder).await;
    audit.conclude(&revoked);
    match revoked {
        Ok(_) => {
            let mut response = json(StatusCode::OK, &json!({"ended": "token"}));
            if via == Transport::Cookie {
                response.headers_mut().insert(SET_COOKIE, set_cookie::cleared(&settings.cookie));
                clear_other_cookies(settings, origin.headers, &mut response);
            }
            Ok(response)
        }
        Err(error) => Err(error_response(service, &error)),
    }
}
