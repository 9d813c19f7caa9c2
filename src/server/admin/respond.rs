//! From a request to its response: route, authorize, call the handler.

use std::sync::Arc;

use hyper::body::Incoming;
use hyper::{Request, Response};

use super::api_keys;
use super::call::{AdminCall, Answer};
use super::context::CallContext;
use super::input::Input;
use super::oauth::call::OAuthCall;
use super::observation::Observation;
use super::plane::AdminPlane;
use super::route::{Handler, OAuthHandle};
use super::routes::{find, pattern};
use crate::model::event::Actor;
use crate::server::request::client::DirectClient;
use crate::server::request::origin::RequestOrigin;
use crate::server::request::span::later_within;
use crate::server::transport::body::Body;
use crate::server::transport::reply::Reply;
use crate::values::Scope;

/// Answers a request.
pub fn respond(admin: Arc<AdminPlane>, request: Request<Incoming>, client: DirectClient) -> Reply {
    let span = admin.tracer.as_ref().and_then(|tracer| {
        tracer.begin(&RequestOrigin::of(&request, client), || pattern(request.uri().path()))
    });
    let mut observation = Observation::begin(&admin, &request, client);
    later_within(span, async move {
        let context = &mut observation.context;
        let mut response = call(&admin, request, context).await.unwrap_or_else(|problem| {
            problem.cause().inspect(|error| admin.service.report(error, Some(context.request_id.as_str())));
            problem.response(&context.request_id)
        });
        observation.finish(&mut response);
        response
    })
}

/// Calls the handler of a request. An unknown path is refused before a wrong method, both before credentials, and bad
/// credentials before the body is read.
async fn call(admin: &AdminPlane, request: Request<Incoming>, context: &mut CallContext) -> Answer {
    let (route, params) = find(request.method(), request.uri().path())?;
    context.route = Some(route);
    match &route.handler {
        Handler::Public(handle) => Ok(handle(admin)),
        Handler::ApiKey(scopes, handle) => {
            let key = api_keys::authenticate(&admin.api_keys, request.headers())?;
            context.key = Some(key.name.clone());
            api_keys::demand_one_of(key, scopes)?;
            let input = Input::new(request, admin.request_timeout);
            handle(AdminCall { admin, actor: Actor::ApiKey(&key.name), params, input }).await
        }
        Handler::OAuth(scopes, handle) => Ok(oauth_call(admin, request, context, scopes, *handle).await),
    }
}

async fn oauth_call(
    admin: &AdminPlane,
    request: Request<Incoming>,
    context: &mut CallContext,
    scopes: &'static [Scope],
    handle: OAuthHandle,
) -> Response<Body> {
    let answer = match OAuthCall::read(admin, request, context, scopes).await {
        Ok(call) => handle(call).await,
        Err(error) => Err(error),
    };
    answer.unwrap_or_else(|error| {
        error.cause().inspect(|cause| admin.service.report(cause, Some(context.request_id.as_str())));
        error.response(&context.request_id)
    })
}
