//! Answers to pipelined requests leave together: what a connection's turn wrote is sent at the end of the turn,
//! in one system call.
//!
//! hyper's own `pipeline_flush` holds an answer back while any byte of a next request is there: for ever, when
//! these are half a head. Here nothing is held back past the turn, and what is not sent yet is bounded.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The most bytes that wait to be sent; a client that reads no answers gets no more of its requests read.
const MAX_WAITING_BYTES: usize = 64 * 1024;

/// A stream whose writes are gathered until [`Gathered::poll_send`]. Clones are the same stream: one is hyper's,
/// one is for sending.
pub struct Gathered<T>(Arc<Mutex<Inner<T>>>);

struct Inner<T> {
    stream: T,
    waiting: Vec<u8>,
    sent: usize,
}

impl<T> Clone for Gathered<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> Gathered<T> {
    /// Wraps a stream.
    pub fn new(stream: T) -> Self {
        Self(Arc::new(Mutex::new(Inner { stream, waiting: Vec::new(), sent: 0 })))
    }

    fn inner(&self) -> MutexGuard<'_, Inner<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends what waits. Gives whether that was so much that no more was taken: the writer is to be asked again.
    ///
    /// # Errors
    /// The stream's.
    pub fn poll_send(&self, context: &mut Context<'_>) -> Poll<io::Result<bool>> {
        self.inner().poll_send(context)
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> Inner<T> {
    fn poll_send(&mut self, context: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let was_full = self.waiting.len() >= MAX_WAITING_BYTES;
        while self.sent < self.waiting.len() {
            match ready!(Pin::new(&mut self.stream).poll_write(context, &self.waiting[self.sent..]))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                sent => self.sent += sent,
            }
        }
        self.waiting.clear();
        self.sent = 0;
        Poll::Ready(Ok(was_full))
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncRead for Gathered<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner().stream).poll_read(context, buffer)
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Gathered<T> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut inner = self.inner();
        if inner.waiting.len() >= MAX_WAITING_BYTES {
            ready!(inner.poll_send(context))?;
        }
        inner.waiting.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    /// Says that all is sent: it will be, at the end of the turn.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut inner = self.inner();
        ready!(inner.poll_send(context))?;
        Pin::new(&mut inner.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    #[tokio::test]
    async fn writes_leave_when_they_are_sent_and_before_the_end() {
        let (ours, mut theirs) = tokio::io::duplex(1024);
        let stream = Gathered::new(ours);
        let mut writer = stream.clone();
        writer.write_all(b"one ").await.unwrap();
        writer.write_all(b"two").await.unwrap();
        writer.flush().await.unwrap();
        assert_eq!(stream.inner().waiting, b"one two");
        poll_fn(|context| stream.poll_send(context)).await.unwrap();
        assert!(stream.inner().waiting.is_empty());
        writer.write_all(b" end").await.unwrap();
        writer.shutdown().await.unwrap();
        drop((stream, writer));
        let mut read = String::new();
        theirs.read_to_string(&mut read).await.unwrap();
        assert_eq!(read, "one two end");
    }

    #[tokio::test]
    async fn what_waits_is_bounded() {
        let (ours, _theirs) = tokio::io::duplex(16);
        let mut stream = Gathered::new(ours);
        let mut written = 0;
        while let Poll::Ready(wrote) =
            poll_fn(|context| Poll::Ready(Pin::new(&mut stream).poll_write(context, &[0; 4096]))).await
        {
            written += wrote.unwrap();
        }
        assert_eq!(written, MAX_WAITING_BYTES);
    }
}
