//! `/session` and `/logout`: what a token's holder does with it.

use hyper::header::{HeaderMap, SET_COOKIE};
use hyper::{Response, StatusCode};
use serde_json::json;

use super::refusal::{Objection, Refusal};
use super::settings::Settings;
use crate::model::event::{Actor, RevokeReason};
use crate::model::token::{Token, TokenChange, Transport};
use crate::server::json::token::TokenJson;
use crate::server::request::credentials::{Presented, presented};
use crate::server::request::origin::Received;
use crate::server::request::set_cookie as cookie;
use crate::server::transport::body::Body;
use crate::server::transport::response::{json, unavailable};
use crate::service::{Service, ServiceError};
use crate::store::{Rejection, StoreError};
use crate::validation::{Access, Judgement, Validator};

/// `GET /session`: the holder's own token.
pub async fn session(validator: &Validator, settings: &Settings, headers: &HeaderMap) -> Response<Body> {
    match holder(validator, settings, headers, settings.access(headers)).await {
        Ok((token, _)) => json(StatusCode::OK, &TokenJson::of(&token, validator.service().clock().now_ms())),
        Err(response) => response,
    }
}

/// `POST /logout`: ends the takeover under way, else the token that the request carries. A cookie that is no login is
/// cleared, too: the browser would send it for ever.
pub async fn logout(
    validator: &Validator,
    settings: &Settings,
    received: Received<'_, HeaderMap>,
) -> Response<Body> {
    let carried_by = match presented(received.headers, &settings.cookie.name) {
        Presented::Token(_, via) | Presented::Ambiguous(via) => Some(via),
        Presented::Absent => None,
    };
    let mut response = end_login(validator, settings, &received).await;
    if response.status() == StatusCode::UNAUTHORIZED
        && carried_by == Some(Transport::Cookie)
        && settings.is_same_site(&received)
    {
        for line in cookie::all_cleared(&settings.cookie) {
            response.headers_mut().append(SET_COOKIE, line);
        }
    }
    response
}

async fn end_login(
    validator: &Validator,
    settings: &Settings,
    received: &Received<'_, HeaderMap>,
) -> Response<Body> {
    let (token, via) = match holder(validator, settings, received.headers, Access::Exempt).await {
        Ok(holder) => holder,
        Err(response) => return response,
    };
    if via == Transport::Cookie && !settings.is_same_site(received) {
        return Objection::CrossSite.response();
    }
    let (service, id) = (validator.service(), token.record.id);
    if token.record.takeover.is_some() {
        match service.end_takeover(id, RevokeReason::Logout, Actor::Holder).await {
            Ok(()) => return json(StatusCode::OK, &json!({"ended": "takeover"})),
            // It came to its hard end.
            Err(ServiceError::Rejected(Rejection::NotFound)) => {}
            Err(error) => return refused(validator.service(), &error),
        }
    }
    match service.change(id, &TokenChange::revoking(RevokeReason::Logout), Actor::Holder).await {
        Ok(_) => {
            let mut response = json(StatusCode::OK, &json!({"ended": "token"}));
            if via == Transport::Cookie {
                response.headers_mut().insert(SET_COOKIE, cookie::cleared(&settings.cookie));
            }
            response
        }
        Err(error) => refused(validator.service(), &error),
    }
}

/// The token of a request and what carried it, or the response that there is none.
async fn holder(
    validator: &Validator,
    settings: &Settings,
    headers: &HeaderMap,
    access: Access,
) -> Result<(Token, Transport), Response<Body>> {
    let (token_string, via) = match presented(headers, &settings.cookie.name) {
        Presented::Token(token_string, via) => (token_string, via),
        Presented::Ambiguous(_) => return Err(Refusal::InvalidToken.response()),
        Presented::Absent => return Err(Refusal::NoToken.response()),
    };
    let id_of = |judgement: Result<Judgement<'_>, StoreError>| match judgement {
        Ok(Judgement::Valid(record, _)) => Ok(record.id),
        Ok(Judgement::Pending) => Err(Box::new(Objection::SecondFactor.response())),
        Ok(Judgement::Refused) => Err(Box::new(Refusal::InvalidToken.response())),
        Err(error) => Err(Box::new(refused(validator.service(), &error.into()))),
    };
    let id = validator.judgement(token_string, via, access, id_of).await.map_err(|refusal| *refusal)?;
    match validator.service().token(id).await {
        Ok(token) => Ok((token, via)),
        Err(error) => Err(refused(validator.service(), &error)),
    }
}

fn refused(service: &Service, error: &ServiceError) -> Response<Body> {
    match error {
        ServiceError::Store(error) => {
            service.report(error);
            unavailable()
        }
        // It ended between two steps of this request.
        _ => Refusal::InvalidToken.response(),
    }
}
