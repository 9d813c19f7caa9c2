//! The headers of a request, whatever parsed them: hyper, the fast path or Envoy.

use http::header::{HeaderMap, HeaderName, HeaderValue};

/// The headers of a request. Decisions are written once, over this trait.
pub trait RequestHeaders {
    /// Returns the values of all lines of this name, in their order.
    fn values<'a>(&'a self, name: &'a HeaderName) -> impl Iterator<Item = &'a [u8]>;
}

impl RequestHeaders for HeaderMap {
    fn values<'a>(&'a self, name: &'a HeaderName) -> impl Iterator<Item = &'a [u8]> {
        self.get_all(name).iter().map(HeaderValue::as_bytes)
    }
}
