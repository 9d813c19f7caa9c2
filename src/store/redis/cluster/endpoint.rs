//! How a server is reached: its address, who we are there, whom we trust, and for how long we wait.

use std::convert::Infallible;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo as _,
    RedisConnectionInfo, RedisError,
};

use super::dns::Resolver;
use super::tls::TrustStore;
use crate::values::{Node, RedisUrl};

/// Where a server is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum ServerAddress {
    Tcp(Node),
    Unix(PathBuf),
}

impl ServerAddress {
    pub(crate) fn tcp(host: &str, port: u16) -> Self {
        Self::Tcp(Node { host: host.to_owned(), port })
    }

    /// Reads `host:port` as Redis writes it: an IPv6 address without brackets, and nothing or `?` for the host of the
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

/// See the module.
#[derive(Clone)]
pub(crate) struct Connector {
    login: RedisConnectionInfo,
    pub(crate) names: Resolver,
    /// With it TLS is spoken.
    pub(crate) trust: Option<TrustStore>,
    /// No call waits longer.
    pub(crate) timeout: Duration,
}

impl Connector {
    /// As the URL says.
    pub(crate) fn new(url: &RedisUrl, trust: Option<TrustStore>, timeout: Duration) -> Self {
        let mut login = RedisConnectionInfo::default().set_db(url.db.into());
        if let Some(username) = &url.username {
            login = login.set_username(username);
        }
        if let Some(password) = &url.password {
            login = login.set_password(password.expose());
        }
        Self { login, names: Resolver::system(), trust, timeout }
    }

    /// Without a login and without TLS.
    pub(crate) fn anonymous(&self) -> Self {
        let names = self.names.clone();
        Self { login: RedisConnectionInfo::default(), names, trust: None, timeout: self.timeout }
    }

    /// The worker that follows changes of whom to trust. Ends with its runtime.
    pub(crate) async fn follow_trust(&self) -> Infallible {
        match &self.trust {
            Some(trust) => trust.follow().await,
            None => std::future::pending().await,
        }
    }

    pub(crate) fn login(&self) -> &RedisConnectionInfo {
        &self.login
    }

    /// What the library needs to connect.
    pub(crate) fn info(&self, address: &ServerAddress) -> Result<ConnectionInfo, RedisError> {
        let info = match (address, &self.trust) {
            (ServerAddress::Tcp(node), Some(trust)) => trust.current().info(node)?,
            (ServerAddress::Tcp(node), None) => {
                ConnectionAddr::Tcp(node.host.clone(), node.port).into_connection_info()?
            }
            (ServerAddress::Unix(path), _) => ConnectionAddr::Unix(path.clone()).into_connection_info()?,
        };
        Ok(info.set_redis_settings(self.login.clone()))
    }

    /// The limits of time for a connection of the library.
    pub(crate) fn limits(&self) -> AsyncConnectionConfig {
        AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.timeout))
            .set_response_timeout(Some(self.timeout))
            .set_dns_resolver(self.names.clone())
    }

    /// A connection of the library, outside any pool.
    pub(crate) async fn connect(&self, address: &ServerAddress) -> Result<MultiplexedConnection, RedisError> {
        let client = Client::open(self.info(address)?)?;
        client.get_multiplexed_async_connection_with_config(&self.limits()).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_redis_writes_them() {
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
