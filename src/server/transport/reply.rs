//! The answer to a request, at hand or to be waited for.

use std::pin::Pin;

use hyper::Response;
use hyper::body::Body as _;

use super::body::Body;

/// A response, at hand or to be waited for. The hot path's response is at hand: a future with room for everything that
/// a request might need would be moved and polled for nothing.
pub enum Reply {
    /// A response at hand; taken once.
    Now(Option<Response<Body>>),
    /// A response to wait for.
    Later(Pin<Box<dyn Future<Output = Response<Body>> + Send>>),
}

impl Reply {
    /// A response at hand.
    pub fn now(response: Response<Body>) -> Self {
        Self::Now(Some(response))
    }

    /// A response to be waited for.
    pub fn later(response: impl Future<Output = Response<Body>> + Send + 'static) -> Self {
        Self::Later(Box::pin(response))
    }

    /// Whether it keeps its connection busy: it is waited for, or has a body to be sent.
    pub(crate) fn takes_time(&self) -> bool {
        match self {
            Self::Now(response) => response.as_ref().is_some_and(|response| !response.body().is_end_stream()),
            Self::Later(_) => true,
        }
    }
}
