//! The interface of a fast path, which serves a connection before hyper does. The planes implement it, so the transport
//! knows none of them.

use tokio::io::{AsyncRead, AsyncWrite};

use super::connections::OpenConnection;
use super::stream::AnswerStream;

/// The bytes of a connection: a socket, or TLS on one.
pub trait ClientStream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> ClientStream for T {}

/// Serves a connection from its first byte until hyper has to continue. Statically dispatched: this is the hot path.
pub trait FastPath {
    /// Serves the connection, and returns how to continue.
    fn serve<T: ClientStream>(
        self,
        stream: T,
        open: &OpenConnection,
    ) -> impl Future<Output = FastPathEnd<T>> + Send;
}

/// How the fast path's part of a connection ended.
pub enum FastPathEnd<T> {
    /// The client has disconnected.
    Disconnected,
    /// The connection closes once the held answers are sent.
    Close(AnswerStream<T>),
    /// hyper continues with HTTP/1.
    Http1(AnswerStream<T>),
    /// hyper continues with HTTP/2: the client has sent the preface.
    Http2(AnswerStream<T>),
}

/// No fast path: hyper serves HTTP/1 from the first byte.
pub struct Http1;

impl FastPath for Http1 {
    async fn serve<T: ClientStream>(self, stream: T, _: &OpenConnection) -> FastPathEnd<T> {
        FastPathEnd::Http1(AnswerStream::new(stream))
    }
}

/// No fast path: hyper serves HTTP/2 from the first byte.
pub struct Http2;

impl FastPath for Http2 {
    async fn serve<T: ClientStream>(self, stream: T, _: &OpenConnection) -> FastPathEnd<T> {
        FastPathEnd::Http2(AnswerStream::new(stream))
    }
}
