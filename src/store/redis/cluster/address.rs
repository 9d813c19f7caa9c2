//! The address of a Redis server.

use std::fmt;
use std::path::PathBuf;

use crate::values::HostPort;

/// The address of a Redis server.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum ServerAddress {
    Tcp(HostPort),
    Unix(PathBuf),
}

impl ServerAddress {
    pub(crate) fn tcp(host: &str, port: u16) -> Self {
        Self::Tcp(HostPort { host: host.to_owned(), port })
    }

    /// Parses `host:port` as Redis writes it: an IPv6 address has no brackets, and an empty host or `?` stands for the
    /// server that was `asked`.
    pub(crate) fn parse(text: &str, asked: &Self) -> Option<Self> {
        let (host, port) = text.rsplit_once(':')?;
        let host = match (host, asked) {
            ("" | "?", Self::Tcp(asked)) => &asked.host,
            ("" | "?", Self::Unix(_)) => return None,
            (host, _) => host,
        };
        Some(Self::tcp(host, port.parse().ok()?))
    }
}

impl fmt::Display for ServerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(node) => node.fmt(f),
            Self::Unix(path) => path.display().fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_parsed_as_redis_writes_them() {
        let asked = ServerAddress::tcp("asked", 1);
        for (text, host) in [("10.0.0.1:7", "10.0.0.1"), (":7", "asked"), ("?:7", "asked"), ("::1:7", "::1")]
        {
            assert_eq!(ServerAddress::parse(text, &asked), Some(ServerAddress::tcp(host, 7)), "{text}");
        }
        for text in ["", "host", "host:", "host:65536"] {
            assert_eq!(ServerAddress::parse(text, &asked), None, "{text}");
        }
        assert_eq!(ServerAddress::parse(":7", &ServerAddress::Unix("/s".into())), None);
    }
}
