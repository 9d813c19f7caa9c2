//! What a request says about itself besides its token: where it came from, and what a proxy asks on behalf of.
//!
//! `X-Forwarded-…` and `X-Original-…` count only from peers that the settings trust; anybody can send them.

use std::net::IpAddr;

use hyper::Request;
use hyper::header::{HOST, HeaderMap, HeaderName, ORIGIN};

use super::headers::RequestHeaders;
use crate::model::field_rules as rules;
use crate::server::auth::settings::Settings;
use crate::values::origin::{Host, Site};
use crate::values::{Origin, TrustedProxies};

static X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
static X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
static X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
static X_FORWARDED_METHOD: HeaderName = HeaderName::from_static("x-forwarded-method");
static X_ORIGINAL_METHOD: HeaderName = HeaderName::from_static("x-original-method");
static SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

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
    fn is_unsafe(&self) -> bool {
        const SAFE: [&[u8]; 4] = [b"GET", b"HEAD", b"OPTIONS", b"TRACE"];
        let is_unsafe = |method: &[u8]| !SAFE.contains(&method);
        let forwarded = |name| self.headers.values(name).any(is_unsafe);
        is_unsafe(self.method.as_bytes())
            || self.peer.is_trusted && (forwarded(&X_FORWARDED_METHOD) || forwarded(&X_ORIGINAL_METHOD))
    }

    /// The host that the client asked, as far as the peer may tell. Each proxy appends its own, so the first one is the
    /// host that the browser asked.
    fn host(&self) -> Option<Host> {
        let forwarded = self.first_forwarded(&X_FORWARDED_HOST);
        let own = || self.authority.map(str::as_bytes).or_else(|| self.headers.values(&HOST).next());
        Host::parse(std::str::from_utf8(forwarded.or_else(own)?).ok()?)
    }

    /// The first item of a header that only trusted proxies may set.
    fn first_forwarded<'b>(&'b self, name: &'b HeaderName) -> Option<&'b [u8]> {
        let line = self.headers.values(name).next().filter(|_| self.peer.is_trusted)?;
        line.split(|byte| *byte == b',').next().map(<[u8]>::trim_ascii)
    }
}

fn hop_address(hop: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(hop.trim_ascii()).ok()?;
    rules::ip(text).ok().map(|address| address.to_canonical())
}

impl Settings {
    /// Whether another site made the browser send a request with its cookie that changes something, and the
    /// settings refuse that.
    pub fn is_forged(&self, received: &Received<'_, impl RequestHeaders + ?Sized>) -> bool {
        self.cookie_csrf_check && received.is_unsafe() && !self.is_same_site(received)
    }

    /// Whether a request that a browser sent with its cookies comes from the site's own pages or from an allowed origin.
    /// Another site may make a browser send a request, but not hide where it comes from (Fetch Metadata, Fetch).
    ///
    /// 1. `Sec-Fetch-Site: same-site` or `cross-site`: only from an allowed origin.
    /// 2. `Sec-Fetch-Site: same-origin` or `none`: yes. The origin may be `null` there: a form under the policy
    ///    `no-referrer` sends that.
    /// 3. Without a known `Sec-Fetch-Site`: every `Origin` must be the site's own or allowed.
    /// 4. With neither: yes. All browsers send `Origin` with what changes something.
    pub fn is_same_site(&self, received: &Received<'_, impl RequestHeaders + ?Sized>) -> bool {
        let says = |values: [&[u8]; 2]| received.headers.values(&SEC_FETCH_SITE).any(|v| values.contains(&v));
        let mut origins = received.headers.values(&ORIGIN).map(origin).peekable();
        let is_allowed = |origin: &Option<Origin>| {
            origin.as_ref().is_some_and(|origin| self.allowed_origins.contains(origin))
        };
        let is_same_site = if says([b"same-site", b"cross-site"]) {
            origins.peek().is_some() && origins.all(|origin| is_allowed(&origin))
        } else if says([b"same-origin", b"none"]) {
            true
        } else {
            let site = self.site(received);
            let is_own = |origin: &Option<Origin>| {
                site.as_ref().zip(origin.as_ref()).is_some_and(|(site, origin)| site.is_own(origin))
            };
            origins.all(|origin| is_own(&origin) || is_allowed(&origin))
        };
        if !is_same_site {
            let address = received.client_address(&self.trusted_proxies);
            tracing::debug!(?address, "request of another site refused");
        }
        is_same_site
    }

    /// The site that the client asked. Whether browsers reach it by HTTPS, a trusted proxy says. Where none does, they do
    /// when this listener speaks TLS and when the cookie is a `Secure` one: no other request carries that.
    fn site(&self, received: &Received<'_, impl RequestHeaders + ?Sized>) -> Option<Site> {
        let scheme = received.first_forwarded(&X_FORWARDED_PROTO);
        let is_https =
            scheme.map_or(self.is_tls || self.cookie.secure, |scheme| scheme.eq_ignore_ascii_case(b"https"));
        Some(Site { host: received.host()?, is_https })
    }
}

