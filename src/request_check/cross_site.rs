//! Whether another site made the browser send a request (cross-site request forgery).

use http::header::{HeaderName, ORIGIN};

use super::settings::ValidationSettings;
use crate::request::headers::RequestHeaders;
use crate::request::origin::RequestOrigin;
use crate::values::Origin;
use crate::values::origin::Site;

static SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
static X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Whether an auth subrequest with the cookie has to be refused: its method is unsafe, another site made the browser
/// send it, and `cookie-csrf-check` is on.
pub(super) fn is_forged(
    settings: &ValidationSettings,
    request: &RequestOrigin<'_, impl RequestHeaders + ?Sized>,
) -> bool {
    settings.cookie_csrf_check && request.is_unsafe() && !is_same_site(settings, request)
}

/// Whether a request that a browser sent with its cookies comes from the site's own pages or from an allowed origin.
/// Another site can make a browser send a request, but cannot hide its origin (Fetch Metadata, Fetch).
///
/// 1. `Sec-Fetch-Site: same-site` or `cross-site`: only from an allowed origin.
/// 2. `Sec-Fetch-Site: same-origin` or `none`: yes. The origin may be `null` there: a form under the policy
///    `no-referrer` sends that.
/// 3. Without a known `Sec-Fetch-Site`: every `Origin` must be the site's own or allowed.
/// 4. With neither header: yes. All browsers send `Origin` with unsafe requests.
pub(crate) fn is_same_site(
    settings: &ValidationSettings,
    request: &RequestOrigin<'_, impl RequestHeaders + ?Sized>,
) -> bool {
    let says = |values: [&[u8]; 2]| request.headers.values(&SEC_FETCH_SITE).any(|v| values.contains(&v));
    let mut origins = request.headers.values(&ORIGIN).map(parse_origin).peekable();
    let is_allowed = |origin: &Option<Origin>| {
        origin.as_ref().is_some_and(|origin| settings.allowed_origins.contains(origin))
    };
    let is_same_site = if says([b"same-site", b"cross-site"]) {
        origins.peek().is_some() && origins.all(|origin| is_allowed(&origin))
    } else if says([b"same-origin", b"none"]) {
        true
    } else {
        let site = requested_site(settings, request);
        let is_own = |origin: &Option<Origin>| {
            site.as_ref().zip(origin.as_ref()).is_some_and(|(site, origin)| site.is_own(origin))
        };
        origins.all(|origin| is_own(&origin) || is_allowed(&origin))
    };
    if !is_same_site {
        let address = request.client_address(&settings.trusted_proxies);
        tracing::debug!(?address, "cross-site request refused");
    }
    is_same_site
}

/// Returns the site that the browser requested. A trusted proxy says whether by HTTPS. Without one, HTTPS is assumed if
/// this listener speaks TLS, and if the cookie is `Secure`: browsers send such a cookie over HTTPS only.
fn requested_site(
    settings: &ValidationSettings,
    request: &RequestOrigin<'_, impl RequestHeaders + ?Sized>,
) -> Option<Site> {
    let is_https = match request.first_forwarded(&X_FORWARDED_PROTO) {
        Some(scheme) => scheme.eq_ignore_ascii_case(b"https"),
        None => settings.is_tls || settings.cookie.secure,
    };
    Some(Site { host: request.host()?, is_https })
}

/// Parses the value of an `Origin` header. Returns `None` for anything else, `null` included.
pub(crate) fn parse_origin(line: &[u8]) -> Option<Origin> {
    Origin::parse(std::str::from_utf8(line).ok()?)
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;
    use crate::config::Config;
    use crate::request::origin::tests::with_origin;
    use crate::request::places::CredentialPlaces;

    fn settings(change: impl FnOnce(&mut ValidationSettings)) -> ValidationSettings {
        let mut settings = ValidationSettings {
            places: CredentialPlaces::of(&Config::default()),
            cookie: Config::default().cookie(),
            renewal_exempt_header: None,
            allowed_origins: vec![Origin::parse("https://shop.example").unwrap()],
            is_tls: false,
            cookie_csrf_check: false,
            trusted_proxies: Default::default(),
            checks: Default::default(),
        };
        change(&mut settings);
        settings
    }

    const HOST: (&str, &str) = ("host", "app.example");

    /// Whether an HTTP/1 request of this client with these headers passes.
    fn from(settings: &ValidationSettings, client: &str, lines: &[(&str, &str)]) -> bool {
        with_origin(client, lines, "POST", |request: &RequestOrigin<'_, HeaderMap>| {
            is_same_site(settings, &RequestOrigin { authority: None, ..*request })
        })
    }

    #[test]
    fn sec_fetch_site_takes_precedence() {
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
        // An unknown value is ignored.
        assert!(passes("same-planet", Some(own)) && !passes("same-planet", Some(foreign)));
        let both = [HOST, ("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site")];
        assert!(!from(&settings, "192.0.2.1", &both));
    }

    #[test]
    fn without_sec_fetch_site_origins_are_compared() {
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
        assert!(!passes("app.example", &["http://app.example"]), "a Secure cookie is sent over HTTPS only");
        assert!(!passes("app.example", &["https://app.example", "https://evil.example"]));
        assert!(!passes("app example", &["https://app.example"]));
        let passes_by_http_2 =
            with_origin("192.0.2.1", &[("origin", "https://h2.example")], "POST", |request| {
                is_same_site(&settings, request)
            });
        assert!(passes_by_http_2);
    }

    #[test]
    fn only_a_trusted_proxy_can_forward_the_site() {
        for secure in [true, false] {
            let settings = settings(|settings| settings.cookie.secure = secure);
            let passes =
                |client: &str, lines: &[(&str, &str)]| from(&settings, client, &[&[HOST], lines].concat());
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
                assert_eq!(passes("192.0.2.1", &lines), !secure, "any client can send the header");
            }
        }
    }

    #[test]
    fn a_listener_with_tls_has_only_https_pages() {
        let settings = settings(|settings| {
            settings.cookie.secure = false;
            settings.is_tls = true;
        });
        let passes = |origin: &str| from(&settings, "192.0.2.1", &[HOST, ("origin", origin)]);
        assert_eq!((passes("https://app.example"), passes("http://app.example")), (true, false));
    }
}
