//! The body of every answer: whole in memory, and with what gRPC sends behind it.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use hyper::HeaderMap;

/// See the module.
#[derive(Debug, Default)]
pub struct Body {
    data: Bytes,
    /// Boxed, as nearly no answer has any.
    trailers: Option<Box<HeaderMap>>,
}

impl Body {
    /// A body of these bytes.
    pub fn new(data: Bytes) -> Self {
        Self { data, trailers: None }
    }

    /// The same with trailers, which only HTTP/2 has room for.
    pub fn with_trailers(self, trailers: HeaderMap) -> Self {
        Self { trailers: Some(Box::new(trailers)), ..self }
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if !self.data.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut self.data)))));
        }
        Poll::Ready(self.trailers.take().map(|trailers| Ok(Frame::trailers(*trailers))))
    }

    fn is_end_stream(&self) -> bool {
        self.data.is_empty() && self.trailers.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.data.len() as u64)
    }
}
