//! The admin plane of a node.

use super::{api_keys, devices, related, status, takeovers, tokens, users, validate};
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};

use super::body::{read_json, read_json_text, read_optional_json};
use super::feed::FeedReaders;
use super::fields::Fields;
use super::problem::Problem;
use super::refusals::Refusals;
use super::routes::Route;
use crate::model::event::Actor;
use crate::model::token::record::RelatedObject;
use crate::node::metrics;
use crate::node::metrics::Metrics;
use crate::node::readiness::Readiness;
use crate::server::auth::settings::ValidationSettings;
use crate::server::request::client::DirectClient;
use crate::server::request::origin::RequestOrigin;
use crate::server::transport::body::Body;
use crate::server::transport::reply::Reply;
use crate::server::transport::response::{empty, with_body};
use crate::service::Service;
use crate::validation::Validator;
use crate::values::ApiKey;

/// All calls of both planes (OpenAPI 3.1); the tests compare it with the routes and with real answers.
pub const OPENAPI: &str = include_str!("../../../docs/openapi.json");

fn openapi() -> Response<Body> {
    let mut response = with_body(StatusCode::OK, OPENAPI);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// The admin plane of a node.
pub struct Admin {
    /// The use cases.
    pub service: Arc<Service>,
    /// Judges the tokens of a batch; of the runtime that the admin plane is on.
    pub validator: Validator,
    /// What the validation plane goes by, and so a batch.
    pub settings: ValidationSettings,
    /// Who may use them.
    pub api_keys: Vec<ApiKey>,
    /// Requests without good credentials.
    pub refusals: Refusals,
    /// For `/v1/events`.
    pub feed: FeedReaders,
    /// For `/metrics`.
    pub metrics: Arc<Metrics>,
    /// For `/readyz`.
    pub readiness: Readiness,
    /// A request's body must have arrived after this.
    pub request_timeout: Duration,
}

impl Admin {
    /// Answers a request.
    pub fn respond(self: &Arc<Self>, request: Request<Incoming>, client: DirectClient) -> Reply {
        let admin = self.clone();
        let address = RequestOrigin::of(&request, client).client_address(&self.settings.trusted_proxies);
        Reply::later(async move {
            let response = admin.route(request).await.unwrap_or_else(|problem| {
                problem.cause().inspect(|error| admin.service.report(error));
                problem.response()
            });
            if response.status() == StatusCode::UNAUTHORIZED {
                admin.refusals.add(address);
            }
            response
        })
    }

    async fn route(&self, request: Request<Incoming>) -> Result<Response<Body>, Problem> {
        let route = Route::find(request.uri().path()).ok_or_else(Problem::not_found)?;
        if !route.takes(request.method()) {
            return Err(Problem::method_not_allowed(route.methods()));
        }
        if let Route::Introspect | Route::Revoke = route {
            return crate::server::admin::oauth::endpoints::respond(self, &route, request).await;
        }
        let actor = match route.scopes() {
            [] => Actor::Doorward,
            scopes => Actor::ApiKey(&api_keys::authorize(&self.api_keys, request.headers(), scopes)?.name),
        };
        let query = Fields::of_query(request.uri().query());
        let service = &*self.service;
        match route {
            Route::Livez => Ok(empty(StatusCode::OK)),
            Route::Readyz => Ok(self.readiness.response()),
            Route::Metrics => Ok(self.metrics_text()),
            Route::Status => {
                query.finish()?;
                Ok(status::response(&self.readiness, service.store().name()))
            }
            Route::OpenApi => Ok(openapi()),
            Route::UserTokens(user) if request.method() == Method::DELETE => {
                users::end_tokens(service, &user, query, actor).await
            }
            Route::UserTokens(user) => users::list_tokens(service, &user, query).await,
            Route::UserTakeovers(user) => users::list_takeovers(service, &user, query).await,
            Route::UserEvents(user) => users::list_events(service, &user, query).await,
            Route::UserDevices(user) if request.method() != Method::POST => {
                devices::list(service, &user, query).await
            }
            Route::Device(user, uuid) if request.method() == Method::DELETE => {
                devices::remove(service, &user, &uuid, query, actor).await
            }
            Route::Device(user, uuid) if request.method() != Method::PATCH => {
                devices::show(service, &user, &uuid, query).await
            }
            Route::RelatedTo(id, content_type, object_id) => {
                related::unrelate_from(service, id, RelatedObject { content_type, object_id }, query, actor)
                    .await
            }
            Route::ObjectTokens(content_type, object_id) => {
                let object = RelatedObject { content_type, object_id };
                match *request.method() {
                    Method::DELETE => related::end_tokens(service, object, query, actor).await,
                    _ => related::list_tokens(service, object, query).await,
                }
            }
            Route::TokenTakeovers(id) => takeovers::list(service, id, query).await,
            without_query => {
                query.finish()?;
                self.call(without_query, request, actor).await
            }
        }
    }

    /// The calls that take no query.
    async fn call(
        &self,
        route: Route,
        request: Request<Incoming>,
        actor: Actor<'_>,
    ) -> Result<Response<Body>, Problem> {
        let service = &*self.service;
        let method = request.method().clone();
        match route {
            Route::Tokens => {
                tokens::issue(service, &self.settings.cookie, self.json(request).await?, actor).await
            }
            Route::Token(id) if method == Method::PATCH => {
                tokens::change(service, id, self.json(request).await?, actor).await
            }
            Route::Token(id) if method == Method::DELETE => tokens::end(service, id, actor).await,
            Route::Token(id) => tokens::show(service, id).await,
            Route::Rotate(id) => {
                let fields = read_optional_json(request, self.request_timeout).await?;
                tokens::rotate(service, &self.settings.cookie, id, fields, actor).await
            }
            Route::Confirm(id) => tokens::confirm(service, id, actor).await,
            Route::Related(id) if method == Method::DELETE => {
                related::unrelate(service, id, self.json(request).await?, actor).await
            }
            Route::Related(id) => related::relate(service, id, self.json(request).await?, actor).await,
            Route::Takeover(id) if method == Method::DELETE => takeovers::end(service, id, actor).await,
            Route::Takeover(id) => takeovers::start(service, id, self.json(request).await?, actor).await,
            Route::Events => self.feed.response(self.service.clone(), request.headers()),
            Route::UserDevices(user) => devices::make(service, user, self.json(request).await?, actor).await,
            Route::Device(user, uuid) => {
                devices::change(service, &user, &uuid, self.json(request).await?, actor).await
            }
            Route::DeviceLogin => {
                devices::log_in(service, &self.settings.cookie, self.json(request).await?, actor).await
            }
            Route::Validate => {
                let access = self.settings.access(request.headers());
                let body = read_json_text(request, self.request_timeout).await?;
                validate::validate(&self.validator, access, body).await
            }
            // `route` has answered these. They are listed so that a new route does not compile until it is answered.
            Route::Livez
            | Route::Readyz
            | Route::Metrics
            | Route::Status
            | Route::OpenApi
            | Route::Introspect
            | Route::Revoke
            | Route::TokenTakeovers(_)
            | Route::RelatedTo(..)
            | Route::ObjectTokens(..)
            | Route::UserTokens(_)
            | Route::UserTakeovers(_)
            | Route::UserEvents(_) => Err(Problem::not_found()),
        }
    }

    async fn json(&self, request: Request<Incoming>) -> Result<Fields, Problem> {
        read_json(request, self.request_timeout).await
    }

    fn metrics_text(&self) -> Response<Body> {
        let mut response = with_body(StatusCode::OK, self.metrics.text());
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(metrics::CONTENT_TYPE));
        response
    }
}
