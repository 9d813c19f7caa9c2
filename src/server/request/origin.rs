//! What a request says about itself besides its token: where it came from, and what a proxy asks on behalf of.
//!
//! `X-Forwarded-…` and `X-Original-…` count only from peers that the settings trust; anybody can send them.

use std::net::IpAddr;

use hyper::Request;
use hyper::header::{HOST, HeaderMap, HeaderName};

use super::headers::RequestHeaders;
use crate::model::field_rules as rules;
use crate::values::TrustedProxies;
use crate::values::origin::Host;

pub(crate) static X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
pub(crate) static X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
pub(crate) static X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
pub(crate) static X_FORWARDED_METHOD: HeaderName = HeaderName::from_static("x-forwarded-method");
pub(crate) static X_ORIGINAL_METHOD: HeaderName = HeaderName::from_static("x-original-method");
/// Who is at the other end of a connection.
#[derive(Clone, Copy, Debug)]
pub struct Peer {
    /// `None` on a unix socket, and where nobody says it.
    address: Option<IpAddr>,
    is_trusted: bool,
}

impl Peer {
    /// The peer of an accepted connection; `None` is that of a unix socket.
    pub fn new(address: Option<IpAddr>, trusted: &TrustedProxies) -> Self {
        // A listener on [::] sees IPv4 peers as ::ffff:1.2.3.4.
        let address = address.map(|address| address.to_canonical());
        let is_trusted = address.map_or(trusted.unix, |address| trusted.contains(address));
        Self { address, is_trusted }
    }

    /// A peer that nobody names: it is not trusted, whatever the settings say.
    pub fn unknown() -> Self {
        Self { address: None, is_trusted: false }
    }
}

/// A request as far as a judgement needs it.
#[derive(Clone, Copy, Debug)]
pub struct Received<'a, H: ?Sized> {
    /// Its headers.
    pub headers: &'a H,
    /// Its own method.
    pub method: &'a str,
    /// The host of the request's target, which stands for `Host` in HTTP/2.
    pub authority: Option<&'a str>,
    /// Who sent it.
    pub peer: Peer,
}

impl<'a> Received<'a, HeaderMap> {
    /// Of a request.
    pub fn of<B>(request: &'a Request<B>, peer: Peer) -> Self {
        let authority = request.uri().authority().map(|authority| authority.as_str());
        Self { headers: request.headers(), method: request.method().as_str(), authority, peer }
    }
}

impl<H: RequestHeaders + ?Sized> Received<'_, H> {
    /// The client's address: the right-most hop of `X-Forwarded-For` that is no trusted proxy, or the peer's when
    /// that is none itself. `None` where a unix socket's peer tells nothing.
    pub fn client_address(&self, trusted: &TrustedProxies) -> Option<IpAddr> {
        let mut nearest = self.peer.address;
        if !self.peer.is_trusted {
            return nearest;
        }
        let lines = self.headers.values(&X_FORWARDED_FOR).collect::<Vec<_>>();
        for hop in lines.iter().rev().flat_map(|line| line.rsplit(|byte| *byte == b',')) {
            // Beyond a hop that is no address nothing can be told.
            let Some(address) = hop_address(hop) else { break };
            nearest = Some(address);
            if !trusted.contains(address) {
                break;
            }
        }
        nearest
    }

    /// Whether it changes something, as far as its method tells: its own, or one that a trusted proxy says the
    /// request had on whose behalf it asks (RFC 9110, section 9.2.1).
    pub(crate) fn is_unsafe(&self) -> bool {
        const SAFE: [&[u8]; 4] = [b"GET", b"HEAD", b"OPTIONS", b"TRACE"];
        let is_unsafe = |method: &[u8]| !SAFE.contains(&method);
        let forwarded = |name| self.headers.values(name).any(is_unsafe);
        is_unsafe(self.method.as_bytes())
            || self.peer.is_trusted && (forwarded(&X_FORWARDED_METHOD) || forwarded(&X_ORIGINAL_METHOD))
    }

    /// The host that the client asked, as far as the peer may tell. Each proxy appends its own, so the first one is the
    /// host that the browser asked.
    pub(crate) fn host(&self) -> Option<Host> {
        let forwarded = self.first_forwarded(&X_FORWARDED_HOST);
        let own = || self.authority.map(str::as_bytes).or_else(|| self.headers.values(&HOST).next());
        Host::parse(std::str::from_utf8(forwarded.or_else(own)?).ok()?)
    }

    /// The first item of a header that only trusted proxies may set.
    pub(crate) fn first_forwarded<'b>(&'b self, name: &'b HeaderName) -> Option<&'b [u8]> {
        let line = self.headers.values(name).next().filter(|_| self.peer.is_trusted)?;
        line.split(|byte| *byte == b',').next().map(<[u8]>::trim_ascii)
    }
}

