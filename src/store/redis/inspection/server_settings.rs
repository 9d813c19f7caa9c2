//! The settings of a server that `CONFIG GET` shows. The least Redis user, like the one in config/, may not run it.

use std::collections::HashMap;

use redis::aio::MultiplexedConnection;
use redis::cmd;

const SETTINGS: [&str; 5] =
    ["min-replicas-to-write", "min-replicas-max-lag", "cluster-node-timeout", "appendfsync", "save"];

/// The settings of a server.
pub(crate) struct ServerSettings(HashMap<String, String>);

impl ServerSettings {
    /// Asks the server. Returns `None` if the Redis user may not.
    pub(crate) async fn ask(connection: &mut MultiplexedConnection) -> Option<Self> {
        cmd("CONFIG").arg("GET").arg(&SETTINGS).query_async(connection).await.ok().map(Self)
    }

    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        self.text(name)?.parse().ok()
    }
}

#[cfg(test)]
impl ServerSettings {
    pub(crate) fn of(settings: &[(&str, &str)]) -> Self {
        Self(settings.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect())
    }
}
