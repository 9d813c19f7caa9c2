//! Addresses of servers.

use std::fmt;
use std::net::Ipv6Addr;

/// The maximum length of a DNS name (RFC 1035, section 2.3.4).
const MAX_HOST_BYTES: usize = 253;

/// A host and a port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostPort {
    /// A name or an IP address; an IPv6 address without its brackets.
    pub host: String,
    /// The TCP port.
    pub port: u16,
}

impl HostPort {
    /// Parses `host` or `host:port`, with an IPv6 address in brackets.
    ///
    /// # Errors
    /// The problem, as the rest of a sentence that starts with the value.
    pub(crate) fn parse(text: &str, default_port: u16) -> Result<Self, String> {
        let bad_host = || {
            "has a bad host; in a user or password write @ as %40, / as %2F and : as %3A, \
             and an IPv6 address in brackets"
                .to_owned()
        };
        let (host, port) = if let Some(text) = text.strip_prefix('[') {
            let (host, port) = text.split_once(']').ok_or_else(bad_host)?;
            host.parse::<Ipv6Addr>().map_err(|_| bad_host())?;
            match port.strip_prefix(':') {
                Some(port) => (host, Some(port)),
                None if port.is_empty() => (host, None),
                None => return Err(bad_host()),
            }
        } else {
            let (host, port) = text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port)));
            let is_host_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
            if host.is_empty() || host.len() > MAX_HOST_BYTES || !host.bytes().all(is_host_byte) {
                return Err(bad_host());
            }
            (host, port)
        };
        let port = match port {
            None => default_port,
            Some(port) if port.bytes().all(|byte| byte.is_ascii_digit()) => {
                port.parse().ok().filter(|port| *port != 0).ok_or("has a port that is not from 1 to 65535")?
            }
            Some(_) => return Err("has a port that is not a number".into()),
        };
        Ok(Self { host: host.to_owned(), port })
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}
