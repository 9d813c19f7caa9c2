//! A stream with the bytes to be written and the bytes not yet parsed.

use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use tokio::io::AsyncReadExt as _;

use crate::store::redis::cluster::byte_stream::ByteStream;

/// Read from the socket at once.
const READ_BYTES: usize = 16 * 1024;

/// A stream with its buffers.
pub(crate) struct BufferedStream {
    stream: Pin<Box<dyn ByteStream>>,
    /// The bytes to write. The first `written` of them are written.
    pub(crate) out: Vec<u8>,
    written: usize,
    /// Received and not yet parsed.
    pub(crate) input: Vec<u8>,
}

impl BufferedStream {
    pub(crate) fn new(stream: Pin<Box<dyn ByteStream>>) -> Self {
        Self { stream, out: Vec::new(), written: 0, input: Vec::new() }
    }

    /// Writes what is buffered. Ready only with an error.
    pub(crate) fn poll_write(&mut self, context: &mut Context<'_>) -> Poll<io::Error> {
        while self.written < self.out.len() {
            match self.stream.as_mut().poll_write(context, &self.out[self.written..]) {
                Poll::Ready(Ok(0)) => return Poll::Ready(io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(written)) => self.written += written,
                Poll::Ready(Err(error)) => return Poll::Ready(error),
                Poll::Pending => return Poll::Pending,
            }
        }
        self.out.clear();
        self.written = 0;
        // TLS may hold bytes back; on a plain stream this does nothing.
        match self.stream.as_mut().poll_flush(context) {
            Poll::Ready(Err(error)) => Poll::Ready(error),
            _ => Poll::Pending,
        }
    }

    /// Reads once from the socket into `input`. Returns the number of bytes; 0 at the end of the stream.
    pub(crate) fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.input.reserve(READ_BYTES);
        // This future keeps no state between polls, so creating it again loses nothing.
        pin!(self.stream.read_buf(&mut self.input)).poll(context)
    }
}
