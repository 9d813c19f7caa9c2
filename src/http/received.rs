//! What a request says about itself besides its token: where it came from, and what a proxy asks on behalf of.
//!
//! `X-Forwarded-…` and `X-Original-…` count only from peers that the settings trust; anybody can send them.

use std::net::{IpAddr, SocketAddr};

use hyper::Request;
use hyper::header::{HOST, HeaderMap, HeaderName, ORIGIN};

use super::headers::RequestHeaders;
use super::validation::Settings;
use crate::config::TrustedProxies;

static X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
static X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
static X_FORWARDED_METHOD: HeaderName = HeaderName::from_static("x-forwarded-method");
static X_ORIGINAL_METHOD: HeaderName = HeaderName::from_static("x-original-method");
static SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Who is at the other end of a connection.
#[derive(Clone, Copy, Debug)]
pub struct Peer {
    /// `None` on a unix socket.
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
    fn is_unsafe(&self) -> bool {
        const SAFE: [&[u8]; 4] = [b"GET", b"HEAD", b"OPTIONS", b"TRACE"];
        let is_unsafe = |method: &[u8]| !SAFE.contains(&method);
        let forwarded = |name| self.headers.values(name).any(is_unsafe);
        is_unsafe(self.method.as_bytes())
            || self.peer.is_trusted && (forwarded(&X_FORWARDED_METHOD) || forwarded(&X_ORIGINAL_METHOD))
    }

    /// The host that the client asked, as far as the peer may tell.
    fn host(&self) -> Option<&[u8]> {
        let forwarded = self.headers.values(&X_FORWARDED_HOST).next().filter(|_| self.peer.is_trusted);
        let host = forwarded.or_else(|| self.headers.values(&HOST).next());
        host.or(self.authority.map(str::as_bytes))
    }
}

/// An address, with or without a port.
fn hop_address(hop: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(hop.trim_ascii()).ok()?;
    let address = text.parse().or_else(|_| text.parse().map(|address: SocketAddr| address.ip()));
    address.ok().map(|address: IpAddr| address.to_canonical())
}

impl Settings {
    /// Whether another site made the browser send a request with its cookie that changes something, and the
    /// settings refuse that.
    pub fn is_forged(&self, received: &Received<'_, impl RequestHeaders + ?Sized>) -> bool {
        self.cookie_csrf_check && received.is_unsafe() && !self.is_same_site(received)
    }

    /// Whether a request that a browser sent with its cookies comes from our own pages: another site may make
    /// a browser send it, but not hide where it comes from (Fetch standard, `Origin` and `Sec-Fetch-Site`).
    pub fn is_same_site(&self, received: &Received<'_, impl RequestHeaders + ?Sized>) -> bool {
        let own = received.host();
        let is_ours = |origin: &[u8]| {
            let host = origin.windows(3).position(|window| window == b"://").map(|at| &origin[at + 3..]);
            host.zip(own).is_some_and(|(host, own)| host.eq_ignore_ascii_case(own))
                || self.allowed_origins.iter().any(|allowed| origin == allowed.as_bytes())
        };
        let is_cross_site = received.headers.values(&SEC_FETCH_SITE).any(|site| site == b"cross-site");
        let is_same_site = !is_cross_site && received.headers.values(&ORIGIN).all(is_ours);
        if !is_same_site {
            let address = received.client_address(&self.trusted_proxies);
            tracing::debug!(?address, "another site sent a cookie");
        }
        is_same_site
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

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

    fn received<T>(
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

    #[test]
    fn only_our_own_pages_are_of_the_same_site() {
        let config = Config { allowed_origins: vec!["https://app.example".into()], ..Config::default() };
        let settings = Settings::of(&config);
        let from = |peer: &str, lines: &[(&str, &str)]| {
            received(peer, lines, "POST", |received| settings.is_same_site(received))
        };
        let same_site = |lines: &[(&str, &str)]| from("192.0.2.1", lines);
        let host = ("host", "auth.example:8080");
        assert!(same_site(&[host]));
        assert!(same_site(&[host, ("origin", "http://auth.example:8080")]));
        assert!(same_site(&[host, ("origin", "https://app.example")]));
        assert!(same_site(&[host, ("sec-fetch-site", "same-origin")]));
        assert!(!same_site(&[host, ("origin", "https://auth.example")]));
        assert!(!same_site(&[host, ("origin", "null")]));
        assert!(!same_site(&[("origin", "https://evil.example")]));
        assert!(same_site(&[("origin", "https://h2.example")]));
        let foreign = [host, ("origin", "http://auth.example:8080"), ("sec-fetch-site", "cross-site")];
        assert!(!same_site(&foreign));
        let forwarded = [host, ("x-forwarded-host", "shop.example"), ("origin", "https://shop.example")];
        assert_eq!((from("10.0.0.1", &forwarded), same_site(&forwarded)), (true, false));
    }
}
