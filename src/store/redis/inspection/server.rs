//! Inspects one server.

use std::sync::Arc;

use redis::aio::MultiplexedConnection;
use redis::{RedisError, Value, cmd};

use super::permissions::Needs;
use super::server_facts::ServerFacts;
use super::{failover, faults};
use crate::store::redis::cluster::authority::{Refusal, refusal};
use crate::store::redis::cluster::endpoint::Address;
use crate::store::redis::cluster::master_map::Master;
use crate::store::redis::cluster::slots::slot_of_key;
use crate::store::redis::cluster::topology::Topology;
use crate::store::redis::lookup::near_cache::Near;
use crate::store::redis::schema::keys::{Keys, SCHEMA_VERSION};
use crate::store::report::{Fault, FaultKind, is_evicting};

/// The first major version whose scripts can check permissions and have flags.
const OLDEST_MAJOR_VERSION: u32 = 7;

/// What is known of a server since its last full inspection.
#[derive(Clone, Default)]
pub(crate) struct ServerState {
    /// `None` until the server was reached, and after it was lost.
    connection: Option<MultiplexedConnection>,
    pub(crate) facts: ServerFacts,
    pub(crate) faults: Vec<Fault>,
    /// Whether there ever was a full inspection.
    pub(crate) is_known: bool,
}

/// Why an inspection did not finish.
enum Failure {
    Redis(RedisError),
    Fault(Box<Fault>),
}

impl From<RedisError> for Failure {
    fn from(error: RedisError) -> Self {
        Self::Redis(error)
    }
}

/// Inspects single servers.
pub(crate) struct ServerInspector {
    pub(crate) topology: Arc<Topology>,
    pub(crate) near: Arc<Near>,
    pub(crate) keys: Keys,
    pub(crate) needs: Needs,
    pub(crate) accepts_eviction: bool,
}

impl ServerInspector {
    /// Inspects a master. Returns its state, and the fault that kept the inspection from finishing.
    pub(crate) async fn inspect(
        &self,
        master: &Master,
        mut state: ServerState,
        is_full: bool,
    ) -> (ServerState, Option<Fault>) {
        let address = &master.address;
        let was_connected = state.connection.is_some();
        let mut outcome = self.inspect_once(master, is_full, &mut state).await;
        // The server may close an idle connection at any time. That is no fault if it accepts a new one.
        if was_connected
            && let Err(Failure::Redis(error)) = &outcome
            && error.is_connection_dropped()
        {
            outcome = self.inspect_once(master, true, &mut state).await;
        }
        let timeout = self.topology.link.timeout;
        let fault = match outcome {
            Ok(()) => return (state, None),
            Err(Failure::Fault(fault)) => *fault,
            Err(Failure::Redis(error)) if error.is_timeout() => faults::silent(address, timeout),
            Err(Failure::Redis(error)) => faults::of_error(address, &error, &self.needs),
        };
        let is_mute = fault.kind == FaultKind::Unreachable && self.topology.link.trust.is_some();
        if is_mute && faults::speaks_plain(address, timeout / 2).await {
            return (state, Some(faults::no_tls(address)));
        }
        (state, Some(fault))
    }

    /// The steps of an inspection. Each has its own timeout, on the connection.
    async fn inspect_once(
        &self,
        master: &Master,
        is_full: bool,
        state: &mut ServerState,
    ) -> Result<(), Failure> {
        let address = &master.address;
        // Put back only after the last step: on a connection that was left halfway, answers would be mismatched.
        let (mut connection, is_full) = match state.connection.take() {
            Some(connection) => (connection, is_full),
            None => (self.topology.link.connect(address).await?, true),
        };
        // A faulty server is inspected fully each time, so that the end of the fault shows soon.
        if is_full || !state.is_known || !state.faults.is_empty() {
            (state.facts, state.faults) = self.inspect_fully(address, &mut connection).await?;
            state.is_known = true;
        }
        let is_usable = !state.faults.iter().any(|fault| self.needs.closes_gate(fault));
        if is_usable {
            self.prove_writes(master, &mut connection).await?;
            self.check_schema(address, &mut connection).await?;
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
        match refusal(error.code().unwrap_or_default()) {
            // The slot migrates; that says nothing about the server.
            Refusal::Leaving | Refusal::Gone => Ok(()),
            Refusal::Harmless | Refusal::OfTheServer => Err(error),
        }
    }

    /// Compares the schema version, on the master that has its key. Writes this program's version if there is none.
    async fn check_schema(
        &self,
        address: &Address,
        connection: &mut MultiplexedConnection,
    ) -> Result<(), Failure> {
        let key = self.keys.schema();
        let map = self.topology.map().clone();
        if map.owner(slot_of_key(key.as_bytes())).is_none_or(|owner| owner.address != *address) {
            return Ok(());
        }
        let mut stored: Value = match cmd("GET").arg(&key).query_async(connection).await {
            Err(error) if error.code() == Some("WRONGTYPE") => {
                return Err(Failure::Fault(Box::new(faults::schema(address, &key, None))));
            }
            stored => stored?,
        };
        // Only if there is none: with a full memory, SET is refused even if it would change nothing.
        if stored == Value::Nil {
            stored =
                cmd("SET").arg(&key).arg(SCHEMA_VERSION).arg("NX").arg("GET").query_async(connection).await?;
        }
        match stored {
            Value::Nil => Ok(()),
            Value::BulkString(version) if version == SCHEMA_VERSION.as_bytes() => Ok(()),
            other => Err(Failure::Fault(Box::new(faults::schema(address, &key, Some(&other))))),
        }
    }

    /// Checks version, permissions and policies.
    async fn inspect_fully(
        &self,
        address: &Address,
        connection: &mut MultiplexedConnection,
    ) -> Result<(ServerFacts, Vec<Fault>), RedisError> {
        let mut found = Vec::new();
        // If INFO is denied, the check of the permissions reports it.
        let info: String = match cmd("INFO").query_async(connection).await {
            Err(error) if error.code() != Some("NOPERM") => return Err(error),
            info => info.unwrap_or_default(),
        };
        let facts = ServerFacts::from_info(&info);
        if facts.major_version().is_some_and(|major| major < OLDEST_MAJOR_VERSION) {
            found.push(faults::version(address, &facts.version));
            return Ok((facts, found));
        }
        found.extend(self.needs.missing(address, connection).await?);
        if is_evicting(&facts.memory_policy) && !self.accepts_eviction {
            found.push(faults::eviction(address, &facts.memory_policy));
        }
        found.extend(failover::too_slow(&self.topology, address, self.near.lease_ms, connection).await);
        Ok((facts, found))
    }
}
