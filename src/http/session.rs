//! `/session` and `/logout`: what a token's holder does with it.

use hyper::header::{HeaderMap, SET_COOKIE};
use hyper::{Response, StatusCode};
use serde_json::json;

use super::auth::Refusal;
use super::presented::{Presented, presented};
use super::received::Received;
use super::token_json::TokenJson;
use super::validation::{Settings, report};
use super::{Body, cookie, empty, json, unavailable};
use crate::service::ServiceError;
use crate::token::{Token, TokenChange, Transport};
use crate::validator::{Access, Validator};

/// `GET /session`: the holder's own token.
pub async fn session(validator: &Validator, settings: &Settings, headers: &HeaderMap) -> Response<Body> {
    match holder(validator, settings, headers, settings.access(headers)).await {
        Ok((token, _)) => json(StatusCode::OK, &TokenJson::of(&token)),
        Err(response) => response,
    }
}

/// `POST /logout`: ends the token that the request carries.
pub async fn logout(
    validator: &Validator,
    settings: &Settings,
    received: Received<'_, HeaderMap>,
) -> Response<Body> {
    let (token, via) = match holder(validator, settings, received.headers, Access::Exempt).await {
        Ok(holder) => holder,
        Err(response) => return response,
    };
    if via == Transport::Cookie && !settings.is_same_site(&received) {
        return empty(StatusCode::FORBIDDEN);
    }
    match validator.service().change(token.credential.id, &TokenChange::ending()).await {
        Ok(_) => {
            let mut response = json(StatusCode::OK, &json!({"ended": "token"}));
            if via == Transport::Cookie {
                response.headers_mut().insert(SET_COOKIE, cookie::cleared(&settings.cookie));
            }
            response
        }
        Err(error) => refused(&error),
    }
}

/// The token of a request and what carried it, or the response that there is none.
async fn holder(
    validator: &Validator,
    settings: &Settings,
    headers: &HeaderMap,
    access: Access,
) -> Result<(Token, Transport), Response<Body>> {
    let (wire, via) = match presented(headers, &settings.cookie.name) {
        Presented::Token(wire, via) => (wire, via),
        Presented::Ambiguous => return Err(Refusal::InvalidToken.response()),
        Presented::Absent => return Err(Refusal::NoToken.response()),
    };
    let credential = match validator.validate(wire, via, access).await {
        Ok(Some(credential)) => credential,
        Ok(None) => return Err(Refusal::InvalidToken.response()),
        Err(error) => return Err(refused(&error.into())),
    };
    match validator.service().token(credential.id).await {
        Ok(token) => Ok((token, via)),
        Err(error) => Err(refused(&error)),
    }
}

fn refused(error: &ServiceError) -> Response<Body> {
    match error {
        // It ended between two steps of this request.
        ServiceError::NotFound | ServiceError::Ended => Refusal::InvalidToken.response(),
        ServiceError::Store(error) => {
            report(error);
            unavailable()
        }
    }
}
