//! Whether another site made the browser send a request.

use super::settings::Settings;
use crate::server::request::headers::RequestHeaders;
use crate::server::request::origin::{Received, X_FORWARDED_PROTO};
use crate::values::Origin;
use crate::values::origin::Site;
use hyper::header::{HeaderName, ORIGIN};

pub static SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

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

pub fn origin(line: &[u8]) -> Option<Origin> {
    Origin::parse(std::str::from_utf8(line).ok()?)
}

#[cfg(test)]
mod tests {
    use hyper::HeaderMap;

    use super::*;
    use crate::config::Config;
    use crate::server::request::origin::tests::received;

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
            let settings = settings(|config| config.cookie_secure = secure);
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
            config.cookie_secure = false;
            config.tls_cert = Some("/cert".into());
        });
        let passes = |origin: &str| from(&settings, "192.0.2.1", &[HOST, ("origin", origin)]);
        assert_eq!((passes("https://app.example"), passes("http://app.example")), (true, false));
    }
}
