//! A connection as hyper serves it: HTTP/1 or HTTP/2, with a bound on everything that a client can make grow.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::body::Incoming;
use hyper::header::{CONNECTION, DATE, HOST, HeaderValue};
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::time::sleep;

use super::body::Body;
use super::connections::{BusyGuard, OpenConnection};
use super::date;
use super::fast_path::ClientStream;
use super::response::{Reply, empty};
use super::stream::{AnswerStream, LINGER};
use crate::clock::Clock;

/// The most bytes of a request's head; hyper answers a larger one with 431.
const MAX_HEAD_BYTES: usize = 32 * 1024;
/// The most requests in progress on an HTTP/2 connection; further ones are reset with REFUSED_STREAM.
const MAX_STREAMS: u32 = 256;
/// The most requests that an HTTP/2 client may reset before they were looked at; then the connection ends
/// (CVE-2023-44487).
const MAX_UNSEEN_RESETS: usize = 20;
/// The most streams of an HTTP/2 connection that the server resets because of the client's errors; then the connection
/// ends (CVE-2025-8671).
const MAX_OWN_RESETS: usize = 64;
/// The most bytes of bodies, which are not read, that an HTTP/2 client can send: the smallest window that a connection
/// can have (RFC 9113, section 6.9.2).
const WINDOW_BYTES: u32 = 65_535;

/// Serves HTTP/1 until the connection ends.
pub(super) async fn serve_http1<T: ClientStream>(
    stream: &AnswerStream<T>,
    open: &OpenConnection,
    respond: &impl Fn(Request<Incoming>) -> Reply,
) -> hyper::Result<()> {
    let mut builder = http1::Builder::new();
    builder.max_buf_size(MAX_HEAD_BYTES).keep_alive(!open.is_draining());
    let service = service_fn(|request| answer(request, open, respond));
    let connection = builder.serve_connection(TokioIo::new(stream.clone()), service);
    drive(connection, http1::Connection::graceful_shutdown, None, stream, open).await
}

/// Serves HTTP/2 until the connection ends.
pub(super) async fn serve_http2<T: ClientStream>(
    stream: &AnswerStream<T>,
    open: &OpenConnection,
    respond: &impl Fn(Request<Incoming>) -> Reply,
) -> hyper::Result<()> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .max_header_list_size(MAX_HEAD_BYTES as u32)
        .max_concurrent_streams(MAX_STREAMS)
        .max_pending_accept_reset_streams(MAX_UNSEEN_RESETS)
        .max_local_error_reset_streams(MAX_OWN_RESETS)
        .initial_stream_window_size(WINDOW_BYTES)
        .initial_connection_window_size(WINDOW_BYTES);
    let service = service_fn(|request| answer(request, open, respond));
    let connection = builder.serve_connection(TokioIo::new(stream.clone()), service);
    drive(connection, http2::Connection::graceful_shutdown, Some(LINGER), stream, open).await
}

fn answer(
    request: Request<Incoming>,
    open: &OpenConnection,
    respond: &impl Fn(Request<Incoming>) -> Reply,
) -> ResponseFuture {
    open.mark_used();
    let is_http1 = request.version() < Version::HTTP_2;
    let reply =
        if names_one_host(&request) { respond(request) } else { Reply::now(empty(StatusCode::BAD_REQUEST)) };
    let busy = reply.takes_time().then(|| open.begin_request());
    // HTTP/2 announces the end with a frame of its own.
    let is_last = is_http1 && open.is_draining();
    ResponseFuture { reply, busy, clock: open.clock().clone(), is_last }
}

/// Whether a request names one host; hyper does not check. HTTP/1.1 demands one `Host` (RFC 9112, section 3.2), HTTP/1.0
/// allows at most one, and in HTTP/2 it must not differ from `:authority` (RFC 9113, section 8.3.1).
fn names_one_host<B>(request: &Request<B>) -> bool {
    let mut hosts = request.headers().get_all(HOST).iter();
    let (host, another) = (hosts.next(), hosts.next());
    let is_named_enough = match request.version() {
        Version::HTTP_11 => host.is_some(),
        Version::HTTP_2 => host.zip(request.uri().authority()).is_none_or(|(host, authority)| {
            host.as_bytes().eq_ignore_ascii_case(authority.as_str().as_bytes())
        }),
        _ => true,
    };
    is_named_enough && another.is_none()
}

/// Completes a reply with what every response on its connection has.
struct ResponseFuture {
    reply: Reply,
    busy: Option<BusyGuard>,
    clock: Clock,
    /// Whether the response says that the connection ends with it.
    is_last: bool,
}

impl Future for ResponseFuture {
    type Output = Result<Response<Body>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut response = match &mut self.reply {
            Reply::Now(response) => match response.take() {
                Some(response) => response,
                None => return Poll::Pending,
            },
            Reply::Later(response) => ready!(response.as_mut().poll(context)),
        };
        if let Some(busy) = self.busy.take() {
            response.body_mut().track_sending(busy);
        }
        response.headers_mut().insert(DATE, date::header_value(self.clock.now_ms()));
        if self.is_last {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        Poll::Ready(Ok(response))
    }
}

/// Polls hyper's connection to its end and sends its answers after each turn; ends it when `open` says so. `patience`
/// is how long a client without a request in progress may take to agree: an HTTP/2 client has to acknowledge the end.
async fn drive<T: ClientStream, C: Future<Output = hyper::Result<()>>>(
    connection: C,
    end_gracefully: impl Fn(Pin<&mut C>),
    patience: Option<Duration>,
    stream: &AnswerStream<T>,
    open: &OpenConnection,
) -> hyper::Result<()> {
    let mut connection = pin!(connection);
    let (mut is_registered, mut is_ending) = (false, false);
    let mut patience_over = pin!(None);
    poll_fn(|context| {
        if !is_registered {
            // A spawned task keeps its waker for life.
            open.wake_with(context.waker());
            is_registered = true;
        }
        let must_end = open.must_end();
        let mut turn = if must_end { Poll::Pending } else { connection.as_mut().poll(context) };
        // Not before the first turn: that one answers what the fast path had read.
        if turn.is_pending() && !is_ending && (must_end || open.is_closing()) {
            is_ending = true;
            end_gracefully(connection.as_mut());
            turn = connection.as_mut().poll(context);
            patience_over.set(patience.map(sleep));
        }
        let is_over = patience_over.as_mut().as_pin_mut().is_some_and(|over| over.poll(context).is_ready());
        // hyper has nothing more to do for now, so its answers go out, whatever it still waits for.
        match stream.poll_send(context) {
            // The client has disconnected.
            Poll::Ready(Err(_)) => Poll::Ready(Ok(())),
            _ if must_end || (is_over && !open.is_busy()) => Poll::Ready(Ok(())),
            _ => turn,
        }
    })
    .await
}
