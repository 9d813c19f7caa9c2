//! From a request to its response: route, authorize, call the handler.

use std::sync::Arc;

use hyper::body::Incoming;
use hyper::{HeaderMap, Request, Response};

use super::api_keys::KnownKey;
use super::call::{AdminCall, Answer};
use super::console;
use super::context::CallContext;
use super::oauth::call::{OAuthAnswer, OAuthCall};
use super::observation::Observation;
use super::plane::AdminPlane;
use super::problem::{Problem, ProblemKind};
use super::route::Handler;
use super::routes::{find, pattern};
use crate::logging::audit::AuditEntry;
use crate::request::origin::{DirectClient, RequestOrigin};
use crate::server::request::span::later_within;
use crate::server::transport::body::Body;
use crate::server::transport::response::Reply;
use crate::store::StoreError;
use crate::values::Scope;

/// Answers a request.
pub fn respond(admin: Arc<AdminPlane>, request: Request<Incoming>, client: DirectClient) -> Reply {
    let mut span = admin.tracer.as_ref().and_then(|tracer| {
        let origin = RequestOrigin::of(&request, client);
        tracer.begin(&origin, &admin.settings.places, || pattern(request.uri().path()))
    });
    let mut observation = Observation::begin(&admin, &request, client);
    if let Some(span) = &mut span {
        span.set_request_id(observation.context.request_id.as_str());
    }
    later_within(span, async move {
        let context = &mut observation.context;
        let mut response = call(&admin, request, context).await.unwrap_or_else(|problem| {
            note_refusal(&admin, context, problem.kind(), problem.cause());
            problem.response(&context.request_id)
        });
        observation.finish(&mut response);
        response
    })
}

/// Calls the handler of a request. An unknown path is refused before a wrong method, both before credentials, and bad
/// credentials before the body is read.
async fn call(admin: &AdminPlane, request: Request<Incoming>, context: &mut CallContext) -> Answer {
    let path = request.uri().path();
    if admin.console && console::serve::has(path) {
        context.pattern = Some(console::serve::PATTERN);
        return console::serve::answer(request.method(), path, request.headers());
    }
    let (route, params) = find(request.method(), path)?;
    context.found(route, &params);
    match &route.handler {
        Handler::Public(handle) => Ok(handle(admin)),
        Handler::Read(scopes, handle) => {
            let key = authorize(admin, request.headers(), scopes, context)?;
            handle(AdminCall::new(admin, &key, params, request, context.audited())).await
        }
        Handler::Change(action, scopes, handle) => {
            let key = authorize(admin, request.headers(), scopes, context)?;
            let call = AdminCall::new(admin, &key, params, request, context.audited());
            handle(call, context.entry.get_or_insert(AuditEntry::new(*action))).await
        }
        Handler::OAuthRead(scopes, handle) => {
            let audited = context.audited();
            let answer = match OAuthCall::read(admin, request, scopes, &mut context.key, audited).await {
                Ok(call) => handle(call).await,
                Err(error) => Err(error),
            };
            Ok(oauth_response(admin, context, answer))
        }
        Handler::OAuthChange(action, scopes, handle) => {
            let audited = context.audited();
            let answer = match OAuthCall::read(admin, request, scopes, &mut context.key, audited).await {
                Ok(call) => handle(call, context.entry.get_or_insert(AuditEntry::new(*action))).await,
                Err(error) => Err(error),
            };
            Ok(oauth_response(admin, context, answer))
        }
    }
}

/// Returns the API key of a call, and notes its name in `context`.
///
/// # Errors
/// 401 without a valid key, 403 for a key that lacks a scope.
fn authorize(
    admin: &AdminPlane,
    headers: &HeaderMap,
    scopes: &[Scope],
    context: &mut CallContext,
) -> Result<Arc<KnownKey>, Problem> {
    let key = admin.api_keys.authenticate(headers)?;
    context.key = Some(key.name().to_owned());
    key.demand_all(scopes)?;
    Ok(key)
}

fn oauth_response(admin: &AdminPlane, context: &mut CallContext, answer: OAuthAnswer) -> Response<Body> {
    answer.unwrap_or_else(|error| {
        note_refusal(admin, context, error.kind(), error.cause());
        error.response(&context.request_id)
    })
}

/// Notes in `context` why the call is refused, and logs it if the store is the cause.
fn note_refusal(
    admin: &AdminPlane,
    context: &mut CallContext,
    kind: ProblemKind,
    cause: Option<&StoreError>,
) {
    context.refusal = Some(kind);
    cause.inspect(|error| admin.service.report(error, Some(context.request_id.as_str())));
}
