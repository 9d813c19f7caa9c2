//! From a request to its response: route, authorize, call the handler.

use std::sync::Arc;

use hyper::body::Incoming;
use hyper::{Request, Response, StatusCode};

use super::call::{AdminCall, Answer};
use super::input::Input;
use super::oauth::call::OAuthCall;
use super::plane::AdminPlane;
use super::route::{Handler, OAuthHandle};
use super::routes::find;
use crate::model::event::Actor;
use crate::server::request::client::DirectClient;
use crate::server::request::origin::RequestOrigin;
use crate::server::transport::body::Body;
use crate::server::transport::reply::Reply;
use crate::values::Scope;

/// Answers a request.
pub fn respond(admin: Arc<AdminPlane>, request: Request<Incoming>, client: DirectClient) -> Reply {
    let address = RequestOrigin::of(&request, client).client_address(&admin.settings.trusted_proxies);
    Reply::later(async move {
        let response = call(&admin, request).await.unwrap_or_else(|problem| {
            problem.cause().inspect(|error| admin.service.report(error));
            problem.response()
        });
        if response.status() == StatusCode::UNAUTHORIZED {
            admin.unauthorized.add(address);
        }
        response
    })
}

/// Calls the handler of a request. An unknown path is refused before a wrong method, both before credentials, and bad
/// credentials before the body is read.
async fn call(admin: &AdminPlane, request: Request<Incoming>) -> Answer {
    let (handler, params) = find(request.method(), request.uri().path())?;
    match handler {
        Handler::Public(handle) => Ok(handle(admin)),
        Handler::ApiKey(scopes, handle) => {
            let key = admin.api_keys.authorize(request.headers(), scopes)?;
            let input = Input::new(request, admin.request_timeout);
            handle(AdminCall { admin, key: &key, actor: Actor::ApiKey(key.name()), params, input }).await
        }
        Handler::OAuth(scopes, handle) => Ok(oauth_call(admin, request, scopes, *handle).await),
    }
}

async fn oauth_call(
    admin: &AdminPlane,
    request: Request<Incoming>,
    scopes: &'static [Scope],
    handle: OAuthHandle,
) -> Response<Body> {
    let answer = match OAuthCall::read(admin, request, scopes).await {
        Ok(call) => handle(call).await,
        Err(error) => Err(error),
    };
    answer.unwrap_or_else(|error| {
        error.cause().inspect(|cause| admin.service.report(cause));
        error.response()
    })
}