fn origin(line: &[u8]) -> Option<Origin> {
    Origin::parse(std::str::from_utf8(line).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::definition::Config;

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

    fn settings(changed: impl FnOnce(&mut Config)) -> Settings {
        let allowed_origins = vec![Origin::parse("https://shop.example").unwrap()];
        let mut config = Config { allowed_origins, ..Config::default() };
        changed(&mut config);
        Settings::of(&config)
    }

    const HOST: (&str, &str) = ("host", "app.example");

    fn from(settings: &Settings, peer: &str, lines: &[(&str, &str)]) -> bool {
        let authority_of_http_1 = |received: &Received<'_, HeaderMap>| {
            let Received { headers, method, peer, .. } = *received;
            settings.is_same_site(&Received { headers, method, authority: None, peer })
        };
        received(peer, lines, "POST", authority_of_http_1)
    }

    #[test]
    fn sec_fetch_site_decides_where_it_is() {
        let settings = settings(|_| ());
        let passes = |site: &str, origin: Option<&str>| {
            let mut lines = vec![HOST, ("sec-fetch-site", site)];
            lines.extend(origin.map(|origin| ("origin", origin)));
            from(&settings, "192.0.2.1", &lines)
        };
        let (own, allowed, foreign) = ("https://app.example", "https://shop.example", "https://evil.example");
        for site in ["same-origin", "none"] {
            for origin in [None, Some("null"), Some(own), Some(allowed)] {
                assert!(passes(site, origin), "{site} {origin:?}");
            }
        }
        for site in ["same-site", "cross-site"] {
            assert!(passes(site, Some(allowed)), "{site}");
            for origin in [None, Some("null"), Some(own), Some(foreign)] {
                assert!(!passes(site, origin), "{site} {origin:?}");
            }
        }
        // A value that no standard names decides nothing.
        assert!(passes("same-planet", Some(own)) && !passes("same-planet", Some(foreign)));
        let both = [HOST, ("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site")];
        assert!(!from(&settings, "192.0.2.1", &both));
    }

    #[test]
    fn without_it_origins_are_compared() {
        let settings = settings(|_| ());
        let passes = |host: &str, origins: &[&str]| {
            let origins = origins.iter().map(|origin| ("origin", *origin));
            from(&settings, "192.0.2.1", &[("host", host)].into_iter().chain(origins).collect::<Vec<_>>())
        };
        assert!(passes("app.example", &[]));
        assert!(passes("app.example", &["https://app.example"]));
        assert!(passes("app.example:443", &["https://APP.example"]));
        assert!(passes("app.example", &["https://shop.example:443"]));
        assert!(passes("localhost:8080", &["http://localhost:8080"]));
        assert!(!passes("app.example", &["null"]));
        assert!(!passes("app.example", &["https://evil.example"]));
        assert!(!passes("app.example", &["https://app.example:8443"]));
        assert!(!passes("app.example", &["http://app.example"]), "its cookie is for https only");
        assert!(!passes("app.example", &["https://app.example", "https://evil.example"]));
        assert!(!passes("app example", &["https://app.example"]));
        let received_by_http_2 =
            received("192.0.2.1", &[("origin", "https://h2.example")], "POST", |received| {
                settings.is_same_site(received)
            });
        assert!(received_by_http_2);
    }

    #[test]
    fn only_a_trusted_peer_tells_of_the_site() {
        for secure in [true, false] {
            let settings = settings(|config| config.cookie.secure = secure);
            let passes =
                |peer: &str, lines: &[(&str, &str)]| from(&settings, peer, &[&[HOST], lines].concat());
            let foreign = ("origin", "https://cdn.example");
            for host in
                ["cdn.example", "cdn.example:443", "cdn.example, app.internal", "cdn.example:443,b:80"]
            {
                let lines = [("x-forwarded-host", host), foreign];
                assert!(passes("10.0.0.1", &lines) && !passes("192.0.2.1", &lines), "{host}");
            }
            let by_http = ("origin", "http://app.example");
            for (proto, is_own) in
                [("https", false), ("HTTPS, http", false), ("http", true), ("http, https", true)]
            {
                let lines = [("x-forwarded-proto", proto), by_http];
                assert_eq!(passes("10.0.0.1", &lines), is_own, "{proto}");
                assert_eq!(passes("192.0.2.1", &lines), !secure, "anybody may claim that");
            }
        }
    }

    #[test]
    fn a_listener_with_tls_has_no_http_pages() {
        let settings = settings(|config| {
            config.cookie.secure = false;
            config.tls.cert = Some("/cert".into());
        });
        let passes = |origin: &str| from(&settings, "192.0.2.1", &[HOST, ("origin", origin)]);
        assert_eq!((passes("https://app.example"), passes("http://app.example")), (true, false));
    }
}
