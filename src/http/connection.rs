//! One HTTP/1 connection, from its first byte to its end.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

use super::Body;
use super::connections::{Busy, OpenConnection};
use super::front::{self, Ended};
use super::listener::Socket;
use super::received::Peer;
use super::stream::{AnswerStream, LINGER};
use super::validation::Validation;

/// The most bytes of a request's head; hyper answers a larger one with 431.
const MAX_HEAD_BYTES: usize = 32 * 1024;

/// An answer, at hand or to be waited for. The hot path's is at hand: a future that holds everything a request
/// might need is moved and polled for nothing then.
pub enum Reply {
    /// At hand; taken once.
    Now(Option<Response<Body>>),
    /// To be waited for.
    Later(Pin<Box<dyn Future<Output = Response<Body>> + Send>>),
}

impl Reply {
    /// An answer at hand.
    pub fn now(response: Response<Body>) -> Self {
        Self::Now(Some(response))
    }

    /// An answer to be waited for.
    pub fn later(response: impl Future<Output = Response<Body>> + Send + 'static) -> Self {
        Self::Later(Box::pin(response))
    }
}

/// A reply on its connection.
struct Replying {
    reply: Reply,
    _busy: Option<Busy>,
}

impl Future for Replying {
    type Output = Result<Response<Body>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.reply {
            Reply::Now(response) => {
                response.take().map_or(Poll::Pending, |response| Poll::Ready(Ok(response)))
            }
            Reply::Later(response) => response.as_mut().poll(context).map(Ok),
        }
    }
}

/// Serves an accepted connection on the current runtime: until the client goes, or `open` says to end. Where there is a
/// `front`, its plain requests are answered there, and `respond` is asked from the first other one on.
pub async fn serve(
    socket: Socket,
    open: OpenConnection,
    front: Option<(&Validation, Peer)>,
    respond: impl Fn(Request<Incoming>) -> Reply,
) {
    // A connection that broke before it began is as one that never came.
    match socket {
        Socket::Tcp(stream) => {
            let Ok(stream) = TcpStream::from_std(stream) else { return };
            serve_stream(stream, open, front, respond).await;
        }
        Socket::Unix(stream) => {
            let Ok(stream) = UnixStream::from_std(stream) else { return };
            serve_stream(stream, open, front, respond).await;
        }
    }
}

async fn serve_stream<T: AsyncRead + AsyncWrite + Unpin>(
    stream: T,
    open: OpenConnection,
    front: Option<(&Validation, Peer)>,
    respond: impl Fn(Request<Incoming>) -> Reply,
) {
    let ended = match front {
        Some((validation, peer)) => front::serve(stream, &open, validation, peer).await,
        None => Ended::HandOver(AnswerStream::new(stream)),
    };
    let mut stream = match ended {
        Ended::Broken => return,
        Ended::Close(stream) => stream,
        Ended::HandOver(stream) => match serve_with_hyper(stream.clone(), &open, respond).await {
            // hyper closes what it answered last, but for the answer to a request for an upgrade.
            Ok(()) => stream,
            // The client's doing, or its network's.
            Err(error) => return tracing::debug!(%error, "a connection ended early"),
        },
    };
    drop(timeout(LINGER, stream.shutdown()).await);
}

async fn serve_with_hyper<T: AsyncRead + AsyncWrite + Unpin>(
    stream: AnswerStream<T>,
    open: &OpenConnection,
    respond: impl Fn(Request<Incoming>) -> Reply,
) -> hyper::Result<()> {
    let service = service_fn(|request| {
        open.used();
        let reply = respond(request);
        let busy = matches!(reply, Reply::Later(_)).then(|| open.busy());
        Replying { reply, _busy: busy }
    });
    let connection = http1::Builder::new()
        .max_buf_size(MAX_HEAD_BYTES)
        .keep_alive(!open.is_draining())
        .serve_connection(TokioIo::new(stream.clone()), service);
    let mut connection = std::pin::pin!(connection);
    let (mut is_registered, mut is_ending) = (false, false);
    poll_fn(|context| {
        if !is_registered {
            // A spawned task keeps its waker for life.
            open.wake_with(context.waker());
            is_registered = true;
        }
        if open.is_expired() {
            return Poll::Ready(Ok(()));
        }
        let mut turn = connection.as_mut().poll(context);
        // Only now: a connection that ends before its first turn would leave unanswered what the front had read.
        if turn.is_pending() && !is_ending && open.is_draining() {
            is_ending = true;
            connection.as_mut().graceful_shutdown();
            turn = connection.as_mut().poll(context);
        }
        // hyper has nothing more to do for now; whatever it still waits for, its answers so far go out.
        match stream.poll_send(context) {
            // Nobody is there to send to.
            Poll::Ready(Err(_)) => Poll::Ready(Ok(())),
            _ => turn,
        }
    })
    .await
}
