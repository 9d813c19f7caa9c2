//! The parts of a URL of Redis.

use std::path::PathBuf;

use crate::values::host_port::HostPort;
use crate::values::secret_string::SecretString;

/// A Redis and the login there. Neither `Debug` nor `Display` shows the password.
#[derive(Clone, PartialEq, Eq)]
pub struct RedisUrl {
    /// The servers.
    pub deployment: RedisDeployment,
    /// The ACL user; if there is none, Redis's `default`.
    pub username: Option<String>,
    /// The password.
    pub password: Option<SecretString>,
    /// The number of the database; always 0 on a Cluster.
    pub db: u16,
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
