//! The body of every answer: whole in memory, and with what gRPC sends behind it; or a stream, of the feed.
//!
//! Each piece is noted at its connection until all of it was sent, so that a client that does not read is found out.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use futures_util::Stream;
use http_body::{Frame, SizeHint};
use hyper::HeaderMap;

use super::connections::{Busy, Unsent};

/// See the module.
#[derive(Default)]
pub struct Body {
    data: Piece,
    /// Boxed, as nearly no answer has any.
    then: Option<Box<Then>>,
}

/// A piece of an answer.
#[derive(Default)]
pub struct Piece {
    bytes: Bytes,
    /// Held until all was sent.
    _unsent: Option<Unsent>,
}

impl From<Bytes> for Piece {
    fn from(bytes: Bytes) -> Self {
        Self { bytes, _unsent: None }
    }
}

impl Buf for Piece {
    fn remaining(&self) -> usize {
        self.bytes.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.bytes.chunk()
    }

    fn advance(&mut self, count: usize) {
        self.bytes.advance(count);
    }
}

/// What follows the data.
enum Then {
    Trailers(HeaderMap),
    /// The rest, in pieces; the connection is busy until it ends.
    Stream(Pin<Box<dyn Stream<Item = Bytes> + Send>>, Option<Busy>),
}

impl Body {
    /// A body of these bytes.
    pub fn new(data: Bytes) -> Self {
        Self { data: data.into(), then: None }
    }

    /// The same with trailers, which only HTTP/2 has room for.
    pub fn with_trailers(self, trailers: HeaderMap) -> Self {
        Self { then: Some(Box::new(Then::Trailers(trailers))), ..self }
    }

    /// A body that comes in pieces.
    pub fn stream(pieces: impl Stream<Item = Bytes> + Send + 'static) -> Self {
        Self { data: Piece::default(), then: Some(Box::new(Then::Stream(Box::pin(pieces), None))) }
    }

    /// It is sent on the connection that the request kept busy. A stream keeps it so until its end.
    pub fn sent_on(&mut self, busy: Busy) {
        if !self.data.bytes.is_empty() {
            self.data._unsent = Some(busy.unsent());
        }
        if let Some(Then::Stream(_, kept)) = self.then.as_deref_mut() {
            *kept = Some(busy);
        }
    }
}

impl http_body::Body for Body {
    type Data = Piece;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Piece>, Infallible>>> {
        if !self.data.bytes.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut self.data)))));
        }
        if let Some(Then::Stream(pieces, busy)) = self.then.as_deref_mut() {
            let piece = pieces.as_mut().poll_next(context);
            let noted = |bytes| Piece { bytes, _unsent: busy.as_ref().map(Busy::unsent) };
            return piece.map(|piece| piece.map(|bytes| Ok(Frame::data(noted(bytes)))));
        }
        Poll::Ready(match self.then.take().map(|then| *then) {
            Some(Then::Trailers(trailers)) => Some(Ok(Frame::trailers(trailers))),
            _ => None,
        })
    }

    fn is_end_stream(&self) -> bool {
        self.data.bytes.is_empty() && self.then.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        match self.then.as_deref() {
            Some(Then::Stream(..)) => SizeHint::default(),
            _ => SizeHint::with_exact(self.data.bytes.len() as u64),
        }
    }
}
