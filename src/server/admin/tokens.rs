//! `/v1/tokens`, `/v1/tokens/{id}`, `…/rotate`, `…/confirm`.

use hyper::header::{HeaderValue, LOCATION};
use hyper::{Response, StatusCode};

use super::fields::{Fields, boolean, integer, parsed, text, user_agent};
use super::problem::Problem;
use super::related::related_object;
use crate::model::event::{Actor, RevokeReason};
use crate::model::field_rules as rules;
use crate::model::token::{Token, TokenChange};
use crate::server::json::token::TokenJson;
use crate::server::request::set_cookie as cookie;
use crate::server::transport::body::Body;
use crate::server::transport::response::{empty, json};
use crate::service::{Issued, NewToken, Service};
use crate::token_string::TokenId;
use crate::values::Cookie;

/// POST: issues a token; 201 with its secret, this once.
pub async fn issue(
    service: &Service,
    cookie: &Cookie,
    mut fields: Fields,
    actor: Actor<'_>,
) -> Result<Response<Body>, Problem> {
    let user = fields.required("user", text(rules::user));
    let (new, is_for_cookie) = new_token(&mut fields, user);
    fields.finish()?;
    // Without errors every required field was there.
    let issued = service.issue(new.ok_or_else(Problem::not_found)?, actor).await?;
    Ok(issued_response(service, cookie, &issued, is_for_cookie))
}

/// 201: a token just issued, with its secret, and with the value of the header that gives it to a browser where that
/// is asked for.
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

/// Reads what every call that issues a token takes, and whether the answer is for a browser's cookie.
pub fn new_token(fields: &mut Fields, user: Option<String>) -> (Option<NewToken>, bool) {
    let ip = fields.required("ip", parsed(rules::ip));
    let age_ms = |seconds: u64| seconds * 1000;
    let rest = NewToken {
        user: String::new(),
        ip: std::net::Ipv4Addr::UNSPECIFIED.into(),
        user_agent: fields.optional("user_agent", user_agent).unwrap_or_default(),
        auth_slug: fields.optional("auth_slug", text(rules::auth_slug)),
        backend: fields.optional("backend", text(rules::backend)),
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

/// Whether the answer is to have the value that gives a browser the token.
fn wants_cookie(fields: &mut Fields) -> bool {
    fields.optional("set_cookie", boolean).unwrap_or(false)
}

fn refuse_cookie(fields: &mut Fields) {
    fields.fail("set_cookie", "must not be true for a token that no cookie may carry");
}

/// GET: the token.
pub async fn show(service: &Service, id: TokenId) -> Result<Response<Body>, Problem> {
    Ok(without_secret(service, &service.token(id).await?))
}

/// PATCH: changes it; 200, the token.
pub async fn change(
    service: &Service,
    id: TokenId,
    mut fields: Fields,
    actor: Actor<'_>,
) -> Result<Response<Body>, Problem> {
    let is_active = fields.optional("is_active", boolean);
    if is_active == Some(true) {
        fields.fail("is_active", "may only be false: a token is ended by it, and none is revived");
    }
    let change = TokenChange {
        auth_slug: fields.clearable("auth_slug", text(rules::auth_slug)),
        allowed_cookie: fields.optional("allowed_cookie", boolean),
        allowed_header: fields.optional("allowed_header", boolean),
        revoke: (is_active == Some(false)).then_some(RevokeReason::Ended),
        ..TokenChange::default()
    };
    fields.finish()?;
    Ok(without_secret(service, &service.change(id, &change, actor).await?))
}

/// DELETE: ends it; 204, also when it had ended before.
pub async fn end(service: &Service, id: TokenId, actor: Actor<'_>) -> Result<Response<Body>, Problem> {
    service.change(id, &TokenChange::revoking(RevokeReason::Ended), actor).await?;
    Ok(empty(StatusCode::NO_CONTENT))
}

/// POST: a new secret; 200 with it, this once, and where asked for with the header's value that gives it to a browser.
pub async fn rotate(
    service: &Service,
    cookie: &Cookie,
    id: TokenId,
    mut fields: Fields,
    actor: Actor<'_>,
) -> Result<Response<Body>, Problem> {
    let is_for_cookie = wants_cookie(&mut fields);
    // Looked at before: a refused request changes nothing.
    if is_for_cookie && !service.token(id).await?.record.allowed_cookie {
        refuse_cookie(&mut fields);
    }
    fields.finish()?;
    let issued = service.rotate(id, actor).await?;
    Ok(with_secret(StatusCode::OK, service, cookie, &issued, is_for_cookie))
}

/// POST: the second factor was shown; 200, the token.
pub async fn confirm(service: &Service, id: TokenId, actor: Actor<'_>) -> Result<Response<Body>, Problem> {
    Ok(without_secret(service, &service.confirm(id, actor).await?))
}
