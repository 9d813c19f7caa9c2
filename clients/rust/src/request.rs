//! The client's request: what Doorward needs of it.

use std::fmt;
use std::net::IpAddr;

use bytes::Bytes;
use http::header::{AUTHORIZATION, HOST, InvalidHeaderValue};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request};

use crate::credentials::find_token;
use crate::identity::Via;

/// The headers of the client's request that Doorward reads, besides those about its address.
const READ_HEADERS: [&str; 7] =
    ["authorization", "cookie", "origin", "sec-fetch-site", "traceparent", "tracestate", "x-request-id"];

const MAX_TOKEN_BYTES: usize = 1024;

/// A client's request to the application.
///
/// The address, scheme and host are those that the application itself knows, never what the client's own `X-Forwarded-…`
/// headers say.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct ClientRequest<'a> {
    /// All headers. They hold the token.
    pub headers: &'a HeaderMap,
    /// The method.
    pub method: &'a Method,
    /// `http` or `https`.
    pub scheme: &'a str,
    /// The host, with the port if there is one.
    pub host: Option<&'a str>,
    /// The client's address.
    pub client: Option<IpAddr>,
}

impl<'a> ClientRequest<'a> {
    /// Describes a request that has these headers. The scheme is `http`.
    pub fn new(method: &'a Method, headers: &'a HeaderMap) -> Self {
        let host = headers.get(HOST).and_then(|host| host.to_str().ok());
        Self { headers, method, scheme: "http", host, client: None }
    }

    /// Finds the token string in `Authorization: Bearer`, which decides alone, or else in the cookie of that name. An
    /// ambiguous request has an empty token string, which is never valid.
    pub fn token(&self, cookie_name: &str) -> Option<(&'a str, Via)> {
        find_token(self.headers, cookie_name)
    }

    /// Sets the scheme, `http` or `https`.
    #[must_use]
    pub fn with_scheme(mut self, scheme: &'a str) -> Self {
        self.scheme = scheme;
        self
    }

    /// Sets the client's address.
    #[must_use]
    pub fn with_client(mut self, client: Option<IpAddr>) -> Self {
        self.client = client;
        self
    }
}

impl<'a> From<&'a Parts> for ClientRequest<'a> {
    fn from(parts: &'a Parts) -> Self {
        let mut request = Self::new(&parts.method, &parts.headers);
        // HTTP/2 has the host in the URI.
        request.host = request.host.or(parts.uri.authority().map(|authority| authority.as_str()));
        request
    }
}

impl fmt::Debug for ClientRequest<'_> {
    /// Omits the headers, which hold the token.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("ClientRequest");
        shown.field("method", self.method).field("scheme", &self.scheme).field("host", &self.host);
        shown.field("client", &self.client).finish_non_exhaustive()
    }
}

/// Returns whether a string could be a token: visible ASCII of a moderate length. Other strings need not be sent.
pub(crate) fn is_sendable(token: &str) -> bool {
    (1..=MAX_TOKEN_BYTES).contains(&token.len()) && token.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Returns headers with nothing but a token.
pub(crate) fn bearing(token: &str) -> HeaderMap {
    let token = if is_sendable(token) { token } else { "-" };
    let mut headers = HeaderMap::new();
    if let Ok(value) = sensitive(&format!("Bearer {token}")) {
        headers.insert(AUTHORIZATION, value);
    }
    headers
}

/// Returns a header value that `Debug` does not show.
pub(crate) fn sensitive(text: &str) -> Result<HeaderValue, InvalidHeaderValue> {
    let mut value = HeaderValue::try_from(text)?;
    value.set_sensitive(true);
    Ok(value)
}

/// Asks the validation plane about a request; `further` are headers that Doorward's settings give a meaning.
pub(crate) fn question(
    method: Method,
    path: &str,
    client: &ClientRequest<'_>,
    further: &[HeaderName],
) -> Result<Request<Bytes>, http::Error> {
    let mut request = Request::builder().method(method).uri(path).body(Bytes::new())?;
    let headers = request.headers_mut();
    for (name, value) in client.headers {
        if READ_HEADERS.contains(&name.as_str()) || further.contains(name) {
            headers.append(name, value.clone());
        }
    }
    if let Some(address) = client.client {
        headers.insert("x-forwarded-for", HeaderValue::try_from(address.to_string())?);
    }
    if let Some(host) = client.host {
        let host = HeaderValue::try_from(host)?;
        headers.insert("x-forwarded-host", host.clone());
        headers.insert(HOST, host);
    }
    headers.insert("x-forwarded-proto", HeaderValue::try_from(client.scheme)?);
    headers.insert("x-forwarded-method", HeaderValue::try_from(client.method.as_str())?);
    Ok(request)
}
