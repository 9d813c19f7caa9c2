//! The address of a plane, and connections to it.

use std::fmt;
use std::io;
use std::path::PathBuf;

use http::HeaderValue;
use http::uri::{Authority, Uri};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

#[cfg(feature = "tls")]
use crate::tls::Tls;

/// A connection of any kind.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// The address of a plane.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    target: Target,
    /// The value of `Host`.
    pub authority: HeaderValue,
}

#[derive(Clone, Debug)]
enum Target {
    Tcp(String, u16),
    #[cfg(feature = "tls")]
    Tls(String, u16, Tls),
    Unix(PathBuf),
}

/// A setting of a client that cannot be used: its address or its API key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidSetting(pub(crate) &'static str);

impl fmt::Display for InvalidSetting {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0)
    }
}

impl std::error::Error for InvalidSetting {}

impl Endpoint {
    /// Reads `http://host:port`, `https://host:port` or `unix:/path`, as in Doorward's ready line.
    pub fn parse(url: &str) -> Result<Self, InvalidSetting> {
        const INVALID: InvalidSetting = InvalidSetting(
            "the address of Doorward must be http://host:port, https://host:port or unix:/path",
        );
        if let Some(path) = url.strip_prefix("unix:") {
            let authority = HeaderValue::from_static("localhost");
            let is_absolute = path.starts_with('/');
            let endpoint = || Self { target: Target::Unix(path.into()), authority };
            return is_absolute.then(endpoint).ok_or(INVALID);
        }
        let uri: Uri = url.parse().map_err(|_| INVALID)?;
        let is_bare = matches!(uri.path(), "" | "/") && uri.query().is_none();
        let authority: &Authority = uri.authority().ok_or(INVALID)?;
        let is_tls = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(INVALID),
        };
        if !is_bare || authority.as_str().contains('@') {
            return Err(INVALID);
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        let port = match authority.port_u16() {
            Some(port) => port,
            None if authority.as_str() == authority.host() => {
                if is_tls {
                    443
                } else {
                    80
                }
            }
            None => return Err(INVALID),
        };
        let target = if is_tls { Target::tls(host, port)? } else { Target::Tcp(host.to_owned(), port) };
        let authority = HeaderValue::try_from(authority.as_str()).map_err(|_| INVALID)?;
        Ok(Self { target, authority })
    }

    /// Trusts these authorities only, if this is an `https://` address.
    #[cfg(feature = "tls")]
    pub fn trust(&mut self, pem: &[u8]) -> Result<(), InvalidSetting> {
        match &mut self.target {
            Target::Tls(_, _, tls) => tls.trust(pem),
            _ => Err(InvalidSetting("only an https:// address has authorities")),
        }
    }

    /// Connects.
    pub async fn connect(&self) -> io::Result<Box<dyn Stream>> {
        match &self.target {
            Target::Tcp(host, port) => Ok(Box::new(connect_tcp(host, *port).await?)),
            #[cfg(feature = "tls")]
            Target::Tls(host, port, tls) => Ok(Box::new(tls.connect(connect_tcp(host, *port).await?).await?)),
            Target::Unix(path) => Ok(Box::new(UnixStream::connect(path).await?)),
        }
    }
}

impl Target {
    #[cfg(feature = "tls")]
    fn tls(host: &str, port: u16) -> Result<Self, InvalidSetting> {
        Ok(Self::Tls(host.to_owned(), port, Tls::new(host)?))
    }

    #[cfg(not(feature = "tls"))]
    fn tls(_: &str, _: u16) -> Result<Self, InvalidSetting> {
        Err(InvalidSetting("an https:// address needs the feature `tls` of doorward-client"))
    }
}

async fn connect_tcp(host: &str, port: u16) -> io::Result<TcpStream> {
    let stream = TcpStream::connect((host, port)).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_url_or_a_path() {
        for (url, host) in [
            ("http://127.0.0.1:8080", "127.0.0.1:8080"),
            ("http://[::1]:8080/", "[::1]:8080"),
            ("http://doorward", "doorward"),
            ("https://doorward", "doorward"),
            ("https://[::1]:8443", "[::1]:8443"),
            ("unix:/run/doorward.sock", "localhost"),
        ] {
            assert_eq!(Endpoint::parse(url).unwrap().authority, host, "{url}");
        }
        for url in
            ["", "doorward:8080", "ftp://host", "https://host/path", "http://host/path", "http://host/?q"]
        {
            assert!(Endpoint::parse(url).is_err(), "{url}");
        }
        for url in ["http://user@host", "unix:relative", "unix:", "http://", "http://host:99999"] {
            assert!(Endpoint::parse(url).is_err(), "{url}");
        }
    }
}
