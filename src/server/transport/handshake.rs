//! The stream under TLS, which bounds what a client sends before the handshake is complete. rustls keeps a handshake
//! message until it is whole, and a client may announce long ones.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The most bytes that a client may send in a handshake, its certificates included; then the connection ends.
const MAX_HANDSHAKE_BYTES: usize = 32 * 1024;

/// A stream that fails if the handshake takes too many bytes.
pub struct HandshakeLimit<T> {
    stream: T,
    /// `None` once the handshake is complete.
    left: Option<usize>,
}

impl<T> HandshakeLimit<T> {
    /// Wraps a stream whose handshake begins.
    pub fn new(stream: T) -> Self {
        Self { stream, left: Some(MAX_HANDSHAKE_BYTES) }
    }

    /// Lifts the limit.
    pub fn handshake_complete(&mut self) {
        self.left = None;
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for HandshakeLimit<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buf))?;
        if let Some(left) = &mut self.left {
            let read = buf.filled().len() - before;
            *left = left.checked_sub(read).ok_or_else(|| io::Error::other("TLS handshake too long"))?;
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for HandshakeLimit<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