pub(crate) fn hop_address(hop: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(hop.trim_ascii()).ok()?;
    rules::ip(text).ok().map(|address| address.to_canonical())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    fn trusted(text: &[&str]) -> TrustedProxies {
        let networks = text.iter().filter(|text| **text != "unix").map(|text| text.parse().unwrap());
        TrustedProxies { networks: networks.collect(), unix: text.contains(&"unix") }
    }

    fn headers(lines: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(name.parse::<hyper::header::HeaderName>().unwrap(), value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn the_client_is_the_nearest_hop_that_is_no_proxy() {
        let proxies = trusted(&["10.0.0.0/8", "::1/128", "unix"]);
        let client = |peer: &str, lines: &[&str]| {
            let headers = headers(&lines.iter().map(|line| ("x-forwarded-for", *line)).collect::<Vec<_>>());
            let peer = Peer::new((peer != "unix").then(|| peer.parse().unwrap()), &proxies);
            let received = Received { headers: &headers, method: "GET", authority: None, peer };
            received.client_address(&proxies).map_or("none".to_owned(), |address| address.to_string())
        };
        assert_eq!(client("203.0.113.9", &["198.51.100.1"]), "203.0.113.9", "anybody may claim anything");
        assert_eq!(client("10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(client("10.0.0.1", &["1.1.1.1, 198.51.100.1"]), "198.51.100.1");
        assert_eq!(client("10.0.0.1", &["1.1.1.1, 198.51.100.1, 10.2.3.4"]), "198.51.100.1");
        assert_eq!(client("10.0.0.1", &["198.51.100.1", "10.9.9.9,10.2.3.4"]), "198.51.100.1");
        assert_eq!(client("::ffff:10.0.0.1", &["2001:db8::1"]), "2001:db8::1");
        assert_eq!(client("::1", &["198.51.100.1:4711"]), "198.51.100.1");
        assert_eq!(client("::1", &["[2001:db8::1]:443"]), "2001:db8::1");
        assert_eq!(client("::1", &["::ffff:198.51.100.1"]), "198.51.100.1");
        assert_eq!(client("10.0.0.1", &["198.51.100.1, unknown, 10.2.3.4"]), "10.2.3.4");
        assert_eq!(client("10.0.0.1", &["10.1.1.1, 10.2.2.2"]), "10.1.1.1", "all are proxies: the first");
        assert_eq!((client("unix", &[]), client("unix", &["1.1.1.1"])), ("none".into(), "1.1.1.1".into()));
    }

    pub(crate) fn received<T>(
        peer: &str,
        lines: &[(&str, &str)],
        method: &str,
        look: impl Fn(&Received<'_, HeaderMap>) -> T,
    ) -> T {
        let peer = Peer::new(Some(peer.parse().unwrap()), &trusted(&["10.0.0.0/8"]));
        look(&Received { headers: &headers(lines), method, authority: Some("h2.example"), peer })
    }

    #[test]
    fn only_a_trusted_peer_tells_of_another_method() {
        let is_unsafe = |peer: &str, lines: &[(&str, &str)], method: &str| {
            received(peer, lines, method, |received| received.is_unsafe())
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
