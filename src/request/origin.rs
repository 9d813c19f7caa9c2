//! The origin of a request: the client's address, the host and the method, through all trusted proxies.
//!
//! `X-Forwarded-…` and `X-Original-…` count only from trusted proxies: any client can send them.

use std::borrow::Cow;
use std::net::IpAddr;

use http::Request;
use http::header::{HOST, HeaderMap, HeaderName};

use super::headers::RequestHeaders;
use super::places::CredentialPlaces;
use super::request_id::request_id_in;
use crate::logging::audit::AuditedRequest;
use crate::model::field_rules as rules;
use crate::values::TrustedProxies;
use crate::values::origin::Host;

static X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
static X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
static X_FORWARDED_METHOD: HeaderName = HeaderName::from_static("x-forwarded-method");
static X_ORIGINAL_METHOD: HeaderName = HeaderName::from_static("x-original-method");
static X_FORWARDED_URI: HeaderName = HeaderName::from_static("x-forwarded-uri");
static X_ORIGINAL_URI: HeaderName = HeaderName::from_static("x-original-uri");
static X_ORIGINAL_URL: HeaderName = HeaderName::from_static("x-original-url");

/// The parts of a request that say where it came from and what it wants.
#[derive(Debug)]
pub struct RequestOrigin<'a, H: ?Sized> {
    /// Its headers.
    pub headers: &'a H,
    /// Its own method: a proxy's subrequest may have another than the client's request.
    pub method: &'a str,
    /// The host of the request's target, which replaces `Host` in HTTP/2.
    pub authority: Option<&'a str>,
    /// The client or proxy that sent it.
    pub client: DirectClient,
}

// Not derived: that would demand the same of the headers.
impl<H: ?Sized> Clone for RequestOrigin<'_, H> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<H: ?Sized> Copy for RequestOrigin<'_, H> {}

impl<'a> RequestOrigin<'a, HeaderMap> {
    /// The origin of a request that hyper parsed.
    pub fn of<B>(request: &'a Request<B>, client: DirectClient) -> Self {
        let authority = request.uri().authority().map(|authority| authority.as_str());
        Self { headers: request.headers(), method: request.method().as_str(), authority, client }
    }
}

