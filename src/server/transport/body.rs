//! The body of every response: whole in memory, with gRPC's trailers after it, or the stream of the event feed.
//!
//! A connection counts each piece until it is sent, so that clients that do not read are noticed.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use futures_util::Stream;
use http_body::{Frame, SizeHint};
use hyper::HeaderMap;

use super::connections::{BusyGuard, UnsentGuard};

/// The body of a response.
#[derive(Default)]
pub struct Body {
    data: Piece,
    /// Boxed, as few responses have any.
    remainder: Option<Box<Remainder>>,
}

/// A piece of a body.
#[derive(Default)]
pub struct Piece {
    bytes: Bytes,
    /// Held until the piece is sent.
    _unsent: Option<UnsentGuard>,
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

/// The part after the data.
enum Remainder {
    Trailers(HeaderMap),
    /// Further pieces. The connection is busy until they end.
    Stream(Pin<Box<dyn Stream<Item = Bytes> + Send>>, Option<BusyGuard>),
}

impl Body {
    /// Creates a body of these bytes.
    pub fn new(data: Bytes) -> Self {
        Self { data: data.into(), remainder: None }
    }

    /// Adds trailers. Only for HTTP/2.
    pub fn with_trailers(self, trailers: HeaderMap) -> Self {
        Self { remainder: Some(Box::new(Remainder::Trailers(trailers))), ..self }
    }

    /// Creates a body that arrives in pieces.
    pub fn stream(pieces: impl Stream<Item = Bytes> + Send + 'static) -> Self {
        Self { data: Piece::default(), remainder: Some(Box::new(Remainder::Stream(Box::pin(pieces), None))) }
    }

    /// Lets the connection of the request know what is unsent. A stream keeps the connection busy until its end.
    pub(super) fn track_sending(&mut self, busy: BusyGuard) {
        if !self.data.bytes.is_empty() {
            self.data._unsent = Some(busy.track_unsent());
        }
        if let Some(Remainder::Stream(_, kept)) = self.remainder.as_deref_mut() {
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
        if let Some(Remainder::Stream(pieces, busy)) = self.remainder.as_deref_mut() {
            let piece = pieces.as_mut().poll_next(context);
            let tracked = |bytes| Piece { bytes, _unsent: busy.as_ref().map(BusyGuard::track_unsent) };
            return piece.map(|piece| piece.map(|bytes| Ok(Frame::data(tracked(bytes)))));
        }
        Poll::Ready(match self.remainder.take().map(|remainder| *remainder) {
            Some(Remainder::Trailers(trailers)) => Some(Ok(Frame::trailers(trailers))),
            _ => None,
        })
    }

    fn is_end_stream(&self) -> bool {
        self.data.bytes.is_empty() && self.remainder.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        match self.remainder.as_deref() {
            Some(Remainder::Stream(..)) => SizeHint::default(),
            _ => SizeHint::with_exact(self.data.bytes.len() as u64),
        }
    }
}
