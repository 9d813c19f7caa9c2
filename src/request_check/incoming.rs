//! A request to be decided on.

use std::net::IpAddr;

use http::request::Parts;
use http::{HeaderMap, Method, Request, Uri};

/// A request, as far as a decision depends on it.
#[derive(Clone, Copy, Debug)]
pub struct IncomingRequest<'a> {
    /// Its headers.
    pub headers: &'a HeaderMap,
    /// Its method.
    pub method: &'a Method,
    /// Its target. In HTTP/2, this has the host.
    pub uri: &'a Uri,
    /// The address of the other end of the connection. `None` on a Unix socket, and if it is not known.
    pub address: Option<IpAddr>,
}

impl<'a> IncomingRequest<'a> {
    /// A request with these parts that came from this address.
    pub fn of_parts(parts: &'a Parts, address: Option<IpAddr>) -> Self {
        let Parts { headers, method, uri, .. } = parts;
        Self { headers, method, uri, address }
    }

    /// Makes it of a request that came from this address.
    pub fn of<B>(request: &'a Request<B>, address: Option<IpAddr>) -> Self {
        Self { headers: request.headers(), method: request.method(), uri: request.uri(), address }
    }
}
