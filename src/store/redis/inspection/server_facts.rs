//! The facts of a server in `INFO`.

use std::collections::HashMap;

use redis::aio::MultiplexedConnection;
use redis::cmd;

use crate::store::report::MemoryUse;

/// The facts that a server reports of itself; empty if it reports none.
#[derive(Clone, Default)]
pub(crate) struct ServerFacts {
    /// The name, "redis" or "valkey", and the version.
    pub(crate) version: String,
    pub(crate) memory_policy: String,
    pub(crate) memory: MemoryUse,
    /// The address of its own master, if it is a replica.
    pub(crate) replica_of: Option<String>,
    /// The replicas that are connected to it.
    pub(crate) replicas: Vec<ReplicaFacts>,
    pub(crate) persistence: PersistenceFacts,
}

/// A replica, as its master sees it.
#[derive(Clone, Default)]
pub(crate) struct ReplicaFacts {
    pub(crate) address: String,
    /// `online` once it has the master's data.
    pub(crate) state: String,
    /// The seconds since it last acknowledged the master's data.
    pub(crate) lag_s: u64,
}

/// The persistence of a server.
#[derive(Clone, Copy, Default)]
pub(crate) struct PersistenceFacts {
    /// `None` if the server does not tell.
    pub(crate) is_aof_on: Option<bool>,
    /// Whether the last rewrite of the append-only file failed.
    pub(crate) has_rewrite_failed: bool,
    /// Whether the last snapshot failed.
    pub(crate) has_snapshot_failed: bool,
}

impl ServerFacts {
    pub(crate) fn from_info(info: &str) -> Self {
        let figures: HashMap<_, _> = info.lines().filter_map(|line| line.trim().split_once(':')).collect();
        let text = |name: &str| figures.get(name).copied();
        let number = |name: &str| text(name).and_then(|number| number.parse::<u64>().ok()).unwrap_or(0);
        let version = match (text("valkey_version"), text("redis_version")) {
            (Some(version), _) => format!("valkey {version}"),
            (None, Some(version)) => format!("redis {version}"),
            (None, None) => String::new(),
        };
        let has_failed = |name: &str| text(name) == Some("err");
        let master = || format!("{}:{}", text("master_host").unwrap_or("?"), number("master_port"));
        Self {
            version,
            memory_policy: text("maxmemory_policy").unwrap_or_default().to_owned(),
            // The buffers of replicas and of the append-only file do not count against maxmemory.
            memory: MemoryUse {
                used: number("used_memory").saturating_sub(number("mem_not_counted_for_evict")),
                limit: number("maxmemory"),
            },
            replica_of: (text("role") == Some("slave")).then(master),
            replicas: (0..number("connected_slaves"))
                .map_while(|n| text(&format!("slave{n}")).map(ReplicaFacts::parse))
                .collect(),
            persistence: PersistenceFacts {
                is_aof_on: text("aof_enabled").map(|enabled| enabled == "1"),
                has_rewrite_failed: has_failed("aof_last_bgrewrite_status"),
                has_snapshot_failed: has_failed("rdb_last_bgsave_status"),
            },
        }
    }

    pub(crate) fn major_version(&self) -> Option<u32> {
        self.version.split_once(' ')?.1.split('.').next()?.parse().ok()
    }
}

impl ReplicaFacts {
    /// Parses `ip=10.0.0.6,port=6379,state=online,offset=14,lag=0`.
    fn parse(text: &str) -> Self {
        let fields: HashMap<_, _> = text.split(',').filter_map(|field| field.split_once('=')).collect();
        let field = |name: &str| fields.get(name).copied().unwrap_or("?");
        Self {
            address: format!("{}:{}", field("ip"), field("port")),
            state: field("state").to_owned(),
            lag_s: field("lag").parse().unwrap_or(0),
        }
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read() {
        let read = |info: &str| {
            let facts = ServerFacts::from_info(info);
            (facts.version.clone(), facts.major_version())
        };
        assert_eq!(read("# Server\r\nredis_version:6.2.14\r\n"), ("redis 6.2.14".into(), Some(6)));
        assert_eq!(read("redis_version:7.2.4\r\nvalkey_version:9.1.2\r\n"), ("valkey 9.1.2".into(), Some(9)));
        assert_eq!(read(""), (String::new(), None));
        let facts = ServerFacts::from_info("maxmemory_policy:volatile-lru\r\n");
        assert_eq!(facts.memory_policy, "volatile-lru");
    }

    #[test]
    fn memory_that_is_not_counted_is_subtracted() {
        let facts =
            ServerFacts::from_info("used_memory:1000\r\nmem_not_counted_for_evict:80\r\nmaxmemory:900\r\n");
        assert_eq!(facts.memory, MemoryUse { used: 920, limit: 900 });
    }

    #[test]
    fn the_role_and_the_replicas_are_read() {
        let replica = ServerFacts::from_info("role:slave\r\nmaster_host:10.0.0.5\r\nmaster_port:6379\r\n");
        assert_eq!(replica.replica_of.as_deref(), Some("10.0.0.5:6379"));
        let master = ServerFacts::from_info(
            "role:master\r\nconnected_slaves:1\r\nslave0:ip=10.0.0.6,port=6380,state=online,offset=14,lag=3\r\n",
        );
        assert!(master.replica_of.is_none());
        let [replica] = &master.replicas[..] else { panic!("{}", master.replicas.len()) };
        assert_eq!(
            (replica.address.as_str(), replica.state.as_str(), replica.lag_s),
            ("10.0.0.6:6380", "online", 3)
        );
    }
}
