//! `/session` and `/logout`: the calls of a token's holder.

use hyper::header::{HeaderMap, SET_COOKIE};
use hyper::{Response, StatusCode};
use serde_json::json;

use super::access_log::holder_of;
use super::audited_logout::AuditedLogout;
use super::cross_site::is_same_site;
use super::refusal::{ForbiddenReason, Refusal};
use super::settings::ValidationSettings;
use crate::foreign::FormSet;
use crate::logging::audit::{Action, AuditedRequest};
use crate::model::event::Actor;
use crate::model::revoke_reason::RevokeReason;
use crate::model::token::{Token, TokenChange, Transport};
use crate::server::json::token::TokenJson;
use crate::server::request::credentials::{Credentials, extract};
use crate::server::request::origin::RequestOrigin;
use crate::server::request::set_cookie;
use crate::server::transport::body::Body;
use crate::server::transport::response::{json, unavailable};
use crate::service::{Service, ServiceError};
use crate::store::{Rejection, StoreError};
use crate::token_string::TokenId;
use crate::validation::{Access, Judgement, Validator};

/// `GET /session`: the holder's own token object. Tells `holder` the valid token and its user.
pub async fn show_session(
    validator: &Validator,
    settings: &ValidationSettings,
    origin: RequestOrigin<'_, HeaderMap>,
    holder: &mut Option<(TokenId, String)>,
) -> Response<Body> {
    let (access, request) = (settings.access(origin.headers), origin.audited(&settings.trusted_proxies));
    match authenticate(validator, settings, origin.headers, access, &request).await {
        Ok((token, _)) => {
            *holder = Some(holder_of(&token.record));
            json(StatusCode::OK, &TokenJson::of(&token, validator.service().clock().now_ms()))
        }
        Err(response) => response,
    }
}

/// `POST /logout`: ends the active takeover, or else revokes the token. A cookie without a valid token is cleared, too:
/// the browser would send it for ever. Tells `holder` the valid token and its user.
pub async fn log_out(
    validator: &Validator,
    settings: &ValidationSettings,
    origin: RequestOrigin<'_, HeaderMap>,
    holder: &mut Option<(TokenId, String)>,
) -> Response<Body> {
    let carried_by = match extract(origin.headers, &settings.cookie.name) {
        Credentials::Token(_, via) | Credentials::Ambiguous(via) => Some(via),
        Credentials::Absent => None,
    };
    let mut response = end_login(validator, settings, &origin, holder).await;
    if response.status() == StatusCode::UNAUTHORIZED
        && carried_by == Some(Transport::Cookie)
        && is_same_site(settings, &origin)
    {
        for line in set_cookie::all_cleared(&settings.cookie) {
            response.headers_mut().append(SET_COOKIE, line);
        }
    }
    response
}

async fn end_login(
    validator: &Validator,
    settings: &ValidationSettings,
    origin: &RequestOrigin<'_, HeaderMap>,
    holder: &mut Option<(TokenId, String)>,
) -> Response<Body> {
    let (headers, request) = (origin.headers, origin.audited(&settings.trusted_proxies));
    let (token, via) = match authenticate(validator, settings, headers, Access::Exempt, &request).await {
        Ok(authenticated) => authenticated,
        Err(response) => return response,
    };
    *holder = Some(holder_of(&token.record));
    if via == Transport::Cookie && !is_same_site(settings, origin) {
        return ForbiddenReason::CrossSite.response();
    }
    let (service, id) = (validator.service(), token.record.id);
    if token.record.takeover.is_some() {
        let audited = AuditedLogout::begin(Action::TakeoverEnd, &token, &request);
        let ended = service.end_takeover(id, RevokeReason::Logout, Actor::Holder).await;
        audited.conclude(&ended);
        match ended {
            Ok(_) => return json(StatusCode::OK, &json!({"ended": "takeover"})),
            // The takeover has just ended by itself.
            Err(ServiceError::Rejected(Rejection::NotFound)) => {}
            Err(error) => return error_response(validator.service(), &error),
        }
    }
    let audited = AuditedLogout::begin(Action::TokenRevoke, &token, &request);
    let revoked = service.change(id, &TokenChange::revoking(RevokeReason::Logout), Actor::Holder).await;
    audited.conclude(&revoked);
    match revoked {
        Ok(_) => {
            let mut response = json(StatusCode::OK, &json!({"ended": "token"}));
            if via == Transport::Cookie {
                response.headers_mut().insert(SET_COOKIE, set_cookie::cleared(&settings.cookie));
            }
            response
        }
        Err(error) => error_response(validator.service(), &error),
    }
}

/// Returns the token of a request and its transport.
///
/// # Errors
/// The response, if there is no valid token.
async fn authenticate(
    validator: &Validator,
    settings: &ValidationSettings,
    headers: &HeaderMap,
    access: Access,
    request: &AuditedRequest,
) -> Result<(Token, Transport), Response<Body>> {
    let (token_string, via) = match extract(headers, &settings.cookie.name) {
        Credentials::Token(token_string, via) => (token_string, via),
        Credentials::Ambiguous(_) => return Err(Refusal::InvalidToken.response()),
        Credentials::Absent => return Err(Refusal::NoToken.response()),
    };
    let id_of = |judgement: Result<Judgement<'_>, StoreError>| match judgement {
        Ok(Judgement::Valid(record, _)) => Ok(record.id),
        Ok(Judgement::Pending) => Err(Box::new(ForbiddenReason::SecondFactor.response())),
        Ok(Judgement::Refused) => Err(Box::new(Refusal::InvalidToken.response())),
        Err(error) => Err(Box::new(error_response(validator.service(), &error.into()))),
    };
    let id = validator
        .judgement(token_string, FormSet::ALL, via, access, request, id_of)
        .await
        .map_err(|refusal| *refusal)?;
    match validator.service().token(id).await {
        Ok(token) => Ok((token, via)),
        Err(error) => Err(error_response(validator.service(), &error)),
    }
}

fn error_response(service: &Service, error: &ServiceError) -> Response<Body> {
    match error {
        ServiceError::Store(error) => {
            service.report(error, None);
            unavailable()
        }
        // The token was revoked or has expired since it was judged.
        _ => Refusal::InvalidToken.response(),
    }
}
