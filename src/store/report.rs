//! The report of an inspection of the store: for the log, `GET /v1/status` and the metrics.

/// The state of the store at one inspection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The faults, worst first.
    pub faults: Vec<Fault>,
    /// The known masters. Empty on the embedded store.
    pub masters: Vec<MasterReport>,
}

/// A master at one inspection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MasterReport {
    /// Its address.
    pub address: String,
    /// `redis` or `valkey`, and its version; empty while unknown.
    pub version: String,
    /// Whether this node hears of its changes, so that its records are served from the near cache; `None` if none is cached.
    pub is_tracked: Option<bool>,
    /// Its `maxmemory-policy`; empty while unknown.
    pub memory_policy: String,
}

impl MasterReport {
    /// Whether it evicts keys when its memory is full.
    pub fn evicts(&self) -> bool {
        is_evicting(&self.memory_policy)
    }
}

/// Whether a server with this `maxmemory-policy` evicts keys. All keys of Doorward have a TTL, so the volatile policies do,
/// too.
pub fn is_evicting(memory_policy: &str) -> bool {
    !matches!(memory_policy, "" | "noeviction")
}

/// A fault of the store.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Fault {
    /// The kind of fault.
    pub kind: FaultKind,
    /// The server's address, never with a password.
    pub server: String,
    /// What the inspection saw.
    pub cause: String,
    /// What the operator can do.
    pub fix: String,
    /// The missing permission; only of [`FaultKind::Permission`].
    pub denied: Option<DeniedTo>,
}

/// What the Redis user may not do. Several commands, patterns and channels are separated by commas.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct DeniedTo {
    /// The denied commands.
    pub command: String,
    /// The patterns of the denied keys.
    pub key: String,
    /// The denied channel.
    pub channel: String,
}

/// The kinds of faults, worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FaultKind {
    /// The server does not answer, or its address is unknown.
    Unreachable,
    /// TLS fails, or only one side uses it.
    Tls,
    /// The user or the password is refused.
    Login,
    /// The database does not exist.
    Database,
    /// The server is loading its data from the disk.
    Loading,
    /// The cluster is not complete.
    ClusterDown,
    /// The server refuses writes.
    WritesRefused,
    /// The server is too old.
    Version,
    /// Another version of Doorward wrote the data.
    Schema,
    /// The Redis user lacks a permission.
    Permission,
    /// The server may evict tokens.
    Eviction,
    /// Anything else.
    Other,
    /// A failover may make revoked tokens valid for longer than promised.
    FailoverLag,
}

impl FaultKind {
    /// Every kind.
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

    /// Whether the fault makes the node unready; otherwise it is a warning.
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
    /// A report of one fault.
    pub fn of_fault(fault: Fault) -> Self {
        Self { faults: vec![fault], masters: Vec::new() }
    }

    /// The first fault that makes a node unready.
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
