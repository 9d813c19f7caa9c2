//! Web origins (RFC 6454) and their comparison with the site of a request.

use std::fmt;

use http::uri::Authority;

/// An origin: scheme, host and port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Lower case.
    scheme: String,
    host: Host,
}

/// A host as `Host` and `X-Forwarded-Host` name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// Lower case; an IPv6 address in brackets.
    name: String,
    /// `None`: the scheme's default port.
    port: Option<u16>,
}

impl Host {
    /// Parses `name` or `name:port`; returns `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let authority: Authority = text.parse().ok()?;
        let name = authority.host();
        // `Authority` accepts user names, ports beyond 65,535 and a port without digits.
        let port = match text.strip_prefix(name)? {
            "" => None,
            port => {
                let digits =
                    port.strip_prefix(':').filter(|port| port.bytes().all(|c| c.is_ascii_digit()))?;
                Some(digits.parse().ok().filter(|port| *port > 0)?)
            }
        };
        (!name.is_empty()).then(|| Self { name: name.to_ascii_lowercase(), port })
    }

    /// Returns whether browsers treat `http://` on this host as secure, because the request stays on the machine (Secure
    /// Contexts, section 3.1).
    fn is_loopback(&self) -> bool {
        let address = self.name.trim_start_matches('[').trim_end_matches(']');
        self.name == "localhost"
            || self.name.ends_with(".localhost")
            || address.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback())
    }
}

/// The site of a request, as far as it is known: a proxy may have removed the scheme.
#[derive(Clone, Debug)]
pub struct Site {
    /// The host that the client requested.
    pub host: Host,
    /// Browsers reach the site by HTTPS only, unless it is on their own machine.
    pub is_https: bool,
}

impl Site {
    /// Returns whether this is the origin of the site's own pages. Without a port, the site has the default port of the
    /// origin's scheme.
    pub fn is_own(&self, origin: &Origin) -> bool {
        let Self { host, is_https } = self;
        let is_same_scheme = match origin.scheme.as_str() {
            "https" => true,
            "http" => !is_https || host.is_loopback(),
            _ => false,
        };
        let port = host.port.or(default_port(&origin.scheme));
        is_same_scheme && origin.host.name == host.name && origin.port() == port
    }
}

impl Origin {
    /// Parses an origin as browsers serialize it; returns `None` for `null` and for anything that is not one origin.
    pub fn parse(text: &str) -> Option<Self> {
        let (scheme, host) = text.split_once("://")?;
        let mut bytes = scheme.bytes();
        let is_scheme = bytes.next().is_some_and(|c| c.is_ascii_alphabetic())
            && bytes.all(|c| c.is_ascii_alphanumeric() || b"+-.".contains(&c));
        let scheme = is_scheme.then(|| scheme.to_ascii_lowercase())?;
        let mut host = Host::parse(host)?;
        // One form per origin: browsers omit the default port.
        host.port = host.port.filter(|port| Some(*port) != default_port(&scheme));
        Some(Self { scheme, host })
    }

    fn port(&self) -> Option<u16> {
        self.host.port.or(default_port(&self.scheme))
    }
}

/// Writes the form in which browsers send it.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.host.name)?;
        self.host.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_shown_in_one_form() {
        for (text, shown) in [
            ("https://App.Example.com", "https://app.example.com"),
            ("HTTPS://app.example.com:443", "https://app.example.com"),
            ("http://app.example.com:80", "http://app.example.com"),
            ("http://app.example.com:443", "http://app.example.com:443"),
            ("https://[2001:DB8::1]:8443", "https://[2001:db8::1]:8443"),
            ("chrome-extension://abc", "chrome-extension://abc"),
        ] {
            assert_eq!(
                Origin::parse(text).map(|origin| origin.to_string()).as_deref(),
                Some(shown),
                "{text}"
            );
        }
        for bad in [
            "",
            "null",
            "app.example.com",
            "://a",
            "1a://b",
            "https://",
            "https://a/",
            "https://a/b",
            "https://a?b",
            "https://u@a",
            "https://a:0",
            "https://a:65536",
            "https://a:",
            "https://a:+1",
            "https://:443",
            "https://a https://b",
            "https://a,https://b",
        ] {
            assert_eq!(Origin::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_site_recognizes_the_origin_of_its_own_pages() {
        let is_own = |host: &str, is_https, origin: &str| {
            let site = Site { host: Host::parse(host).unwrap(), is_https };
            Origin::parse(origin).is_some_and(|origin| site.is_own(&origin))
        };
        for (host, origin) in [
            ("app.example", "https://app.example"),
            ("APP.example:443", "https://app.example"),
            ("app.example", "https://app.example:443"),
            ("app.example:8443", "https://app.example:8443"),
            ("[::1]:8443", "https://[::1]:8443"),
            ("127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("localhost:8080", "http://localhost:8080"),
            ("a.localhost", "http://a.localhost"),
            ("[::1]", "http://[::1]"),
        ] {
            assert!(is_own(host, true, origin) && is_own(host, false, origin), "{host} {origin}");
        }
        for (host, origin) in [
            ("app.example", "https://app.example:8443"),
            ("app.example:8443", "https://app.example"),
            ("app.example:80", "https://app.example"),
            ("app.example", "https://app.example.evil.example"),
            ("app.example", "https://evil.example"),
            ("app.example", "ftp://app.example"),
        ] {
            assert!(!is_own(host, true, origin) && !is_own(host, false, origin), "{host} {origin}");
        }
        for (host, origin) in
            [("app.example", "http://app.example"), ("app.example:80", "http://app.example")]
        {
            assert!(!is_own(host, true, origin) && is_own(host, false, origin), "{host} {origin}");
        }
    }
}