impl<H: RequestHeaders + ?Sized> RequestOrigin<'_, H> {
    /// Returns the client's address: the right-most hop of `X-Forwarded-For` that is not a trusted proxy, or the direct
    /// client's address if that is not a trusted proxy. `None` if the client is on a Unix socket and no hop is known.
    pub fn client_address(&self, trusted: &TrustedProxies) -> Option<IpAddr> {
        let mut nearest = self.client.address;
        if !self.client.is_trusted {
            return nearest;
        }
        let lines = self.headers.values(&X_FORWARDED_FOR).collect::<Vec<_>>();
        for hop in lines.iter().rev().flat_map(|line| line.rsplit(|byte| *byte == b',')) {
            // If a hop is not an address, the hops before it mean nothing.
            let Some(address) = hop_address(hop) else { break };
            nearest = Some(address);
            if !trusted.contains(address) {
                break;
            }
        }
        nearest
    }

    /// Returns the part of an audit line that comes from the request. Apart, so that the code of the hot path is no larger for it.
    #[inline(never)]
    pub(crate) fn audited(&self, trusted: &TrustedProxies, places: &CredentialPlaces) -> AuditedRequest {
        let id = request_id_in(self.headers, places).map(str::to_owned);
        AuditedRequest { address: self.client_address(trusted), id }
    }

    /// Whether the method is unsafe (RFC 9110, section 9.2.1): the request's own method, or one that a trusted proxy
    /// forwards.
    pub(crate) fn is_unsafe(&self) -> bool {
        const SAFE: [&[u8]; 4] = [b"GET", b"HEAD", b"OPTIONS", b"TRACE"];
        let is_unsafe = |method: &[u8]| !SAFE.contains(&method);
        let forwarded = |name| self.headers.values(name).any(is_unsafe);
        is_unsafe(self.method.as_bytes())
            || self.client.is_trusted && (forwarded(&X_FORWARDED_METHOD) || forwarded(&X_ORIGINAL_METHOD))
    }

    /// Returns the host that the browser requested. Each trusted proxy appends the host that it was asked for, so the first
    /// one counts.
    pub(crate) fn host(&self) -> Option<Host> {
        let forwarded = self.first_forwarded(&X_FORWARDED_HOST);
        let own = || self.authority.map(str::as_bytes).or_else(|| self.headers.values(&HOST).next());
        Host::parse(std::str::from_utf8(forwarded.or_else(own)?).ok()?)
    }

    /// Returns the method that the client used, if a trusted proxy forwards it.
    pub(crate) fn original_method(&self) -> Option<Cow<'_, str>> {
        let method = |name| self.first_forwarded(name);
        method(&X_FORWARDED_METHOD).or_else(|| method(&X_ORIGINAL_METHOD)).map(String::from_utf8_lossy)
    }

    /// Returns the target that the client asked for, without scheme and host, if a trusted proxy forwards it.
    pub(crate) fn original_path(&self) -> Option<Cow<'_, str>> {
        let line = |name| self.headers.values(name).next().filter(|_| self.client.is_trusted);
        let target = [&X_FORWARDED_URI, &X_ORIGINAL_URI, &X_ORIGINAL_URL].into_iter().find_map(line)?;
        let target = String::from_utf8_lossy(target);
        let path_of_url = target.split_once("://").filter(|(scheme, _)| !scheme.contains('/'));
        match path_of_url {
            None => Some(target),
            Some((_, rest)) => {
                Some(rest.find('/').map_or_else(String::new, |at| rest[at..].to_owned()).into())
            }
        }
    }

    /// Returns the first item of a header that only trusted proxies may set.
    pub(crate) fn first_forwarded<'b>(&'b self, name: &'b HeaderName) -> Option<&'b [u8]> {
        let line = self.headers.values(name).next().filter(|_| self.client.is_trusted)?;
        line.split(|byte| *byte == b',').next().map(<[u8]>::trim_ascii)
    }
}

fn hop_address(hop: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(hop.trim_ascii()).ok()?;
    rules::ip(text).ok().map(|address| address.to_canonical())
}

#[cfg(test)]
pub mod tests {
    use super::*;

    fn trusted(text: &[&str]) -> TrustedProxies {
        let networks = text.iter().filter(|text| **text != "unix").map(|text| text.parse().unwrap());
        TrustedProxies { networks: networks.collect(), unix: text.contains(&"unix") }
    }

