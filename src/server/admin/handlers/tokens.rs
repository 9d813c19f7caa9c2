//! `/v1/tokens`, `/v1/tokens/{id}`, `/v1/tokens/{id}/rotate` and `/v1/tokens/{id}/confirm`.

use std::net::Ipv4Addr;

use hyper::header::{HeaderValue, LOCATION};
use hyper::{Response, StatusCode};

use super::related::related_object;
use crate::model::event::RevokeReason;
use crate::model::field_rules as rules;
use crate::model::token::{Token, TokenChange};
use crate::server::admin::call::{AdminCall, Answer};
use crate::server::admin::input::{Fields, boolean, integer, parsed, text, user_agent};
use crate::server::json::token::TokenJson;
use crate::server::request::set_cookie as cookie;
use crate::server::transport::body::Body;
use crate::server::transport::response::{empty, json};
use crate::service::{Issued, NewToken, Service};
use crate::values::Cookie;

/// Issues a token: 201 with the token string, which is shown only here.
pub async fn issue(call: AdminCall<'_>) -> Answer {
    let (service, cookie) = (call.service(), &call.admin.settings.cookie);
    let mut fields = call.input.json().await?;
    let user = fields.required("user", text(rules::user));
    let (new, is_for_cookie) = new_token(&mut fields, user);
    let new = fields.finish_with(new)?;
    let issued = service.issue(new, call.actor).await?;
    Ok(issued_response(service, cookie, &issued, is_for_cookie))
}

/// Shows a token.
pub async fn show(call: AdminCall<'_>) -> Answer {
    call.input.no_query()?;
    let token = call.service().token(call.params.id()?).await?;
    Ok(without_secret(call.service(), &token))
}

/// Changes a token: 200, the token.
pub async fn change(call: AdminCall<'_>) -> Answer {
    let (service, id) = (call.service(), call.params.id()?);
    let mut fields = call.input.json().await?;
    let is_active = fields.optional("is_active", boolean);
    if is_active == Some(true) {
        fields.fail("is_active", "may only be false, which revokes the token for good");
    }
    let change = TokenChange {
        auth_slug: fields.clearable("auth_slug", text(rules::auth_slug)),
        scopes: fields.scopes().map(|scopes| Some(scopes).filter(|scopes| !scopes.is_empty())),
        allowed_cookie: fields.optional("allowed_cookie", boolean),
        allowed_header: fields.optional("allowed_header", boolean),
        revoke: (is_active == Some(false)).then_some(RevokeReason::Ended),
        ..TokenChange::default()
    };
    fields.finish()?;
    Ok(without_secret(service, &service.change(id, &change, call.actor).await?))
}

/// Revokes a token: 204, also if it was revoked before.
pub async fn revoke(call: AdminCall<'_>) -> Answer {
    call.input.no_query()?;
    let change = TokenChange::revoking(RevokeReason::Ended);
    call.service().change(call.params.id()?, &change, call.actor).await?;
    Ok(empty(StatusCode::NO_CONTENT))
}

/// Gives a token a new secret: 200 with the token string, which is shown only here.
pub async fn rotate(call: AdminCall<'_>) -> Answer {
    let (service, id) = (call.service(), call.params.id()?);
    let mut fields = call.input.optional_json().await?;
    let is_for_cookie = wants_cookie(&mut fields);
    // Read first, because a refused request changes nothing.
    if is_for_cookie && !service.token(id).await?.record.allowed_cookie {
        refuse_cookie(&mut fields);
    }
    fields.finish()?;
    let issued = service.rotate(id, call.actor).await?;
    Ok(with_secret(StatusCode::OK, service, &call.admin.settings.cookie, &issued, is_for_cookie))
}

/// Records that the second factor was shown: 200, the token.
pub async fn confirm(call: AdminCall<'_>) -> Answer {
    call.input.no_query()?;
    let token = call.service().confirm(call.params.id()?, call.actor).await?;
    Ok(without_secret(call.service(), &token))
}

/// Builds the 201 of a token that was just issued.
pub fn issued_response(
    service: &Service,
    cookie: &Cookie,
    issued: &Issued,
    is_for_cookie: bool,
) -> Response<Body> {
    let mut response = with_secret(StatusCode::CREATED, service, cookie, issued, is_for_cookie);
    let location = format!("/v1/tokens/{}", issued.token.record.id);
    response.headers_mut().extend(HeaderValue::from_str(&location).ok().map(|value| (LOCATION, value)));
    response
}

/// Shows a token with its token string, and with the value of `Set-Cookie` if the caller asked for it.
fn with_secret(
    status: StatusCode,
    service: &Service,
    cookie: &Cookie,
    Issued { token, token_string }: &Issued,
    is_for_cookie: bool,
) -> Response<Body> {
    let now_ms = service.clock().now_ms();
    let set_cookie = is_for_cookie.then(|| cookie::set(cookie, token, token_string, now_ms));
    json(status, &TokenJson::with_secret(token, token_string, now_ms).with_cookie(set_cookie))
}

fn without_secret(service: &Service, token: &Token) -> Response<Body> {
    json(StatusCode::OK, &TokenJson::of(token, service.clock().now_ms()))
}

/// Reads the fields that every call takes that issues a token, and whether the answer has the value of `Set-Cookie`.
pub fn new_token(fields: &mut Fields, user: Option<String>) -> (Option<NewToken>, bool) {
    let ip = fields.required("ip", parsed(rules::ip));
    let age_ms = |seconds: u64| seconds * 1000;
    let rest = NewToken {
        user: String::new(),
        ip: Ipv4Addr::UNSPECIFIED.into(),
        user_agent: fields.optional("user_agent", user_agent).unwrap_or_default(),
        auth_slug: fields.optional("auth_slug", text(rules::auth_slug)),
        backend: fields.optional("backend", text(rules::backend)),
        scopes: fields
            .scopes()
            .iter()
            .flat_map(|scopes| scopes.split_whitespace())
            .map(str::to_owned)
            .collect(),
        expiration: fields.optional("expiration", boolean).unwrap_or(true),
        allowed_cookie: fields.optional("allowed_cookie", boolean).unwrap_or(true),
        allowed_header: fields.optional("allowed_header", boolean).unwrap_or(true),
        idle_ms: fields.optional("idle_seconds", integer(1..=rules::MAX_AGE_SECONDS)).map(age_ms),
        lifetime_ms: fields.optional("lifetime_seconds", integer(1..=rules::MAX_AGE_SECONDS)).map(age_ms),
        related_objects: fields.objects("related_objects", rules::MAX_RELATED_OBJECTS, related_object),
        is_authenticated: fields.optional("is_authenticated", boolean).unwrap_or(true),
    };
    let is_for_cookie = wants_cookie(fields);
    if is_for_cookie && !rest.allowed_cookie {
        refuse_cookie(fields);
    }
    (user.zip(ip).map(|(user, ip)| NewToken { user, ip, ..rest }), is_for_cookie)
}

fn wants_cookie(fields: &mut Fields) -> bool {
    fields.optional("set_cookie", boolean).unwrap_or(false)
}

fn refuse_cookie(fields: &mut Fields) {
    fields.fail("set_cookie", "must not be true for a token with allowed_cookie = false");
}
