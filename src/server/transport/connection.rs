//! One HTTP/1 or HTTP/2 connection, from its first byte to its end.

use super::reply::Reply;
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
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use super::body::Body;
use super::connections::{Busy, OpenConnection};
use super::date;
use super::handshake::HandshakeLimit;
use super::listener::Socket;
use super::response::empty;
use super::stream::{AnswerStream, LINGER};
use super::tls::HTTP_2;
use crate::clock::Clock;
use crate::server::auth::fast_path::connection as front;
use crate::server::auth::fast_path::connection::Ended;
use crate::server::auth::plane::Validation;
use crate::server::request::origin::Peer;

/// The most bytes of a request's head; hyper answers a larger one with 431.
pub(crate) const MAX_HEAD_BYTES: usize = 32 * 1024;
/// The most requests under way on an HTTP/2 connection; further ones are reset with REFUSED_STREAM.
pub(crate) const MAX_STREAMS: u32 = 256;
/// The most requests that an HTTP/2 client may have taken back before they were looked at; then the connection ends
/// (CVE-2023-44487).
pub(crate) const MAX_UNSEEN_RESETS: usize = 20;
/// The most streams of an HTTP/2 connection that its client's mistakes may end; then the connection ends
/// (CVE-2025-8671).
pub(crate) const MAX_OWN_RESETS: usize = 64;
/// The most bytes of bodies, which are not read, that an HTTP/2 client can send: the least that there may be for a
/// connection (RFC 9113, section 6.9.2).
pub(crate) const WINDOW_BYTES: u32 = 65_535;

/// A reply on its connection.
pub(crate) struct Replying {
    reply: Reply,
    busy: Option<Busy>,
    clock: Clock,
    /// Whether it tells the client that the connection ends with it.
    is_last: bool,
}

impl Future for Replying {
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
            response.body_mut().sent_on(busy);
        }
        response.headers_mut().insert(DATE, date::header_value(self.clock.now_ms()));
        if self.is_last {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        Poll::Ready(Ok(response))
    }
}

/// What may be spoken on a connection.
pub enum Spoken<'a> {
    /// HTTP/1.
    Http1,
    /// HTTP/1, of which the front answers the plain requests, and HTTP/2 for who begins with its preface.
    Http1Or2 {
        /// Answers plain requests.
        front: &'a Validation,
        /// Who sends them.
        peer: Peer,
    },
    /// HTTP/2.
    Http2,
}

/// Serves an accepted connection on the current runtime: until the client goes, or `open` says to end. Where there is a
/// front, `respond` is asked from the first request on that is not plain. `tls` is shaken hands for first.
pub async fn serve(
    socket: Socket,
    tls: Option<TlsAcceptor>,
    open: OpenConnection,
    spoken: Spoken<'_>,
    respond: impl Fn(Request<Incoming>) -> Reply,
) {
    // A connection that broke before it began is as one that never came.
    match (socket, tls) {
        (Socket::Tcp(stream), None) => {
            let Ok(stream) = TcpStream::from_std(stream) else { return };
            serve_stream(stream, open, spoken, respond).await;
        }
        (Socket::Unix(stream), None) => {
            let Ok(stream) = UnixStream::from_std(stream) else { return };
            serve_stream(stream, open, spoken, respond).await;
        }
        // Boxed, as hyper's part below: most connections are plain ones that the fast path serves, and idle; they have no
        // room for the state of the others.
        (Socket::Tcp(stream), Some(tls)) => {
            let Ok(stream) = TcpStream::from_std(stream) else { return };
            Box::pin(serve_tls(Box::new(stream), tls, open, spoken, respond)).await;
        }
        (Socket::Unix(stream), Some(tls)) => {
            let Ok(stream) = UnixStream::from_std(stream) else { return };
            Box::pin(serve_tls(Box::new(stream), tls, open, spoken, respond)).await;
        }
    }
}

pub(crate) trait Transport: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Transport for T {}

pub(crate) async fn serve_tls(
    transport: Box<dyn Transport>,
    tls: TlsAcceptor,
    open: OpenConnection,
    spoken: Spoken<'_>,
    respond: impl Fn(Request<Incoming>) -> Reply,
) {
    let mut handshake = pin!(tls.accept(HandshakeLimit::new(transport)));
    let shaken = poll_fn(|context| {
        open.wake_with(context.waker());
        match handshake.as_mut().poll(context) {
            Poll::Pending if open.is_expired() || open.is_closing() => Poll::Ready(None),
            polled => polled.map(Some),
        }
    });
    let mut stream = match shaken.await {
        Some(Ok(stream)) => stream,
        // The client's doing, or its network's.
        Some(Err(error)) => return tracing::debug!(%error, "TLS handshake failed"),
        None => return tracing::debug!("TLS handshake not complete in time"),
    };
    stream.get_mut().0.handshake_complete();
    let is_http2 = stream.get_ref().1.alpn_protocol() == Some(HTTP_2);
    serve_stream(stream, open, if is_http2 { Spoken::Http2 } else { spoken }, respond).await;
}

