//! A site on axum that validates in process: a login, a page for everybody, a page for users, a page with a route check,
//! and a logout.
//!
//! ```text
//! cargo run --example axum_in_process
//! curl -i -d alice http://127.0.0.1:3000/login
//! ```
//!
//! The settings are environment variables: `DOORWARD_REDIS_URL=redis://127.0.0.1` shares the tokens with servers and other
//! nodes.

use std::error::Error;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::extract::{ConnectInfo, FromRequestParts, State};
use axum::http::header::{RETRY_AFTER, SET_COOKIE, WWW_AUTHENTICATE};
use axum::http::request::Parts;
use axum::http::{HeaderName, StatusCode};
use axum::response::{AppendHeaders, IntoResponse, Response};
use axum::routing::{get, post};
use doorward::check::{Admission, IncomingRequest, RequestCheck, RequestDecision};
use doorward::settings::RouteCheck;
use doorward::{
    Actor, Config, Identity, NewToken, Node, RevokeReason, Service, ServiceError, TokenChange, Validator,
    load_node,
};
use tokio::net::TcpListener;

static X_AUTH_REASON: HeaderName = HeaderName::from_static("x-auth-reason");

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:3000").await?;
    let config = settings(load_node(std::env::vars_os())?);
    let stop = async { drop(tokio::signal::ctrl_c().await) };
    serve(listener, &config, stop).await
}

/// Adds what this site always wants. `/settings` takes only logins of the last five minutes.
pub fn settings(mut config: Config) -> Config {
    config.cookie_csrf_check = true;
    config.checks.push(RouteCheck { max_age_ms: Some(5 * 60_000), ..RouteCheck::named("settings") });
    config
}

/// Serves until `stop`, then writes the last accesses.
pub async fn serve(
    listener: TcpListener,
    config: &Config,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<(), Box<dyn Error>> {
    let node = Node::start(config).await?;
    let validator = node.validator().await;
    let site = Site { service: node.service().clone(), validator, check: RequestCheck::new(config) };
    let router = Router::new()
        .route("/", get(home))
        .route("/account", get(account))
        .route("/settings", get(change_settings))
        .route("/login", post(log_in))
        .route("/logout", post(log_out))
        .with_state(Arc::new(site));
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    // Ends when all connections have ended. The validator is dropped with the router.
    axum::serve(listener, service).with_graceful_shutdown(stop).await?;
    node.stop().await;
    Ok(())
}

struct Site {
    service: Arc<Service>,
    /// One per runtime.
    validator: Validator,
    check: RequestCheck,
}

impl Site {
    async fn decide(&self, parts: &Parts, admission: Admission) -> RequestDecision {
        let request = IncomingRequest::of_parts(parts, address(parts));
        self.check.decide(&self.validator, admission, &request).await
    }
}

fn address(parts: &Parts) -> Option<IpAddr> {
    parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|client| client.0.ip())
}

/// The user of a request: other requests do not reach the handler.
struct User(Identity);

impl FromRequestParts<Arc<Site>> for User {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, site: &Arc<Site>) -> Result<Self, Response> {
        match site.decide(parts, Admission::REQUIRED).await {
            RequestDecision::Allowed(identity, _) => Ok(Self(identity)),
            other => Err(refusal(&other)),
        }
    }
}

/// The user of a request, if it has one.
struct Visitor(Option<Identity>);

impl FromRequestParts<Arc<Site>> for Visitor {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, site: &Arc<Site>) -> Result<Self, Response> {
        match site.decide(parts, Admission::OPTIONAL).await {
            RequestDecision::Allowed(identity, _) => Ok(Self(Some(identity))),
            RequestDecision::Anonymous => Ok(Self(None)),
            other => Err(refusal(&other)),
        }
    }
}

/// A user who meets the route check `settings`.
struct RecentUser(Identity);

impl FromRequestParts<Arc<Site>> for RecentUser {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, site: &Arc<Site>) -> Result<Self, Response> {
        let Some(admission) = site.check.route("settings") else {
            return Err(StatusCode::NOT_FOUND.into_response());
        };
        match site.decide(parts, admission).await {
            RequestDecision::Allowed(identity, _) => Ok(Self(identity)),
            other => Err(refusal(&other)),
        }
    }
}

/// The answer to a request that may not pass. A 503 is no logout: the browser keeps its cookie.
fn refusal(decision: &RequestDecision) -> Response {
    let status = decision.status();
    match decision {
        RequestDecision::Refused(refusal) => {
            (status, [(WWW_AUTHENTICATE, refusal.challenge())]).into_response()
        }
        RequestDecision::Forbidden(reason) => {
            (status, [(X_AUTH_REASON.clone(), reason.name())]).into_response()
        }
        RequestDecision::Unavailable => (status, [(RETRY_AFTER, "1")]).into_response(),
        RequestDecision::Allowed(..) | RequestDecision::Anonymous => status.into_response(),
    }
}

async fn home(Visitor(identity): Visitor) -> String {
    identity.map_or("Hello, stranger".into(), |identity| format!("Hello, {}", identity.user()))
}

async fn account(User(identity): User) -> String {
    // During a takeover, the actor is the user who logged in.
    format!("The account of {}, shown to {}", identity.user(), identity.actor())
}

async fn change_settings(RecentUser(identity): RecentUser) -> String {
    format!("The settings of {}", identity.user())
}

/// Logs the named user in. A real site checks a password here.
async fn log_in(
    State(site): State<Arc<Site>>,
    ConnectInfo(client): ConnectInfo<SocketAddr>,
    user: String,
) -> Response {
    match site.service.issue(NewToken::new(user, client.ip()), Actor::Doorward).await {
        Ok(issued) => {
            let cookie = site.check.set_cookie(&site.service, &issued);
            (StatusCode::NO_CONTENT, [(SET_COOKIE, cookie)]).into_response()
        }
        Err(error) => failure(&error),
    }
}

/// Revokes the token. The cookie goes only once the token is revoked.
async fn log_out(State(site): State<Arc<Site>>, User(identity): User) -> Response {
    let change = TokenChange::revoking(RevokeReason::Logout);
    match site.service.change(identity.token_id(), &change, Actor::Holder).await {
        Ok(_) => {
            let cleared: Vec<_> = site.check.clear_cookie().map(|cookie| (SET_COOKIE, cookie)).collect();
            (StatusCode::NO_CONTENT, AppendHeaders(cleared)).into_response()
        }
        Err(error) => failure(&error),
    }
}

fn failure(error: &ServiceError) -> Response {
    match error {
        ServiceError::Invalid { .. } => (StatusCode::BAD_REQUEST, error.to_string()).into_response(),
        _ => (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, "1")]).into_response(),
    }
}
