//! OAuth's view of a token: `/introspect` (RFC 7662) and `/revoke` (RFC 7009). Forms in, OAuth's JSON out.

use hyper::body::Incoming;
use hyper::{Request, Response, StatusCode};
use serde::Serialize;

use super::client::{Form, Presented};
use super::refusal::Refusal;
use crate::model::event::{Actor, RevokeReason};
use crate::model::token::{TokenChange, TokenRef};
use crate::server::admin::body::{BodyLimit, has_type, read_bytes, unsupported};
use crate::server::admin::plane::Admin;
use crate::server::admin::problem::Problem;
use crate::server::admin::routes::Route;
use crate::server::transport::body::Body;
use crate::server::transport::response::{empty, json};
use crate::service::ServiceError;
use crate::store::Rejection;
use crate::validation::Access;

const FORM: &str = "application/x-www-form-urlencoded";

/// POST: authenticates the client, then does what it asks. Without a key in the header, the key may be in the form; of
/// that only a little is read.
///
/// # Errors
/// 415, 413, 408 as everywhere; what OAuth has words for is a response.
pub async fn respond(
    admin: &Admin,
    route: &Route,
    request: Request<Incoming>,
) -> Result<Response<Body>, Problem> {
    let presented = Presented::of(request.headers());
    let by_header = presented.authorize(&admin.api_keys, route.scopes());
    let limit = if by_header.is_ok() { BodyLimit::AUTHENTICATED } else { BodyLimit::UNAUTHENTICATED };
    let access = admin.settings.access(request.headers());
    let has_query = request.uri().query().is_some_and(|query| !query.is_empty());
    let is_form = has_type(&request, &[FORM]);
    let body = match is_form {
        true => read_bytes(request, limit, admin.request_timeout).await,
        false => Ok(Vec::new()),
    };
    let body = match (body, by_header) {
        (Ok(body), _) => body,
        // Whatever is wrong with the body, the key in the header is, too.
        (Err(_), Err(refusal)) if presented != Presented::Absent => return Ok(refused(admin, refusal)),
        (Err(problem), _) => return Err(problem),
    };
    let answer = async {
        let form = Form::parse(&body)?;
        let key = presented.with(&form)?.authorize(&admin.api_keys, route.scopes())?;
        if !is_form {
            return Ok(None);
        }
        if has_query {
            return Err(Refusal::invalid_request("parameters belong into the body"));
        }
        let token = form.token.as_deref().ok_or(Refusal::invalid_request("token is missing"))?;
        match route {
            Route::Revoke => revoke(admin, token, Actor::ApiKey(&key.name)).await.map(Some),
            _ => introspect(admin, token, access).await.map(Some),
        }
    };
    match answer.await {
        Ok(Some(response)) => Ok(response),
        Ok(None) => {
            Err(unsupported("the body must be a form: Content-Type: application/x-www-form-urlencoded"))
        }
        Err(refusal) => Ok(refused(admin, refusal)),
    }
}

fn refused(admin: &Admin, refusal: Refusal) -> Response<Body> {
    refusal.cause().inspect(|error| admin.service.report(error));
    refusal.response()
}

/// What RFC 7662, section 2.2, says of a token that is valid now.
#[derive(Serialize)]
struct Introspection<'a> {
    active: bool,
    /// As whom the token acts.
    sub: &'a str,
    /// In seconds since the Unix epoch, as the next one.
    iat: u64,
    /// When a client that keeps the answer must ask again: a takeover ends before its token may.
    exp: u64,
    jti: String,
    token_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    act: Option<ActingParty<'a>>,
}

/// Who acts as another in a takeover (RFC 8693, section 4.1).
#[derive(Serialize)]
struct ActingParty<'a> {
    sub: &'a str,
}

impl<'a> Introspection<'a> {
    fn of(token: TokenRef<'a>, now_ms: u64) -> Self {
        let record = token.record;
        Self {
            active: true,
            sub: record.effective_user(now_ms),
            iat: token.details.created_at_ms / 1000,
            exp: record.identity_ends_at_ms(now_ms) / 1000,
            jti: record.id.to_string(),
            token_type: "Bearer",
            act: record.active_takeover(now_ms).map(|_| ActingParty { sub: record.user() }),
        }
    }
}

/// Like a batch of one: the client is a trusted resource server, so `allowed_cookie` and `allowed_header` are not
/// asked, and it counts as an access.
async fn introspect(admin: &Admin, token: &str, access: Access) -> Result<Response<Body>, Refusal> {
    #[derive(Serialize)]
    struct Inactive {
        active: bool,
    }
    let now_ms = admin.service.clock().now_ms();
    let mut response = json(StatusCode::OK, &Inactive { active: false });
    let show = |_, token: Option<TokenRef<'_>>| {
        if let Some(token) = token {
            response = json(StatusCode::OK, &Introspection::of(token, now_ms));
        }
    };
    admin.validator.show_batch(&[token], access, show).await?;
    Ok(response)
}

/// Ends the token that the string opens. Whether there was one is nobody's business (RFC 7009, section 2.2).
async fn revoke(admin: &Admin, token: &str, actor: Actor<'_>) -> Result<Response<Body>, Refusal> {
    if let Some(id) = admin.validator.opened(token.as_bytes()).await? {
        let ending = TokenChange::revoking(RevokeReason::Revoked);
        match admin.service.change(id, &ending, actor).await {
            Ok(_) | Err(ServiceError::Rejected(Rejection::NotFound)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(empty(StatusCode::OK))
}