pub(crate) async fn serve_stream<T: AsyncRead + AsyncWrite + Unpin>(
    stream: T,
    open: OpenConnection,
    spoken: Spoken<'_>,
    respond: impl Fn(Request<Incoming>) -> Reply,
) {
    let ended = match spoken {
        Spoken::Http1 => Ended::HandOver(AnswerStream::new(stream)),
        Spoken::Http1Or2 { front, peer } => front::serve(stream, &open, front, peer).await,
        Spoken::Http2 => Ended::Http2(AnswerStream::new(stream)),
    };
    let service = service_fn(|request| {
        open.used();
        let is_http1 = request.version() < Version::HTTP_2;
        let reply = if names_one_host(&request) {
            respond(request)
        } else {
            Reply::now(empty(StatusCode::BAD_REQUEST))
        };
        let busy = reply.takes_time().then(|| open.busy());
        // HTTP/2 says so with a frame of its own.
        let is_last = is_http1 && open.is_draining();
        Replying { reply, busy, clock: open.clock().clone(), is_last }
    });
    let (mut stream, ended) = match ended {
        Ended::Broken => return,
        Ended::Close(stream) => (stream, Ok(())),
        Ended::HandOver(stream) => {
            let mut builder = http1::Builder::new();
            builder.max_buf_size(MAX_HEAD_BYTES).keep_alive(!open.is_draining());
            let ended = Box::pin(drive(
                builder.serve_connection(TokioIo::new(stream.clone()), service),
                http1::Connection::graceful_shutdown,
                None,
                &stream,
                &open,
            ));
            let ended = ended.await;
            (stream, ended)
        }
        Ended::Http2(stream) => {
            let ended = Box::pin(drive(
                http2().serve_connection(TokioIo::new(stream.clone()), service),
                http2::Connection::graceful_shutdown,
                Some(LINGER),
                &stream,
                &open,
            ));
            let ended = ended.await;
            (stream, ended)
        }
    };
    match ended {
        // hyper closes what it answered last, but for the answer to a request for an upgrade.
        Ok(()) => {
            // A silent client is not waited for: another one may be waiting for its place.
            let linger = if open.is_expired() { Duration::ZERO } else { LINGER };
            drop(timeout(linger, stream.shutdown()).await);
        }
        // The client's doing, or its network's.
        Err(error) => tracing::debug!(%error, "a connection ended early"),
    }
}

/// Whether a request names one host; hyper does not look. HTTP/1.1 wants one `Host` (RFC 9112, section 3.2), HTTP/1.0
/// at most one, and in HTTP/2 it must not differ from `:authority` (RFC 9113, section 8.3.1).
pub(crate) fn names_one_host<B>(request: &Request<B>) -> bool {
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

/// HTTP/2 with everything bounded that a client can make grow.
fn http2() -> http2::Builder<TokioExecutor> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .max_header_list_size(MAX_HEAD_BYTES as u32)
        .max_concurrent_streams(MAX_STREAMS)
        .max_pending_accept_reset_streams(MAX_UNSEEN_RESETS)
        .max_local_error_reset_streams(MAX_OWN_RESETS)
        .initial_stream_window_size(WINDOW_BYTES)
        .initial_connection_window_size(WINDOW_BYTES);
    builder
}

/// Polls hyper's connection to its end, and sends its answers after each turn; ends it when `open` says so. `patience`
/// is how long a client without a request under way may take to agree: with HTTP/2 it has to acknowledge the end.
pub(crate) async fn drive<T: AsyncRead + AsyncWrite + Unpin, C: Future<Output = hyper::Result<()>>>(
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
        let is_expired = open.is_expired();
        let mut turn = if is_expired { Poll::Pending } else { connection.as_mut().poll(context) };
        // Only now: a connection that ends before its first turn would leave unanswered what the front had read.
        if turn.is_pending() && !is_ending && (is_expired || open.is_closing()) {
            is_ending = true;
            end_gracefully(connection.as_mut());
            turn = connection.as_mut().poll(context);
            patience_over.set(patience.map(sleep));
        }
        let is_over = patience_over.as_mut().as_pin_mut().is_some_and(|over| over.poll(context).is_ready());
        // hyper has nothing more to do for now; whatever it still waits for, its answers so far go out.
        match stream.poll_send(context) {
            // Nobody is there to send to.
            Poll::Ready(Err(_)) => Poll::Ready(Ok(())),
            _ if is_expired || (is_over && !open.is_busy()) => Poll::Ready(Ok(())),
            _ => turn,
        }
    })
    .await
}
