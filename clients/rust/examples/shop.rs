//! A shop with a login, a page for its users, and a logout.
//!
//! ```text
//! DOORWARD_KEY=… cargo run --example shop
//! ```

use std::error::Error;
use std::net::{IpAddr, SocketAddr};

use axum::Router;
use axum::extract::{ConnectInfo, Form, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use doorward_client::{
    Admin, AuthLayer, CallError, ClientRequest, Identity, TokenFields, Unavailable, Validator,
};
use serde::Deserialize;

#[derive(Clone)]
struct Shop {
    validator: Validator,
    admin: Admin,
}

#[derive(Deserialize)]
struct Login {
    user: String,
    password: String,
}

async fn log_in(
    State(shop): State<Shop>,
    ConnectInfo(client): ConnectInfo<SocketAddr>,
    Form(login): Form<Login>,
) -> Result<Response, CallError> {
    // Ask your user database here.
    if login.password != "correct horse battery staple" {
        return Ok((StatusCode::FORBIDDEN, "wrong password").into_response());
    }
    let fields = TokenFields { set_cookie: true, ..TokenFields::default() };
    let token = shop.admin.issue(&login.user, client.ip(), &fields).await?;
    Ok((token.set_cookie(), "logged in").into_response())
}

async fn log_out(
    State(shop): State<Shop>,
    method: Method,
    headers: HeaderMap,
) -> Result<impl IntoResponse, Unavailable> {
    let logout = shop.validator.logout(&ClientRequest::new(&method, &headers)).await?;
    Ok((logout.set_cookie, "logged out"))
}

async fn orders(identity: Identity) -> String {
    format!("The orders of {}", identity.user)
}

async fn index(identity: Option<Identity>) -> String {
    identity.map_or("Hello".to_owned(), |identity| format!("Hello {}", identity.user))
}

fn client_ip(parts: &Parts) -> Option<IpAddr> {
    Some(parts.extensions.get::<ConnectInfo<SocketAddr>>()?.ip())
}

/// Builds the application.
pub fn app(validator: Validator, admin: Admin) -> Router {
    let layer = AuthLayer::new(validator.clone()).client_ip(client_ip);
    let protected = Router::new().route("/orders", get(orders)).layer(layer.clone());
    let public = Router::new().route("/", get(index)).layer(layer.optional());
    let login = Router::new().route("/login", post(log_in)).route("/logout", post(log_out));
    login.merge(protected).merge(public).with_state(Shop { validator, admin })
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let validator = Validator::new("http://127.0.0.1:8080")?;
    let admin = Admin::new("http://127.0.0.1:8081", &std::env::var("DOORWARD_KEY")?)?;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    let app = app(validator, admin).into_make_service_with_connect_info::<SocketAddr>();
    Ok(axum::serve(listener, app).await?)
}
