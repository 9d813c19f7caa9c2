//! The stream under a connection: sends answers in batches, and closes so that the last one arrives.
//!
//! Answers are held while hyper works through the requests that came together, and sent when it has nothing more to
//! do. With clients that pipeline, this saves most system calls. hyper's own `pipeline_flush` is no substitute: it holds
//! answers while any byte of a next request waits, for ever if that request is malformed or incomplete, and without bound.
//!
//! A request may be answered before its body has arrived, or in the middle of a head that is too large. If a socket is
//! closed with unread bytes, the kernel sends a reset, which can overtake the answer. So the write side is closed first.
//! Until the client closes its own, but for at most [`LINGER`], its bytes are read and discarded (RFC 9112, section 9.6).

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

/// The most bytes held: some fifty answers of the hot path.
pub const MAX_HELD_BYTES: usize = 16 * 1024;
/// The longest wait for the client to close its side, after the write side was closed.
pub const LINGER: Duration = Duration::from_secs(1);

/// A handle to the stream. hyper has one handle; the task that polls hyper has another, to call
/// [`poll_send`](Self::poll_send) after each turn. One task uses both, so the lock is always free.
pub struct AnswerStream<T>(Arc<Mutex<StreamState<T>>>);

struct StreamState<T> {
    stream: T,
    /// Read already, and returned by the next reads.
    unread: Vec<u8>,
    held: Vec<u8>,
    /// How much of `held` was sent.
    sent: usize,
    /// Set once the write side is closed.
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

    /// Wraps a stream from which `unread` was read already and to which `held` is still to be written.
    pub fn with(stream: T, unread: Vec<u8>, held: Vec<u8>) -> Self {
        Self(Arc::new(Mutex::new(StreamState { stream, unread, held, sent: 0, linger: None })))
    }

    /// Sends the held answers.
    ///
    /// # Errors
    /// The stream's: nothing more can be sent.
    pub fn poll_send(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.state().poll_send(context)
    }

    fn state(&self) -> MutexGuard<'_, StreamState<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> StreamState<T> {
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
        // TLS accepts more than it can send at once.
        Pin::new(&mut self.stream).poll_flush(context)
    }

    /// Discards what the client still sends until it closes its side or the time is over.
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
        let mut state = self.state();
        if state.unread.is_empty() {
            return Pin::new(&mut state.stream).poll_read(context, buf);
        }
        let count = state.unread.len().min(buf.remaining());
        buf.put_slice(&state.unread[..count]);
        state.unread.drain(..count);
        if state.unread.is_empty() {
            state.unread = Vec::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncWrite for AnswerStream<T> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(context, &[IoSlice::new(buf)])
    }

    /// Holds short writes; long ones are sent without a copy.
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut state = self.state();
        let given = bufs.iter().map(|buf| buf.len()).sum::<usize>();
        if state.held.len() + given > MAX_HELD_BYTES {
            ready!(state.poll_send(context))?;
            if given > MAX_HELD_BYTES {
                return Pin::new(&mut state.stream).poll_write_vectored(context, bufs);
            }
        }
        bufs.iter().for_each(|buf| state.held.extend_from_slice(buf));
        Poll::Ready(Ok(given))
    }

    fn is_write_vectored(&self) -> bool {
        self.state().stream.is_write_vectored()
    }

    /// Does nothing: the turn's end sends.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.state();
        if state.linger.is_none() {
            ready!(state.poll_send(context))?;
            ready!(Pin::new(&mut state.stream).poll_shutdown(context))?;
        }
        state.poll_linger(context)
    }
}