    fn headers(lines: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(name.parse::<http::header::HeaderName>().unwrap(), value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn the_client_is_the_nearest_hop_that_is_not_a_proxy() {
        let proxies = trusted(&["10.0.0.0/8", "::1/128", "unix"]);
        let client = |direct: &str, lines: &[&str]| {
            let headers = headers(&lines.iter().map(|line| ("x-forwarded-for", *line)).collect::<Vec<_>>());
            let client = DirectClient::new((direct != "unix").then(|| direct.parse().unwrap()), &proxies);
            let origin = RequestOrigin { headers: &headers, method: "GET", authority: None, client };
            origin.client_address(&proxies).map_or("none".to_owned(), |address| address.to_string())
        };
        assert_eq!(client("203.0.113.9", &["198.51.100.1"]), "203.0.113.9", "any client can send the header");
        assert_eq!(client("10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(client("10.0.0.1", &["1.1.1.1, 198.51.100.1"]), "198.51.100.1");
        assert_eq!(client("10.0.0.1", &["1.1.1.1, 198.51.100.1, 10.2.3.4"]), "198.51.100.1");
        assert_eq!(client("10.0.0.1", &["198.51.100.1", "10.9.9.9,10.2.3.4"]), "198.51.100.1");
        assert_eq!(client("::ffff:10.0.0.1", &["2001:db8::1"]), "2001:db8::1");
        assert_eq!(client("::1", &["198.51.100.1:4711"]), "198.51.100.1");
        assert_eq!(client("::1", &["[2001:db8::1]:443"]), "2001:db8::1");
        assert_eq!(client("::1", &["::ffff:198.51.100.1"]), "198.51.100.1");
        assert_eq!(client("10.0.0.1", &["198.51.100.1, unknown, 10.2.3.4"]), "10.2.3.4");
        assert_eq!(
            client("10.0.0.1", &["10.1.1.1, 10.2.2.2"]),
            "10.1.1.1",
            "only proxies: the first one counts"
        );
        assert_eq!((client("unix", &[]), client("unix", &["1.1.1.1"])), ("none".into(), "1.1.1.1".into()));
    }

    pub fn with_origin<T>(
        client: &str,
        lines: &[(&str, &str)],
        method: &str,
        look: impl Fn(&RequestOrigin<'_, HeaderMap>) -> T,
    ) -> T {
        let client = DirectClient::new(Some(client.parse().unwrap()), &trusted(&["10.0.0.0/8"]));
        look(&RequestOrigin { headers: &headers(lines), method, authority: Some("h2.example"), client })
    }

    #[test]
    fn only_a_trusted_proxy_can_forward_the_target() {
        let path = |client: &str, name: &str, target: &str| {
            with_origin(client, &[(name, target)], "GET", |origin| {
                origin.original_path().map(Cow::into_owned)
            })
        };
        for name in ["x-forwarded-uri", "x-original-uri", "x-original-url"] {
            assert_eq!(path("10.0.0.1", name, "/a,b?c").as_deref(), Some("/a,b?c"));
            assert_eq!(path("192.0.2.1", name, "/a"), None);
        }
        assert_eq!(path("10.0.0.1", "x-original-url", "https://a.example/b?c").as_deref(), Some("/b?c"));
        assert_eq!(path("10.0.0.1", "x-original-url", "https://a.example").as_deref(), Some(""));
        assert_eq!(
            path("10.0.0.1", "x-original-uri", "/login?next=https://a/").as_deref(),
            Some("/login?next=https://a/")
        );
    }

    #[test]
    fn only_a_trusted_proxy_can_forward_another_method() {
        let is_unsafe = |client: &str, lines: &[(&str, &str)], method: &str| {
            with_origin(client, lines, method, |origin| origin.is_unsafe())
        };
        for name in ["x-forwarded-method", "x-original-method"] {
            assert!(is_unsafe("10.0.0.1", &[(name, "POST")], "GET"));
            assert!(is_unsafe("10.0.0.1", &[(name, "GET"), (name, "x")], "GET"));
            assert!(!is_unsafe("10.0.0.1", &[(name, "HEAD")], "GET"));
            assert!(!is_unsafe("192.0.2.1", &[(name, "POST")], "GET"));
            assert!(is_unsafe("10.0.0.1", &[(name, "GET")], "DELETE"));
        }
    }
}

/// The other end of a connection: the client itself, or the last proxy before this server.
#[derive(Clone, Copy, Debug)]
pub struct DirectClient {
    /// `None` on a Unix socket, and if the address is not known.
    pub(super) address: Option<IpAddr>,
    /// Whether its forwarding headers count.
    pub(super) is_trusted: bool,
}

impl DirectClient {
    /// The client of an accepted connection. `None` is the address of a client on a Unix socket.
    pub fn new(address: Option<IpAddr>, trusted: &TrustedProxies) -> Self {
        // A listener on [::] sees IPv4 clients as ::ffff:1.2.3.4.
        let address = address.map(|address| address.to_canonical());
        let is_trusted = address.map_or(trusted.unix, |address| trusted.contains(address));
        Self { address, is_trusted }
    }

    /// A client whose address is not known. It is never trusted, whatever the settings say.
    pub fn unknown() -> Self {
        Self { address: None, is_trusted: false }
    }
}
