//! What a server says of itself in `INFO`.

/// The version and the memory policy of a server; empty if it does not tell.
#[derive(Clone, Default)]
pub(crate) struct ServerFacts {
    /// The name, "redis" or "valkey", and the version.
    pub(crate) version: String,
    pub(crate) memory_policy: String,
}

impl ServerFacts {
    pub(crate) fn from_info(info: &str) -> Self {
        let figure = |name: &str| {
            info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
        };
        let version = match (figure("valkey_version"), figure("redis_version")) {
            (Some(version), _) => format!("valkey {version}"),
            (None, Some(version)) => format!("redis {version}"),
            (None, None) => String::new(),
        };
        Self { version, memory_policy: figure("maxmemory_policy").unwrap_or_default().to_owned() }
    }

    pub(crate) fn major_version(&self) -> Option<u32> {
        self.version.split_once(' ')?.1.split('.').next()?.parse().ok()
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
}
