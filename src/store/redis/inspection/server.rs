//! Inspects one server.

use std::sync::Arc;

use redis::aio::MultiplexedConnection;
use redis::{RedisError, Value, cmd};

use super::permissions::RequiredPermissions;
use super::server_facts::{ServerFacts, ServerSettings};
use super::{durability, faults, memory, persistence, replication};
use crate::store::redis::cluster::address::ServerAddress;
use crate::store::redis::cluster::authority::ProbeRefusal;
use crate::store::redis::cluster::master::Master;
use crate::store::redis::cluster::slots::slot_of_key;
use crate::store::redis::cluster::topology::Topology;
use crate::store::redis::lookup::node_cache::NodeCache;
use crate::store::redis::schema::keys::{Keys, SCHEMA_VERSION};
use crate::store::report::{Fault, FaultKind};
use crate::values::DurableWrites;

/// The first major version whose scripts can check permissions and have flags.
const OLDEST_MAJOR_VERSION: u32 = 7;

/// How much an inspection checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Depth {
    /// Whether the server takes writes, and the schema.
    Light,
    /// Everything that matters for serving.
    Full,
    /// Everything, also what only a person asks, with more permissions than a node needs. Writes nothing, not even the
    /// schema version of an empty store.
    CheckUp,
}

/// The facts of a server's last full inspection.
#[derive(Clone, Default)]
pub(crate) struct ServerState {
    /// `None` until the server was reached, and after it was lost.
    connection: Option<MultiplexedConnection>,
    pub(crate) facts: ServerFacts,
    /// The server's persistence, in words.
    pub(crate) persistence: String,
    pub(crate) faults: Vec<Fault>,
    /// Whether there ever was a full inspection.
    pub(crate) is_known: bool,
}

/// Why an inspection did not finish.
enum InspectionFailure {
    Redis(RedisError),
    Fault(Box<Fault>),
}

impl From<RedisError> for InspectionFailure {
    fn from(error: RedisError) -> Self {
        Self::Redis(error)
    }
}

/// Inspects single servers.
pub(crate) struct ServerInspector {
    pub(crate) topology: Arc<Topology>,
    pub(crate) node_cache: Arc<NodeCache>,
    pub(crate) keys: Keys,
    pub(crate) required: RequiredPermissions,
    pub(crate) accepts_eviction: bool,
    pub(crate) durable_writes: DurableWrites,
}

impl ServerInspector {
    /// Inspects a master. Returns its state, and the fault that kept the inspection from finishing.
    pub(crate) async fn inspect(
        &self,
        master: &Master,
        mut state: ServerState,
        depth: Depth,
    ) -> (ServerState, Option<Fault>) {
        let address = &master.address;
        let was_connected = state.connection.is_some();
        let mut outcome = self.inspect_once(master, depth, &mut state).await;
        // The server may close an idle connection at any time. That is no fault if it accepts a new one.
        if was_connected
            && let Err(InspectionFailure::Redis(error)) = &outcome
            && error.is_connection_dropped()
        {
            outcome = self.inspect_once(master, depth.at_least_full(), &mut state).await;
        }
        let timeout = self.topology.connector.timeout;
        let fault = match outcome {
            Ok(()) => return (state, None),
            Err(InspectionFailure::Fault(fault)) => *fault,
            Err(InspectionFailure::Redis(error)) if error.is_timeout() => faults::silent(address, timeout),
            Err(InspectionFailure::Redis(error)) => faults::of_error(address, &error, &self.required),
        };
        let is_mute = fault.kind == FaultKind::Unreachable && self.topology.connector.trust.is_some();
        if is_mute && faults::speaks_plain(address, timeout / 2).await {
            return (state, Some(faults::no_tls(address)));
        }
        (state, Some(fault))
    }

    /// The steps of an inspection. Each has its own timeout, on the connection.
    async fn inspect_once(
        &self,
        master: &Master,
        depth: Depth,
        state: &mut ServerState,
    ) -> Result<(), InspectionFailure> {
        let address = &master.address;
        // Put back only after the last step: on a connection that was left halfway, answers would be mismatched.
        let (mut connection, is_new) = match state.connection.take() {
            Some(connection) => (connection, false),
            None => (self.topology.connector.connect(address).await?, true),
        };
        // A faulty server is inspected fully each time, so that the end of the fault shows soon.
        let is_faulty = !state.is_known || state.faults.iter().any(|fault| fault.kind.is_fatal());
        if is_new || is_faulty || depth != Depth::Light {
            self.inspect_fully(address, &mut connection, depth.at_least_full(), state).await?;
            state.is_known = true;
        }
        let is_no_master = |fault: &Fault| fault.kind == FaultKind::Replica;
        let is_usable = |fault: &Fault| !self.required.closes_gate(fault) && !is_no_master(fault);
        if state.faults.iter().all(is_usable) {
            self.prove_writes(master, &mut connection).await?;
            self.check_schema(address, &mut connection, depth).await?;
        }
        state.connection = Some(connection);
        Ok(())
    }

