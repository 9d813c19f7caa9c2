//! `/v1/tokens`, `/v1/tokens/{id}`, `/v1/tokens/{id}/rotate` and `/v1/tokens/{id}/confirm`.

use std::net::Ipv4Addr;

use hyper::header::{HeaderValue, LOCATION};
use hyper::{Response, StatusCode};

use super::related::related_object;
use crate::logging::audit::{Action, AuditEntry};
use crate::model::field_rules as rules;
use crate::model::revoke_reason::RevokeReason;
use crate::model::token::{Token, TokenChange};
use crate::request::set_cookie as cookie;
use crate::server::admin::call::{AdminCall, Answer};
use crate::server::admin::idempotency;
use crate::server::admin::input::{Fields, boolean, integer, parsed, text, user_agent};
use crate::server::json::token::TokenJson;
use crate::server::transport::body::Body;
use crate::server::transport::response::{empty, json};
use crate::service::{Issued, NewToken, Service};
use crate::values::Cookie;

/// Issues a token: 201 with the token string, which is shown only here.
pub async fn issue(call: AdminCall<'_>, entry: &mut AuditEntry) -> Answer {
    let (service, cookie) = (call.service(), &call.admin.settings.cookie);
    let once = idempotency::request_name(&call)?;
    let body = call.input.json_bytes().await?;
    let mut fields = Fields::of_json(&body)?;
    let user = fields.required("user", text(rules::user));
    let (new, is_for_cookie) = new_token(&mut fields, user);
    let new = fields.finish_with(new)?;
    tell_login(entry, &new);
    entry.user = Some(new.user.clone());
    idempotency::claim(service, once, &body).await?;
    let issued = service.issue_once(new, once, call.actor).await?;
    tell_issued(entry, &issued);
    Ok(issued_response(service, cookie, &issued, is_for_cookie))
}

/// Shows a token.
pub async fn show(call: AdminCall<'_>) -> Answer {
    call.input.no_query()?;
    let token = call.service().token(call.params.id()?).await?;
    Ok(without_secret(call.service(), &token))
}

/// Changes a token: 200, the token.
pub async fn change(call: AdminCall<'_>, entry: &mut AuditEntry) -> Answer {
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
        idle_ms: age_ms(&mut fields, "idle_seconds"),
        lifetime_ms: age_ms(&mut fields, "lifetime_seconds"),
        revoke: (is_active == Some(false)).then_some(RevokeReason::Ended),
        ..TokenChange::default()
    };
    fields.finish()?;
    let given = [
        ("auth_slug", change.auth_slug.is_some()),
        ("scopes", change.scopes.is_some()),
        ("allowed_cookie", change.allowed_cookie.is_some()),
        ("allowed_header", change.allowed_header.is_some()),
        ("idle_seconds", change.idle_ms.is_some()),
        ("lifetime_seconds", change.lifetime_ms.is_some()),
        ("is_active", change.revoke.is_some()),
    ];
    entry.fields = given.into_iter().filter(|(_, is_given)| *is_given).map(|(name, _)| name).collect();
    if change.revoke.is_some() {
        entry.action = Action::TokenRevoke;
    }
    let token = service.change(id, &change, call.actor).await?;
    entry.user = Some(token.record.user().to_owned());
    Ok(without_secret(service, &token))
}

/// Revokes a token: 204, also if it was revoked before.
pub async fn revoke(call: AdminCall<'_>, entry: &mut AuditEntry) -> Answer {
    call.input.no_query()?;
    let change = TokenChange::revoking(RevokeReason::Ended);
    let token = call.service().change(call.params.id()?, &change, call.actor).await?;
    entry.user = Some(token.record.user().to_owned());
    Ok(empty(StatusCode::NO_CONTENT))
}

/// Gives a token a new secret: 200 with the token string, which is shown only here.
pub async fn rotate(call: AdminCall<'_>, entry: &mut AuditEntry) -> Answer {
    let (service, id) = (call.service(), call.params.id()?);
    let once = idempotency::request_name(&call)?;
    let body = call.input.optional_json_bytes().await?;
    let mut fields = Fields::of_json(&body)?;
    let is_for_cookie = wants_cookie(&mut fields);
    // Read first, because a refused request changes nothing.
    if is_for_cookie && !service.token(id).await?.record.allowed_cookie {
        refuse_cookie(&mut fields);
    }
    fields.finish()?;
    idempotency::claim(service, once, &body).await?;
    let issued = service.rotate_once(id, once, call.actor).await?;
    tell_issued(entry, &issued);
    Ok(with_secret(StatusCode::OK, service, &call.admin.settings.cookie, &issued, is_for_cookie))
}

/// Records that the second factor was shown: 200, the token.
pub async fn confirm(call: AdminCall<'_>, entry: &mut AuditEntry) -> Answer {
    call.input.no_query()?;
    let token = call.service().confirm(call.params.id()?, call.actor).await?;
    entry.user = Some(token.record.user().to_owned());
    Ok(without_secret(call.service(), &token))
}

/// Tells the audit log where a login comes from.
pub fn tell_login(entry: &mut AuditEntry, new: &NewToken) {
    entry.ip = Some(new.ip);
    entry.user_agent = Some(rules::user_agent(&new.user_agent)).filter(|user_agent| !user_agent.is_empty());
}

/// Tells the audit log which token has a new secret.
pub fn tell_issued(entry: &mut AuditEntry, issued: &Issued) {
    entry.user = Some(issued.token.record.user().to_owned());
    entry.token = Some(issued.token.record.id);
    entry.evicted.clone_from(&issued.evicted);
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
    Issued { token, token_string, .. }: &Issued,
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
    let rest = NewToken {
        expiration: fields.optional("expiration", boolean).unwrap_or(true),
        is_authenticated: fields.optional("is_authenticated", boolean).unwrap_or(true),
        ..optional_fields(fields)
    };
    let is_for_cookie = wants_cookie(fields);
    if is_for_cookie && !rest.allowed_cookie {
        refuse_cookie(fields);
    }
    (user.zip(ip).map(|(user, ip)| NewToken { user, ip, ..rest }), is_for_cookie)
}

/// Reads the fields that an issue and an import have in common, except the user and the address.
pub fn optional_fields(fields: &mut Fields) -> NewToken {
    NewToken {
        user_agent: fields.optional("user_agent", user_agent).unwrap_or_default(),
        auth_slug: fields.optional("auth_slug", text(rules::auth_slug)),
        backend: fields.optional("backend", text(rules::backend)),
        scopes: fields
            .scopes()
            .iter()
            .flat_map(|scopes| scopes.split_whitespace())
            .map(str::to_owned)
            .collect(),
        allowed_cookie: fields.optional("allowed_cookie", boolean).unwrap_or(true),
        allowed_header: fields.optional("allowed_header", boolean).unwrap_or(true),
        idle_ms: age_ms(fields, "idle_seconds"),
        lifetime_ms: age_ms(fields, "lifetime_seconds"),
        related_objects: fields.objects("related_objects", rules::MAX_RELATED_OBJECTS, related_object),
        ..NewToken::new("", Ipv4Addr::UNSPECIFIED.into())
    }
}

fn age_ms(fields: &mut Fields, name: &str) -> Option<u64> {
    fields.optional(name, integer(1..=rules::MAX_AGE_SECONDS)).map(|seconds| seconds * 1000)
}

fn wants_cookie(fields: &mut Fields) -> bool {
    fields.optional("set_cookie", boolean).unwrap_or(false)
}

fn refuse_cookie(fields: &mut Fields) {
    fields.fail("set_cookie", "must not be true for a token with allowed_cookie = false");
}
