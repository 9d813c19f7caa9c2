//! One accepted connection: TLS, the fast path, hyper, and an end that lets the last answer arrive.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use hyper::Request;
use hyper::body::Incoming;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::connections::OpenConnection;
use super::fast_path::{ClientStream, FastPath, FastPathEnd, Http2};
use super::handshake::HandshakeLimit;
use super::http::{serve_http1, serve_http2};
use super::listener::AcceptedSocket;
use super::response::Reply;
use super::stream::LINGER;
use super::tls_files::HTTP_2;

/// Serves an accepted connection on the current runtime until the client disconnects or `open` says to end. With `tls`,
/// the TLS handshake comes first. `fast_path` serves the connection until hyper has to; `respond` answers hyper's requests.
pub async fn serve(
    socket: AcceptedSocket,
    tls: Option<TlsAcceptor>,
    open: OpenConnection,
    fast_path: impl FastPath,
    respond: impl Fn(Request<Incoming>) -> Reply,
) {
    // A socket that the runtime does not take broke before the first byte: no client is left to answer.
    match (socket, tls) {
        (AcceptedSocket::Tcp(stream), None) => {
            let Ok(stream) = TcpStream::from_std(stream) else { return };
            serve_stream(stream, open, fast_path, respond).await;
        }
        (AcceptedSocket::Unix(stream), None) => {
            let Ok(stream) = UnixStream::from_std(stream) else { return };
            serve_stream(stream, open, fast_path, respond).await;
        }
        // Boxed, as are hyper's futures below: most connections are without TLS, on the fast path and idle. They should
        // not reserve memory for the state of the others.
        (AcceptedSocket::Tcp(stream), Some(tls)) => {
            let Ok(stream) = TcpStream::from_std(stream) else { return };
            Box::pin(serve_tls(Box::new(stream), tls, open, fast_path, respond)).await;
        }
        (AcceptedSocket::Unix(stream), Some(tls)) => {
            let Ok(stream) = UnixStream::from_std(stream) else { return };
            Box::pin(serve_tls(Box::new(stream), tls, open, fast_path, respond)).await;
        }
    }
}

async fn serve_tls(
    socket: Box<dyn ClientStream>,
    tls: TlsAcceptor,
    open: OpenConnection,
    fast_path: impl FastPath,
    respond: impl Fn(Request<Incoming>) -> Reply,
) {
    let mut handshake = pin!(tls.accept(HandshakeLimit::new(socket)));
    let outcome = poll_fn(|context| {
        open.wake_with(context.waker());
        match handshake.as_mut().poll(context) {
            Poll::Pending if open.must_end() || open.is_closing() => Poll::Ready(None),
            polled => polled.map(Some),
        }
    });
    let mut stream = match outcome.await {
        Some(Ok(stream)) => stream,
        // Logged at debug level: any client can cause it.
        Some(Err(error)) => return tracing::debug!(%error, "TLS handshake failed"),
        None => return tracing::debug!("TLS handshake not complete in time"),
    };
    stream.get_mut().0.handshake_complete();
    if stream.get_ref().1.alpn_protocol() == Some(HTTP_2) {
        serve_stream(stream, open, Http2, respond).await;
    } else {
        serve_stream(stream, open, fast_path, respond).await;
    }
}

async fn serve_stream<T: ClientStream>(
    stream: T,
    open: OpenConnection,
    fast_path: impl FastPath,
    respond: impl Fn(Request<Incoming>) -> Reply,
) {
    let (mut stream, outcome) = match fast_path.serve(stream, &open).await {
        FastPathEnd::Disconnected => return,
        FastPathEnd::Close(stream) => (stream, Ok(())),
        FastPathEnd::Http1(stream) => {
            let outcome = Box::pin(serve_http1(&stream, &open, &respond)).await;
            (stream, outcome)
        }
        FastPathEnd::Http2(stream) => {
            let outcome = Box::pin(serve_http2(&stream, &open, &respond)).await;
            (stream, outcome)
        }
    };
    match outcome {
        // hyper closes the stream after its last answer, except after an answer to a request for an upgrade.
        Ok(()) => {
            // No lingering for an idle client: another client may be waiting for its place.
            let linger = if open.must_end() { Duration::ZERO } else { LINGER };
            drop(timeout(linger, stream.shutdown()).await);
        }
        // Logged at debug level: any client can cause it.
        Err(error) => tracing::debug!(%error, "connection ended early"),
    }
}