    /// Makes a write that changes nothing. A replica refuses it, and so does a master that must not write.
    async fn prove_writes(
        &self,
        master: &Master,
        connection: &mut MultiplexedConnection,
    ) -> Result<(), RedisError> {
        if !master.may_have_tokens() {
            return Ok(());
        }
        let Err(error) = cmd("DEL").arg(master.probe()).exec_async(connection).await else { return Ok(()) };
        match ProbeRefusal::of(error.code().unwrap_or_default()) {
            // The slot migrates; that says nothing about the server.
            ProbeRefusal::Leaving | ProbeRefusal::Gone => Ok(()),
            ProbeRefusal::Harmless | ProbeRefusal::OfTheServer => Err(error),
        }
    }

    /// Compares the schema version, on the master that has its key. Writes this program's version if the store has none,
    /// except in a check-up.
    async fn check_schema(
        &self,
        address: &ServerAddress,
        connection: &mut MultiplexedConnection,
        depth: Depth,
    ) -> Result<(), InspectionFailure> {
        let key = self.keys.schema();
        let map = self.topology.map().clone();
        if map.owner(slot_of_key(key.as_bytes())).is_none_or(|owner| owner.address != *address) {
            return Ok(());
        }
        let mut stored: Value = match cmd("GET").arg(&key).query_async(connection).await {
            Err(error) if error.code() == Some("WRONGTYPE") => {
                return Err(InspectionFailure::Fault(Box::new(faults::schema(address, &key, None))));
            }
            stored => stored?,
        };
        // Only if it is missing: with a full memory, SET is refused even if it would change nothing.
        if stored == Value::Nil && depth != Depth::CheckUp {
            stored =
                cmd("SET").arg(&key).arg(SCHEMA_VERSION).arg("NX").arg("GET").query_async(connection).await?;
        }
        match stored {
            Value::Nil => Ok(()),
            Value::BulkString(version) if version == SCHEMA_VERSION.as_bytes() => Ok(()),
            other => Err(InspectionFailure::Fault(Box::new(faults::schema(address, &key, Some(&other))))),
        }
    }

    /// Checks version, permissions, policies, memory, persistence and replicas.
    async fn inspect_fully(
        &self,
        address: &ServerAddress,
        connection: &mut MultiplexedConnection,
        depth: Depth,
        state: &mut ServerState,
    ) -> Result<(), RedisError> {
        // If INFO is denied, the check of the permissions reports it.
        let info: String = match cmd("INFO").query_async(connection).await {
            Err(error) if error.code() != Some("NOPERM") => return Err(error),
            info => info.unwrap_or_default(),
        };
        let facts = ServerFacts::from_info(&info);
        if facts.major_version().is_some_and(|major| major < OLDEST_MAJOR_VERSION) {
            state.faults = vec![faults::version(address, &facts.version)];
            state.facts = facts;
            return Ok(());
        }
        let wait = durability::wait_command(&facts, self.durable_writes);
        let mut found = self.required.missing(address, wait, connection).await?;
        // The least Redis user may not read the settings, and the server counts each refusal.
        let settings = match self.topology.may_fail_over() || depth == Depth::CheckUp {
            true => ServerSettings::ask(connection).await,
            false => None,
        };
        let settings = settings.as_ref();
        found.extend(replication::role(&self.topology, address, &facts));
        found.extend(memory::fault(address, &facts, self.accepts_eviction));
        found
            .extend(replication::too_slow(&self.topology, address, self.node_cache.lease_ms, settings).await);
        found.extend(durability::fault(address, &facts, self.durable_writes));
        found.extend(persistence::faults(address, &facts, settings));
        found.extend(replication::warnings(&self.topology, address, &facts));
        state.persistence = persistence::described(&facts, settings);
        (state.facts, state.faults) = (facts, found);
        Ok(())
    }
}

impl Depth {
    fn at_least_full(self) -> Self {
        match self {
            Self::Light | Self::Full => Self::Full,
            Self::CheckUp => Self::CheckUp,
        }
    }
}
