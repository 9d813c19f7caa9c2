//! A byte stream to a server.

use tokio::io::{AsyncRead, AsyncWrite};

/// A byte stream to a server: TCP, TLS or a unix socket.
pub(crate) trait ByteStream: AsyncRead + AsyncWrite + Send {}

impl<T: AsyncRead + AsyncWrite + Send> ByteStream for T {}
