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

/// Returns the text after the scheme `Bearer`, or `None` for another scheme.
pub fn bearer(line: &[u8]) -> Option<&[u8]> {
    after_scheme(b"Bearer", line)
}

/// Returns the text after the wanted scheme, in upper or lower case (RFC 9110, section 11.1), or `None` for another scheme.
pub fn after_scheme<'a>(wanted: &[u8], line: &'a [u8]) -> Option<&'a [u8]> {
    let (scheme, rest) = line.split_at_checked(wanted.len())?;
    let is_wanted = scheme.eq_ignore_ascii_case(wanted) && rest.first().is_none_or(|c| *c == b' ');
    is_wanted.then(|| rest.trim_ascii())
}
