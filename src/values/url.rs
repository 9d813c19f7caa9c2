//! Where a server is.

use std::fmt;
use std::path::PathBuf;

use http::Uri;

const FORMS: &str = "is not of the form http://HOST:PORT, https://HOST:PORT or unix:/path";

/// `http://HOST[:PORT][/PATH]`, `https://HOST[:PORT][/PATH]` or `unix:/path/of/socket`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    /// The socket.
    pub endpoint: Endpoint,
    /// Whether TLS is spoken there.
    pub is_tls: bool,
    /// The path that precedes the path of each request, without a slash at its end; mostly empty.
    pub base_path: String,
}

/// The socket of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// A name or an IP address, without brackets, and a port.
    Tcp(String, u16),
    /// The path of a unix socket.
    Unix(PathBuf),
}

impl Url {
    /// Parses a URL.
    ///
    /// # Errors
    /// The problem, as the rest of a sentence. It does not repeat the text, which may hold a password.
    pub fn parse(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("unix:") {
            // As curl and others write it: unix:///path.
            let path = path.strip_prefix("//").unwrap_or(path);
            if !path.starts_with('/') {
                return Err(FORMS.into());
            }
            let endpoint = Endpoint::Unix(path.into());
            return Ok(Self { endpoint, is_tls: false, base_path: String::new() });
        }
        let uri: Uri = text.parse().map_err(|_| FORMS.to_owned())?;
        let is_tls = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(FORMS.into()),
        };
        let authority = uri.authority().ok_or(FORMS)?;
        if authority.as_str().contains('@') {
            return Err("has a user name in it".into());
        }
        if uri.query().is_some() || text.contains('#') {
            return Err("has a query or a fragment in it".into());
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = match authority.as_str().rsplit_once(':') {
            Some((_, port)) if !port.ends_with(']') => port.parse().map_err(|_| FORMS.to_owned())?,
            _ if is_tls => 443,
            _ => 80,
        };
        if host.is_empty() || port == 0 {
            return Err(FORMS.into());
        }
        let base_path = uri.path().trim_end_matches('/').to_owned();
        Ok(Self { endpoint: Endpoint::Tcp(host, port), is_tls, base_path })
    }

    /// Returns the host and the port for the header `Host`.
    pub(crate) fn authority(&self) -> String {
        match &self.endpoint {
            Endpoint::Tcp(host, port) if host.contains(':') => format!("[{host}]:{port}"),
            Endpoint::Tcp(host, port) => format!("{host}:{port}"),
            Endpoint::Unix(_) => "localhost".to_owned(),
        }
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.endpoint {
            Endpoint::Unix(path) => write!(f, "unix:{}", path.display()),
            Endpoint::Tcp(..) => {
                let scheme = if self.is_tls { "https" } else { "http" };
                write!(f, "{scheme}://{}{}", self.authority(), self.base_path)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_tcp_tls_or_unix() {
        for (text, shown) in [
            ("http://127.0.0.1:8081", "http://127.0.0.1:8081"),
            ("HTTP://localhost/", "http://localhost:80"),
            ("https://admin.example", "https://admin.example:443"),
            ("https://[::1]", "https://[::1]:443"),
            ("http://[::1]:8081/doorward/", "http://[::1]:8081/doorward"),
            ("unix:/run/admin.sock", "unix:/run/admin.sock"),
            ("unix:///run/admin.sock", "unix:/run/admin.sock"),
        ] {
            assert_eq!(Url::parse(text).map(|url| url.to_string()).as_deref(), Ok(shown), "{text}");
        }
        let v6 = Url::parse("http://[::1]:8081").unwrap();
        assert_eq!(v6.endpoint, Endpoint::Tcp("::1".into(), 8081));
    }

    #[test]
    fn other_texts_are_refused_without_being_repeated() {
        for text in [
            "",
            "hunter2",
            "127.0.0.1:8081",
            "ftp://hunter2",
            "http://",
            "http://:80",
            "http://host:0",
            "http://host:99999",
            "http://user:hunter2@host",
            "http://host/?key=hunter2",
            "http://host/#hunter2",
            "unix:hunter2",
            "http://ho st",
        ] {
            let problem = Url::parse(text).unwrap_err();
            assert!(!problem.contains("hunter2") && !problem.is_empty(), "{text}: {problem}");
        }
    }
}
