//! `POST /session/upgrade`: moves a login into the token cookie.
//!
//! 1. A foreign token string: rotates the token. The token cookie gets the native string; for a request with the header,
//!    the answer has it, too.
//! 2. A native token string in a further cookie or in the header: the token cookie gets the same string.
//! 3. The token cookie: nothing changes.
//!
//! A native string is never rotated here: a browser that misses the answer, and another tab, go on with what they have. A
//! foreign string goes on for the rotation grace, within which each further call gives another good native string.

use std::str;

use hyper::StatusCode;
use hyper::header::{HeaderMap, HeaderValue, SET_COOKIE};

use super::holder::{Holder, HolderAnswer, HolderAudit, authenticate, error_response};
use super::logout::clear_other_cookies;
use crate::logging::audit::Action;
use crate::model::event::Actor;
use crate::model::token::{Token, Transport};
use crate::request::credentials::has_token_cookie;
use crate::request::origin::RequestOrigin;
use crate::request::set_cookie;
use crate::request_check::cross_site::is_same_site;
use crate::request_check::refusal::ForbiddenReason;
use crate::request_check::settings::ValidationSettings;
use crate::server::json::token::TokenJson;
use crate::server::transport::response::{empty, json};
use crate::service::{Service, ServiceError};
use crate::store::Rejection;
use crate::token_string::TokenId;
use crate::validation::Validator;

/// Moves the login into the token cookie, unless the token has `allowed_cookie` = false, and answers with the token object.
/// Other pages than the site's own may not call it, with the header either: the answer sets a cookie. Tells `known` the
/// valid token and its user.
pub async fn upgrade(
    validator: &Validator,
    settings: &ValidationSettings,
    origin: RequestOrigin<'_, HeaderMap>,
    known: &mut Option<(TokenId, String)>,
) -> HolderAnswer {
    let holder = authenticate(validator, settings, &origin, settings.access(origin.headers), known).await?;
    if !is_same_site(settings, &origin) {
        return Err(ForbiddenReason::CrossSite.response());
    }
    let service = validator.service();
    let (token, new_string) = native(service, &holder).await.map_err(|error| match error {
        ServiceError::Rejected(Rejection::RotatedTooOften) => empty(StatusCode::CONFLICT),
        error => error_response(service, &error),
    })?;
    let token = token.as_ref().unwrap_or(&holder.token);
    let now_ms = service.clock().now_ms();
    let shown = match &new_string {
        Some(string) if holder.via == Transport::Header => TokenJson::with_secret(token, string, now_ms),
        _ => TokenJson::of(token, now_ms),
    };
    let mut response = json(StatusCode::OK, &shown);
    if token.record.allowed_cookie {
        let is_there = holder.via == Transport::Cookie
            && new_string.is_none()
            && has_token_cookie(origin.headers, &settings.places);
        let string = new_string.as_deref().or_else(|| str::from_utf8(&holder.token_string.bytes).ok());
        if let Some(string) = string.filter(|_| !is_there) {
            let line = set_cookie::set(&settings.cookie, token, string, now_ms);
            response.headers_mut().extend(HeaderValue::from_str(&line).ok().map(|line| (SET_COOKIE, line)));
        }
        clear_other_cookies(settings, origin.headers, &mut response);
    }
    Ok(response)
}

/// Rotates a token whose holder has a foreign string. Returns the token and its new string, or nothing for a native one.
async fn native(
    service: &Service,
    holder: &Holder<'_>,
) -> Result<(Option<Token>, Option<String>), ServiceError> {
    if holder.token_string.is_native() {
        return Ok((None, None));
    }
    let audit = HolderAudit::begin(Action::TokenRotate, &holder.token, &holder.request);
    let rotated = service.rotate(holder.token.record.id, Actor::Holder).await;
    audit.conclude(&rotated);
    rotated.map(|issued| (Some(issued.token), Some(issued.token_string)))
}
