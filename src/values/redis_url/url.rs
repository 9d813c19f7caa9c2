//! The parts of a URL of Redis.

use std::path::PathBuf;

use crate::values::host_port::HostPort;
use crate::values::secret_string::SecretString;

/// A Redis and the login there. Neither `Debug` nor `Display` shows the password.
#[derive(Clone, PartialEq, Eq)]
pub struct RedisUrl {
    /// The servers.
    pub deployment: RedisDeployment,
    /// The ACL user; without one, Redis's `default`.
    pub username: Option<String>,
    /// The password.
    pub password: Option<SecretString>,
    /// The number of the database; always 0 on a Cluster.
    pub db: u16,
}

impl RedisUrl {
    /// Returns the feature of this crate that the URL needs and this build does not have.
    pub(crate) fn missing_feature(&self) -> Option<&'static str> {
        let is_tls = matches!(self.deployment, RedisDeployment::Standalone { tls: true, .. });
        if !cfg!(feature = "redis") {
            Some("redis")
        } else if is_tls && !cfg!(feature = "tls") {
            Some("tls")
        } else {
            None
        }
    }
}

/// The servers that a [`RedisUrl`] names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RedisDeployment {
    /// One server.
    Standalone {
        /// Its address.
        server: HostPort,
        /// Whether it uses TLS.
        tls: bool,
    },
    /// One server behind a unix socket.
    Unix {
        /// The socket.
        path: PathBuf,
    },
    /// A Redis Cluster.
    Cluster {
        /// Some of its servers, which know the others; at least one.
        servers: Vec<HostPort>,
    },
    /// The master that Sentinels name.
    Sentinel {
        /// The Sentinels; at least one.
        sentinels: Vec<HostPort>,
        /// The master's name.
        master: String,
    },
}
