//! What an inspection of the store found: for the log, for `GET /v1/status` and for metrics.

/// The state of the store at one look.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// What is wrong, worst first. Empty when all is well.
    pub faults: Vec<Fault>,
    /// The masters that are known. Empty on the embedded store.
    pub masters: Vec<MasterReport>,
}

/// One master at one look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MasterReport {
    /// Its address.
    pub address: String,
    /// `redis` or `valkey`, and its version; empty while it is not known.
    pub version: String,
    /// Whether its changes are heard, so that what it answers is served from the near cache; `None` where nothing of it
    /// is cached.
    pub is_tracked: Option<bool>,
    /// Its `maxmemory-policy`; empty while it is not known.
    pub memory_policy: String,
}

impl MasterReport {
    /// Whether it evicts keys when its memory is full.
    pub fn evicts(&self) -> bool {
        is_evicting(&self.memory_policy)
    }
}

/// Whether a server with this `maxmemory-policy` evicts keys: all keys of Doorward have a TTL, so the volatile policies
/// count.
pub fn is_evicting(memory_policy: &str) -> bool {
    !matches!(memory_policy, "" | "noeviction")
}

/// Something that is wrong with the store.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Fault {
    /// What kind of thing.
    pub kind: FaultKind,
    /// The server's address, or where it was looked for; never with a password.
    pub server: String,
    /// What was seen.
    pub cause: String,
    /// What the operator can do.
    pub fix: String,
    /// What the Redis user may not do; only of [`FaultKind::Permission`].
    pub denied: Option<DeniedTo>,
}

/// What a permission is missing for. All commands, patterns and channels by commas; empty where it is not about these.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct DeniedTo {
    /// The commands that are refused.
    pub command: String,
    /// The patterns of the keys that they are refused for.
    pub key: String,
    /// The channel that they are refused for.
    pub channel: String,
}

/// The kinds of faults, worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FaultKind {
    /// It does not answer, or nobody says where it is.
    Unreachable,
    /// TLS fails, or is spoken on one side only.
    Tls,
    /// The user or the password is refused.
    Login,
    /// There is no such database.
    Database,
    /// It still reads its data from the disk.
    Loading,
    /// The cluster is not complete.
    ClusterDown,
    /// It takes no writes.
    WritesRefused,
    /// It is too old.
    Version,
    /// Another version of Doorward wrote what is in it.
    Schema,
    /// The Redis user may not do all that is needed.
    Permission,
    /// It may evict tokens.
    Eviction,
    /// Anything else.
    Other,
    /// A failover may bring back revoked tokens for longer than promised.
    FailoverLag,
}

impl FaultKind {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::Unreachable,
        Self::Tls,
        Self::Login,
        Self::Database,
        Self::Loading,
        Self::ClusterDown,
        Self::WritesRefused,
        Self::Version,
        Self::Schema,
        Self::Permission,
        Self::Eviction,
        Self::Other,
        Self::FailoverLag,
    ];

    /// Its name in metrics and in the status.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Tls => "tls",
            Self::Login => "login",
            Self::Database => "database",
            Self::Loading => "loading",
            Self::ClusterDown => "cluster_down",
            Self::WritesRefused => "writes_refused",
            Self::Version => "version",
            Self::Schema => "schema",
            Self::Permission => "permission",
            Self::Eviction => "eviction",
            Self::Other => "other",
            Self::FailoverLag => "failover_lag",
        }
    }

    /// The message of its log line.
    pub fn message(self) -> &'static str {
        match self {
            Self::Unreachable => "redis unreachable",
            Self::Tls => "redis tls handshake failed",
            Self::Login => "redis login refused",
            Self::Database => "redis database not selectable",
            Self::Loading => "redis still loading its data",
            Self::ClusterDown => "redis cluster down",
            Self::WritesRefused => "redis refuses writes",
            Self::Version => "redis version not supported",
            Self::Schema => "redis schema version not supported",
            Self::Permission => "redis user lacks a permission",
            Self::Eviction => "redis evicts keys",
            Self::Other => "store check failed",
            Self::FailoverLag => "redis failover settings too slow",
        }
    }

    /// Whether the node is not ready because of it; else it is a warning.
    pub fn is_fatal(self) -> bool {
        self != Self::FailoverLag
    }
}

impl Fault {
    /// A fault of this kind.
    pub fn new(
        kind: FaultKind,
        server: impl Into<String>,
        cause: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self { kind, server: server.into(), cause: cause.into(), fix: fix.into(), denied: None }
    }
}

impl Report {
    /// A report of nothing but this.
    pub fn of_fault(fault: Fault) -> Self {
        Self { faults: vec![fault], masters: Vec::new() }
    }

    /// The first fault that makes a node not ready.
    pub fn fatal(&self) -> Option<&Fault> {
        self.faults.iter().find(|fault| fault.kind.is_fatal())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_noeviction_keeps_every_token() {
        assert!(!is_evicting("noeviction") && !is_evicting(""));
        for policy in ["allkeys-lru", "allkeys-lfu", "allkeys-random", "volatile-lru", "volatile-ttl"] {
            assert!(is_evicting(policy), "{policy}");
        }
    }

    #[test]
    fn kinds_have_names_of_their_own() {
        let names: std::collections::HashSet<_> = FaultKind::ALL.iter().map(|kind| kind.name()).collect();
        assert_eq!(names.len(), FaultKind::ALL.len());
    }
}
