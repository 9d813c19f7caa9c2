//! The report of an inspection of the store: for the log, `GET /v1/status` and the metrics, and for
//! `doorward doctor`. [`FaultKind`] is the one list of causes.

use super::error::StoreError;
use crate::named_enum::named_enum;

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
    /// Its memory.
    pub memory: MemoryUse,
    /// Its persistence, in words; empty while unknown.
    pub persistence: String,
    /// The number of replicas that are connected to it.
    pub replicas: usize,
}

/// The memory of a server, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemoryUse {
    /// The memory that counts against the limit.
    pub used: u64,
    /// `maxmemory`; 0 without a limit.
    pub limit: u64,
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
    /// The observation of the inspection.
    pub cause: String,
    /// The operator's remedy.
    pub fix: String,
    /// The missing permission; only of [`FaultKind::Permission`].
    pub denied: Option<DeniedTo>,
}

/// The permissions that the Redis user lacks. Several commands, patterns and channels are separated by commas.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct DeniedTo {
    /// The denied commands.
    pub command: String,
    /// The patterns of the denied keys.
    pub key: String,
    /// The denied channel.
    pub channel: String,
}

named_enum! {
    /// How bad a kind of fault is, worst first.
    #[derive(PartialOrd, Ord, Hash)]
    pub enum Severity {
        /// The node is not ready.
        Fatal => "fatal",
        /// The node stays ready, but something does not work, or is about to go wrong on every node alike.
        Fault => "fault",
        /// Everything works. Something may go wrong later.
        Warning => "warning",
    }
}

named_enum! {
    /// The kinds of faults, worst first.
    #[derive(PartialOrd, Ord, Hash)]
    pub enum FaultKind {
        /// The server does not answer, or its address is unknown.
        Unreachable => "unreachable",
        /// TLS fails, or only one side uses it.
        Tls => "tls",
        /// The user or the password is refused.
        Login => "login",
        /// The database does not exist.
        Database => "database",
        /// The server is loading its data from the disk.
        Loading => "loading",
        /// The cluster is not complete.
        ClusterDown => "cluster_down",
        /// The server is a replica: what is written there is refused or lost.
        Replica => "replica",
        /// The server refuses writes.
        WritesRefused => "writes_refused",
        /// The server is too old.
        Version => "version",
        /// Another version of Doorward wrote the data.
        Schema => "schema",
        /// The Redis user lacks a permission.
        Permission => "permission",
        /// The server may evict tokens.
        Eviction => "eviction",
        /// The clock of a master differs from the other masters'.
        MasterClock => "master_clock",
        /// The cut-offs were not read yet.
        CutoffsUnknown => "cutoffs_unknown",
        /// Anything else.
        Other => "other",
        /// The memory is full: new tokens are refused.
        MemoryFull => "memory_full",
        /// The store's clock differs from this machine's.
        SystemClock => "system_clock",
        /// The server cannot do what `durable-writes` demands: changes get 503.
        NotDurable => "not_durable",
        /// The cut-offs cannot be read at present: the last known ones are in force.
        CutoffsStale => "cutoffs_stale",
        /// A failover may make revoked tokens valid for longer than promised.
        FailoverLag => "failover_lag",
        /// A restart or a crash of the server loses tokens or revocations.
        Persistence => "persistence",
        /// The memory is nearly full.
        MemoryLow => "memory_low",
        /// A replica is missing, or behind.
        Replication => "replication",
    }
}

impl FaultKind {
    /// The message of its log line.
    pub fn message(self) -> &'static str {
        match self {
            Self::Unreachable => "redis unreachable",
            Self::Tls => "redis tls handshake failed",
            Self::Login => "redis login refused",
            Self::Database => "redis database not selectable",
            Self::Loading => "redis still loading its data",
            Self::ClusterDown => "redis cluster down",
            Self::Replica => "redis is a replica",
            Self::WritesRefused => "redis refuses writes",
            Self::Version => "redis version not supported",
            Self::Schema => "redis schema version not supported",
            Self::Permission => "redis user lacks a permission",
            Self::Eviction => "redis evicts keys",
            Self::MasterClock => "redis clock differs from the other masters'",
            Self::CutoffsUnknown => "cutoffs not read yet",
            Self::Other => "store check failed",
            Self::MemoryFull => "redis memory full",
            Self::SystemClock => "redis clock differs from this machine's",
            Self::NotDurable => "redis cannot make changes durable",
            Self::CutoffsStale => "cutoffs not read",
            Self::FailoverLag => "redis failover settings too slow",
            Self::Persistence => "redis persistence insufficient",
            Self::MemoryLow => "redis memory nearly full",
            Self::Replication => "redis replica missing or behind",
        }
    }

    /// How bad it is.
    pub fn severity(self) -> Severity {
        match self {
            Self::Unreachable
            | Self::Tls
            | Self::Login
            | Self::Database
            | Self::Loading
            | Self::ClusterDown
            | Self::Replica
            | Self::WritesRefused
            | Self::Version
            | Self::Schema
            | Self::Permission
            | Self::Eviction
            | Self::MasterClock
            | Self::CutoffsUnknown
            | Self::Other => Severity::Fatal,
            Self::MemoryFull | Self::SystemClock | Self::NotDurable | Self::CutoffsStale => Severity::Fault,
            Self::FailoverLag | Self::Persistence | Self::MemoryLow | Self::Replication => Severity::Warning,
        }
    }

    /// Whether the fault makes the node unready.
    pub fn is_fatal(self) -> bool {
        self.severity() == Severity::Fatal
    }

    /// Whether no command can be sent to a server with this fault.
    pub fn is_of_connection(self) -> bool {
        matches!(self, Self::Unreachable | Self::Tls | Self::Login | Self::Database | Self::Loading)
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

    /// The fault that a failed operation of the store means, if the inspection found none.
    pub fn of_operation(server: impl Into<String>, error: &StoreError) -> Self {
        let fix = match error {
            StoreError::Corrupt { .. } => "correct or delete the record in Redis, as the cause says",
            StoreError::Unavailable(_) | StoreError::Unusable(_) | StoreError::NotDurable => {
                "look at the server's log"
            }
        };
        Self::new(FaultKind::Other, server, error.to_string(), fix)
    }
}

impl Report {
    /// A report of one fault.
    pub fn of_fault(fault: Fault) -> Self {
        Self { faults: vec![fault], masters: Vec::new() }
    }

    /// Adds faults, and sorts all, worst first.
    pub fn add(&mut self, faults: impl IntoIterator<Item = Fault>) {
        self.faults.extend(faults);
        self.faults.sort_by_key(|fault| fault.kind);
    }

    /// Whether no master can be reached. If only some cannot, the others still serve their tokens.
    pub fn are_all_masters_unreachable(&self) -> bool {
        let unreachable = self.faults.iter().filter(|fault| fault.kind == FaultKind::Unreachable).count();
        unreachable > 0 && unreachable >= self.masters.len()
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
        assert!(FaultKind::ALL.is_sorted_by_key(|kind| (kind.severity(), *kind)), "worst first");
    }
}
