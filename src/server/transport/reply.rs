//! An answer, at hand or to be waited for.

use super::body::Body;
use hyper::Response;
use hyper::body::Body as _;
use std::pin::Pin;

/// An answer, at hand or to be waited for. The hot path's is at hand: a future that holds everything a request
/// might need is moved and polled for nothing then.
pub enum Reply {
    /// At hand; taken once.
    Now(Option<Response<Body>>),
    /// To be waited for.
    Later(Pin<Box<dyn Future<Output = Response<Body>> + Send>>),
}

impl Reply {
    /// An answer at hand.
    pub fn now(response: Response<Body>) -> Self {
        Self::Now(Some(response))
    }

    /// An answer to be waited for.
    pub fn later(response: impl Future<Output = Response<Body>> + Send + 'static) -> Self {
        Self::Later(Box::pin(response))
    }

    /// Whether it keeps its connection busy: it is waited for, or there is a body to be sent.
    pub(crate) fn takes_time(&self) -> bool {
        match self {
            Self::Now(response) => response.as_ref().is_some_and(|response| !response.body().is_end_stream()),
            Self::Later(_) => true,
        }
    }
}
