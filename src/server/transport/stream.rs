//! The stream under a connection: sends answers in batches, and closes so that the last one arrives.
//!
//! Answers are held while hyper works through the requests that came together, and sent when it has nothing more to
//! do: with clients that pipeline that saves most of the system calls. hyper's own `pipeline_flush` does not serve:
//! it holds answers for as long as any byte of a next request waits, for ever where that one is malformed or half a
//! head, and without bound.
//!
//! A request may be answered before all of its body came, or in the middle of a head that is too large. Closing the
//! socket on bytes that nobody read makes the kernel send a reset, which can overtake the answer. So our side is
//! closed first, and until the client closes its own, what it still sends is thrown away for a moment (RFC 9112,
//! section 9.6).

use std::io;
use std::io::IoSlice;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

/// The most bytes held: some fifty answers of the hot path.
pub const MAX_HELD_BYTES: usize = 16 * 1024;
/// The longest time that a client is waited for after our side was closed.
pub const LINGER: Duration = Duration::from_secs(1);

/// See the module. A handle: hyper has one, and who polls hyper has another to call
/// [`poll_send`](Self::poll_send) with after each turn. Both are used by one task, so the lock is always free.
pub struct AnswerStream<T>(Arc<Mutex<Inner<T>>>);

struct Inner<T> {
    stream: T,
    /// Read already, for whoever reads next.
    unread: Vec<u8>,
    held: Vec<u8>,
    /// How much of `held` was sent.
    sent: usize,
    /// Set once our side is closed.
    linger: Option<Pin<Box<Sleep>>>,
}

impl<T> Clone for AnswerStream<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AnswerStream<T> {
    /// Wraps a stream.
    pub fn new(stream: T) -> Self {
        Self::with(stream, Vec::new(), Vec::new())
    }

    /// Wraps a stream of which `unread` was read already, and that owes the client `held`.
    pub fn with(stream: T, unread: Vec<u8>, held: Vec<u8>) -> Self {
        Self(Arc::new(Mutex::new(Inner { stream, unread, held, sent: 0, linger: None })))
    }

    /// Sends what is held.
    ///
    /// # Errors
    /// The stream's: nothing can be sent any more.
    pub fn poll_send(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner().poll_send(context)
    }

    fn inner(&self) -> MutexGuard<'_, Inner<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> Inner<T> {
    fn poll_send(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.sent < self.held.len() {
            let sent = ready!(Pin::new(&mut self.stream).poll_write(context, &self.held[self.sent..]))?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.sent += sent;
        }
        self.held.clear();
        self.sent = 0;
        // TLS takes more than it can send at once.
        Pin::new(&mut self.stream).poll_flush(context)
    }

    /// Throws away what still comes, until the client closes its side or the time is over.
    fn poll_linger(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let linger = self.linger.get_or_insert_with(|| Box::pin(tokio::time::sleep(LINGER)));
        let mut discarded = [0; 16 * 1024];
        while linger.as_mut().poll(context).is_pending() {
            let mut buf = ReadBuf::new(&mut discarded);
            ready!(Pin::new(&mut self.stream).poll_read(context, &mut buf))?;
            if buf.filled().is_empty() {
                break;
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncRead for AnswerStream<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut inner = self.inner();
        if inner.unread.is_empty() {
            return Pin::new(&mut inner.stream).poll_read(context, buf);
        }
        let count = inner.unread.len().min(buf.remaining());
        buf.put_slice(&inner.unread[..count]);
        inner.unread.drain(..count);
        if inner.unread.is_empty() {
            inner.unread = Vec::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncWrite for AnswerStream<T> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(context, &[IoSlice::new(buf)])
    }

    /// Holds what is little; much is sent from where it lies.
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut inner = self.inner();
        let given = bufs.iter().map(|buf| buf.len()).sum::<usize>();
        if inner.held.len() + given > MAX_HELD_BYTES {
            ready!(inner.poll_send(context))?;
            if given > MAX_HELD_BYTES {
                return Pin::new(&mut inner.stream).poll_write_vectored(context, bufs);
            }
        }
        bufs.iter().for_each(|buf| inner.held.extend_from_slice(buf));
        Poll::Ready(Ok(given))
    }

    fn is_write_vectored(&self) -> bool {
        self.inner().stream.is_write_vectored()
    }

    /// Does not send: that is for the end of the turn.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut inner = self.inner();
        if inner.linger.is_none() {
            ready!(inner.poll_send(context))?;
            ready!(Pin::new(&mut inner.stream).poll_shutdown(context))?;
        }
        inner.poll_linger(context)
    }
}
