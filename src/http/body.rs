//! The body of every answer: whole in memory, and with what gRPC sends behind it; or a stream, of the feed.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::Stream;
use http_body::{Frame, SizeHint};
use hyper::HeaderMap;

use super::connections::Busy;

/// See the module.
#[derive(Default)]
pub struct Body {
    data: Bytes,
    /// Boxed, as nearly no answer has any.
    then: Option<Box<Then>>,
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
        Self { data, then: None }
    }

    /// The same with trailers, which only HTTP/2 has room for.
    pub fn with_trailers(self, trailers: HeaderMap) -> Self {
        Self { then: Some(Box::new(Then::Trailers(trailers))), ..self }
    }

    /// A body that comes in pieces.
    pub fn stream(pieces: impl Stream<Item = Bytes> + Send + 'static) -> Self {
        Self { data: Bytes::new(), then: Some(Box::new(Then::Stream(Box::pin(pieces), None))) }
    }

    /// The connection is busy until the last piece is sent.
    pub fn keep_busy(&mut self, busy: Option<Busy>) {
        if let Some(Then::Stream(_, kept)) = self.then.as_deref_mut() {
            *kept = busy;
        }
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if !self.data.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut self.data)))));
        }
        if let Some(Then::Stream(pieces, _)) = self.then.as_deref_mut() {
            return pieces.as_mut().poll_next(context).map(|piece| piece.map(|data| Ok(Frame::data(data))));
        }
        Poll::Ready(match self.then.take().map(|then| *then) {
            Some(Then::Trailers(trailers)) => Some(Ok(Frame::trailers(trailers))),
            _ => None,
        })
    }

    fn is_end_stream(&self) -> bool {
        self.data.is_empty() && self.then.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        match self.then.as_deref() {
            Some(Then::Stream(..)) => SizeHint::default(),
            _ => SizeHint::with_exact(self.data.len() as u64),
        }
    }
}
