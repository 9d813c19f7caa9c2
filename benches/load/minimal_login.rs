//! A minimal login: a hyper server that stores a session of the same bytes as Doorward's with one pipelined `HSET`,
//! `PEXPIRE` and `ZADD`, and does nothing else. It has no limit per user, no history, no event, no log, and it checks no
//! key.

use std::convert::Infallible;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use doorward::system::{Clock, Entropy};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use redis::aio::MultiplexedConnection;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use crate::Result;
use crate::baseline::{Baseline, serve_with};

/// The default idle time of a token.
const IDLE_MS: u64 = 60 * 60 * 1000;
/// The default lifetime of a token.
const LIFETIME_MS: u64 = 30 * 24 * IDLE_MS;

/// The argument that makes this binary the server.
pub const ARGUMENT: &str = "--serve-login";

/// Starts the server on the Redis at this URL.
pub fn start(redis_url: &str) -> Result<Baseline> {
    Baseline::launch(ARGUMENT, redis_url.as_bytes())
}

/// The server itself: serves until standard input is closed.
pub fn serve() -> Result<()> {
    serve_with(|url, connections| work(std::str::from_utf8(url)?, connections))
}

fn work(url: &str, mut connections: mpsc::UnboundedReceiver<std::net::TcpStream>) -> Result<()> {
    let tasks = tokio::task::LocalSet::new();
    tasks.block_on(&crate::current_thread_runtime()?, async {
        let redis = redis::Client::open(url)?.get_multiplexed_async_connection().await?;
        let shared = Arc::new((Clock::system(), Entropy::system()));
        while let Some(stream) = connections.recv().await {
            stream.set_nodelay(true)?;
            let stream = TokioIo::new(TcpStream::from_std(stream)?);
            let (redis, shared) = (redis.clone(), shared.clone());
            let service = service_fn(move |request| {
                let (redis, shared) = (redis.clone(), shared.clone());
                async move { Ok::<_, Infallible>(answer(log_in(request, redis, &shared.0, &shared.1).await)) }
            });
            let connection = http1::Builder::new().pipeline_flush(true).serve_connection(stream, service);
            tokio::task::spawn_local(async { drop(connection.await) });
        }
        Ok(())
    })
}

fn answer(outcome: Result<Value>) -> Response<Full<Bytes>> {
    let (status, body) = match outcome {
        Ok(token) => (StatusCode::CREATED, token.to_string()),
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, error.to_string()),
    };
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = status;
    response
}

async fn log_in(
    request: Request<Incoming>,
    mut redis: MultiplexedConnection,
    clock: &Clock,
    entropy: &Entropy,
) -> Result<Value> {
    let body: Value = serde_json::from_slice(&request.into_body().collect().await?.to_bytes())?;
    let field = |name: &str| body[name].as_str().unwrap_or_default();
    let (locator, secret) = (entropy.bytes::<10>()?, entropy.bytes::<16>()?);
    let locator = URL_SAFE_NO_PAD.encode(locator);
    let hash = blake3::hash(&secret);
    let (now_ms, user) = (clock.now_ms(), field("user"));
    let (expires_at_ms, ends_at_ms) = (now_ms + IDLE_MS, now_ms + LIFETIME_MS);
    let immutable = rmp_serde::to_vec(&(IDLE_MS, ends_at_ms, field("backend")))?;
    let shown = rmp_serde::to_vec(&(field("ip"), field("user_agent")))?;
    let (token, index) = (format!("dw:t:{{0000}}:{locator}"), format!("dw:u:{{0000}}:{user}"));
    redis::pipe()
        .cmd("HSET")
        .arg(&token)
        .arg("u")
        .arg(user)
        .arg("i")
        .arg(immutable)
        .arg("h")
        .arg(&hash.as_bytes()[..16])
        .arg("x")
        .arg(expires_at_ms)
        .arg("f")
        .arg(15)
        .arg("c")
        .arg(now_ms)
        .arg("s")
        .arg(field("auth_slug"))
        .arg("z")
        .arg(shown)
        .ignore()
        .cmd("PEXPIRE")
        .arg(&token)
        .arg(IDLE_MS)
        .ignore()
        .cmd("ZADD")
        .arg(&index)
        .arg(expires_at_ms)
        .arg(&locator)
        .arg(-(now_ms as i64))
        .arg(format!("@{locator}"))
        .ignore()
        .exec_async(&mut redis)
        .await?;
    Ok(token_object(&body, &locator, &secret, now_ms))
}

/// Returns the answer of Doorward for the same login.
fn token_object(login: &Value, locator: &str, secret: &[u8], now_ms: u64) -> Value {
    json!({
        "token": format!("dw_{locator}{}", URL_SAFE_NO_PAD.encode(secret)),
        "id": locator, "user": login["user"], "created_at": now_ms, "last_access": now_ms,
        "expires_at": now_ms + IDLE_MS, "ends_at": now_ms + LIFETIME_MS, "is_active": true,
        "user_agent": login["user_agent"], "expiration": true, "ip": login["ip"], "auth_slug": login["auth_slug"],
        "backend": login["backend"], "allowed_cookie": true, "allowed_header": true, "related_objects": [],
        "takeover": null, "device": null, "scopes": [],
    })
}
