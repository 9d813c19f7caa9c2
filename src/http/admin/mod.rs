//! The admin plane: JSON in, JSON out, an API key for everything but the probes.
//!
//! | path | methods | scope |
//! |---|---|---|
//! | `/v1/tokens` | POST | tokens |
//! | `/v1/tokens/{id}` | GET, PATCH, DELETE | tokens |
//! | `/v1/users/{user}/tokens` | GET, DELETE | tokens |
//! | `/v1/validate` | POST | introspect |
//! | `/metrics` | GET | metrics |
//! | `/livez`, `/readyz` | GET | none |

mod api_keys;
mod body;
mod tokens;
mod users;
mod validate;

use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use percent_encoding::percent_decode_str;

use self::body::read_json;
use super::connection::Reply;
use super::fields::Fields;
use super::problem::Problem;
use super::validation::Settings;
use super::{Body, empty, with_body};
use crate::config::{ApiKey, Scope};
use crate::metrics::{self, Metrics};
use crate::readiness::Readiness;
use crate::secret::TokenId;
use crate::service::Service;
use crate::validator::Validator;

/// The admin plane of a node.
pub struct Admin {
    /// The use cases.
    pub service: Arc<Service>,
    /// Judges the tokens of a batch; of the runtime that the admin plane is on.
    pub validator: Validator,
    /// What the validation plane goes by, and so a batch.
    pub settings: Settings,
    /// Who may use them.
    pub api_keys: Vec<ApiKey>,
    /// For `/metrics`.
    pub metrics: Arc<Metrics>,
    /// For `/readyz`.
    pub readiness: Readiness,
    /// A request's body must have arrived after this.
    pub request_timeout: Duration,
}

/// What a path names.
#[derive(Debug, PartialEq, Eq)]
enum Route {
    Livez,
    Readyz,
    Metrics,
    Tokens,
    Token(TokenId),
    UserTokens(String),
    Validate,
}

impl Route {
    /// `None` when the path names nothing.
    fn find(path: &str) -> Option<Self> {
        let segments: Vec<&str> = path.strip_prefix('/')?.split('/').collect();
        Some(match segments.as_slice() {
            ["livez"] => Self::Livez,
            ["readyz"] => Self::Readyz,
            ["metrics"] => Self::Metrics,
            ["v1", "tokens"] => Self::Tokens,
            ["v1", "tokens", id] => Self::Token(TokenId::parse(id)?),
            ["v1", "validate"] => Self::Validate,
            ["v1", "users", user, "tokens"] => Self::UserTokens(decoded(user)?),
            _ => return None,
        })
    }

    /// As the header `Allow` lists them.
    fn methods(&self) -> &'static str {
        match self {
            Self::Livez | Self::Readyz | Self::Metrics => "GET, HEAD",
            Self::Tokens | Self::Validate => "POST",
            Self::Token(_) => "GET, HEAD, PATCH, DELETE",
            Self::UserTokens(_) => "GET, HEAD, DELETE",
        }
    }

    fn scope(&self) -> Option<Scope> {
        match self {
            Self::Livez | Self::Readyz => None,
            Self::Metrics => Some(Scope::Metrics),
            Self::Validate => Some(Scope::Introspect),
            Self::Tokens | Self::Token(_) | Self::UserTokens(_) => Some(Scope::Tokens),
        }
    }
}

/// A path segment's text; a slash in it is escaped, so segments are split before they are decoded.
fn decoded(segment: &str) -> Option<String> {
    percent_decode_str(segment).decode_utf8().ok().map(String::from)
}

impl Admin {
    /// Answers a request.
    pub fn respond(self: &Arc<Self>, request: Request<Incoming>) -> Reply {
        let admin = self.clone();
        Reply::later(async move { admin.route(request).await.unwrap_or_else(Problem::response) })
    }

    async fn route(&self, request: Request<Incoming>) -> Result<Response<Body>, Problem> {
        let route = Route::find(request.uri().path()).ok_or_else(Problem::not_found)?;
        let method = request.method().clone();
        if !route.methods().split(", ").any(|allowed| allowed == method) {
            return Err(Problem::method_not_allowed(route.methods()));
        }
        if let Some(scope) = route.scope() {
            api_keys::authorize(&self.api_keys, request.headers(), scope)?;
        }
        let query = Fields::of_query(request.uri().query());
        let service = &*self.service;
        match (route, method) {
            (Route::Livez, _) => Ok(empty(StatusCode::OK)),
            (Route::Readyz, _) => Ok(self.readiness.response()),
            (Route::Metrics, _) => Ok(self.metrics_text()),
            (Route::Tokens, _) => {
                query.finish()?;
                tokens::issue(service, &self.settings.cookie, self.json(request).await?).await
            }
            (Route::Token(id), Method::PATCH) => {
                query.finish()?;
                tokens::change(service, id, self.json(request).await?).await
            }
            (Route::Token(id), Method::DELETE) => {
                query.finish()?;
                tokens::end(service, id).await
            }
            (Route::Token(id), _) => {
                query.finish()?;
                tokens::show(service, id).await
            }
            (Route::Validate, _) => {
                query.finish()?;
                let access = self.settings.access(request.headers());
                validate::validate(&self.validator, access, self.json(request).await?).await
            }
            (Route::UserTokens(user), Method::DELETE) => users::end_tokens(service, &user, query).await,
            (Route::UserTokens(user), _) => users::list_tokens(service, &user, query).await,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_name_what_they_should() {
        assert_eq!(Route::find("/v1/users/a%2Fb%20%C3%A9/tokens"), Some(Route::UserTokens("a/b é".into())));
        assert!(matches!(Route::find("/v1/tokens/jE1hGDDTZBpo-Upp"), Some(Route::Token(_))));
        for unknown in ["", "/", "/v1", "/v1/tokens/", "/v1/tokens/short", "/v1/users/%ff/tokens", "//livez"]
        {
            assert_eq!(Route::find(unknown), None, "{unknown}");
        }
    }
}
