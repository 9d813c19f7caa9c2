//! One HTTP/1 connection, from its first byte to its end.

use std::convert::Infallible;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::watch;

use super::Body;
use super::lingering::Lingering;
use super::listener::Accepted;

/// The most bytes of a request's head; hyper answers a larger one with 431.
const MAX_HEAD_BYTES: usize = 32 * 1024;

/// Serves an accepted connection on the current runtime; see [`serve_stream`].
pub async fn serve<S, F>(accepted: Accepted, idle_timeout: Duration, drain: watch::Receiver<bool>, respond: S)
where
    S: Fn(Request<Incoming>) -> F,
    F: Future<Output = Response<Body>>,
{
    // A connection that broke before it began is as one that never came.
    match accepted {
        Accepted::Tcp(stream) => {
            let Ok(stream) = TcpStream::from_std(stream) else { return };
            serve_stream(stream, idle_timeout, drain, respond).await;
        }
        Accepted::Unix(stream) => {
            let Ok(stream) = UnixStream::from_std(stream) else { return };
            serve_stream(stream, idle_timeout, drain, respond).await;
        }
    }
}

/// Serves requests until the client goes, is silent for `idle_timeout`, or `drain` says to end after the request
/// at hand.
async fn serve_stream<S, F>(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    idle_timeout: Duration,
    mut drain: watch::Receiver<bool>,
    respond: S,
) where
    S: Fn(Request<Incoming>) -> F,
    F: Future<Output = Response<Body>>,
{
    let service = service_fn(|request| {
        let response = respond(request);
        async { Ok::<_, Infallible>(response.await) }
    });
    // Not with `pipeline_flush`: it holds answers back while bytes of a next request wait, for ever where these are
    // malformed or half a head, and lets what is not sent yet grow without bound.
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(idle_timeout)
        .max_buf_size(MAX_HEAD_BYTES)
        .serve_connection(TokioIo::new(Lingering::new(stream)), service);
    let mut connection = std::pin::pin!(connection);
    let draining = async { drop(drain.wait_for(|drain| *drain).await) };
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = draining => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        // The client's doing, or its network's.
        tracing::debug!(%error, "a connection ended early");
    }
}
