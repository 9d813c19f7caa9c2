//! How connections to Redis servers are made: login, TLS, name resolution and time limits.

use std::convert::Infallible;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo as _, ProtocolVersion,
    RedisConnectionInfo, RedisError,
};

use super::address::ServerAddress;
use super::dns::Resolver;
use super::tls::TrustStore;
use crate::values::RedisUrl;

/// The pause before each further attempt to connect: an outage ends within a second of the server's return.
pub(crate) const RECONNECT_PAUSE: Duration = Duration::from_millis(100);

/// Connects to Redis servers. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Connector {
    login: RedisConnectionInfo,
    pub(crate) resolver: Resolver,
    /// The trusted authorities; `None` without TLS.
    pub(crate) trust: Option<TrustStore>,
    /// The limit of each connection attempt and each call.
    pub(crate) timeout: Duration,
}

impl Connector {
    /// Takes the login and the database from the URL.
    pub(crate) fn new(url: &RedisUrl, trust: Option<TrustStore>, timeout: Duration) -> Self {
        let mut login = RedisConnectionInfo::default().set_db(url.db.into());
        if let Some(username) = &url.username {
            login = login.set_username(username);
        }
        if let Some(password) = &url.password {
            login = login.set_password(password.expose());
        }
        Self { login, resolver: Resolver::system(), trust, timeout }
    }

    /// Returns a connector without a login and without TLS.
    pub(crate) fn anonymous(&self) -> Self {
        let resolver = self.resolver.clone();
        Self { login: RedisConnectionInfo::default(), resolver, trust: None, timeout: self.timeout }
    }

    /// Runs the worker that reloads the trusted authorities. Ends with its runtime.
    pub(crate) async fn reload_trust(&self) -> Infallible {
        match &self.trust {
            Some(trust) => trust.reload_on_change().await,
            None => std::future::pending().await,
        }
    }

    pub(crate) fn login(&self) -> &RedisConnectionInfo {
        &self.login
    }

    /// Returns what the redis crate needs to connect.
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

    /// Returns the configuration of a connection of the redis crate: time limits and name resolution.
    pub(crate) fn config(&self) -> AsyncConnectionConfig {
        AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.timeout))
            .set_response_timeout(Some(self.timeout))
            .set_dns_resolver(self.resolver.clone())
    }

    /// Opens a connection of the redis crate, outside any pool.
    pub(crate) async fn connect(&self, address: &ServerAddress) -> Result<MultiplexedConnection, RedisError> {
        let client = Client::open(self.info(address)?)?;
        client.get_multiplexed_async_connection_with_config(&self.config()).await
    }

    /// Opens a RESP3 connection, over which the server can push. `config` names the receiver of the pushes.
    pub(crate) async fn connect_for_pushes(
        &self,
        address: &ServerAddress,
        config: &AsyncConnectionConfig,
    ) -> Result<MultiplexedConnection, RedisError> {
        let login = self.login.clone().set_protocol(ProtocolVersion::RESP3);
        let client = Client::open(self.info(address)?.set_redis_settings(login))?;
        client.get_multiplexed_async_connection_with_config(config).await
    }
}
