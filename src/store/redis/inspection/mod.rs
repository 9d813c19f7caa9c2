//! The inspection of the store: can each master be reached, is it one that Doorward can work with, and may it do there all
//! that it needs? What is wrong is said with its cause and what to do about it.
//!
//! Each look asks each master whether it takes writes and which schema it has. The rest, its version, its policies and the
//! permissions of the Redis user, is looked at on each new connection and every few looks after that.

pub mod denied;
pub mod failover;
pub mod faults;
pub mod permissions;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::join_all;
use redis::aio::MultiplexedConnection;
use redis::{RedisError, Value, cmd};

use self::permissions::Needs;
use crate::store::redis::cluster::address::ServerAddress;
use crate::store::redis::cluster::authority::ProbeRefusal;
use crate::store::redis::cluster::master::Master;
use crate::store::redis::cluster::slots::slot_of_key;
use crate::store::redis::cluster::topology::Topology;
use crate::store::redis::lookup::node_cache::NodeCache;
use crate::store::redis::schema::keys::{Keys, SCHEMA_VERSION};
use crate::store::report::{Fault, FaultKind, MasterReport, Report, is_evicting};

/// Looks after which all is looked at again.
const LOOKS_PER_THOROUGH_LOOK: u64 = 4;
/// Why the store is not used before any server was looked at.
const NOT_SEEN: &str = "no server was inspected yet";
/// The first major version whose scripts can ask for permissions, and whose scripts have flags.
const OLDEST_MAJOR_VERSION: u32 = 7;

/// See the module.
pub(crate) struct Inspection {
    topology: Arc<Topology>,
    node_cache: Arc<NodeCache>,
    keys: Keys,
    needs: Needs,
    /// Where the servers are looked for, without the password.
    url: String,
    accepts_eviction: bool,
    looks: AtomicU64,
    servers: Mutex<HashMap<ServerAddress, Inspected>>,
}

/// What is known of a server since it was last looked at thoroughly.
#[derive(Clone, Default)]
struct Inspected {
    /// `None` until it was reached, and after it was lost.
    connection: Option<MultiplexedConnection>,
    facts: Facts,
    faults: Vec<Fault>,
    /// Whether it was ever looked at thoroughly.
    is_known: bool,
}

#[derive(Clone, Default)]
struct Facts {
    version: String,
    memory_policy: String,
}

/// Why a look at a server came to nothing.
enum Failed {
    Redis(RedisError),
    Fault(Box<Fault>),
}

impl From<RedisError> for Failed {
    fn from(error: RedisError) -> Self {
        Self::Redis(error)
    }
}

impl Inspection {
    pub(crate) fn new(
        topology: Arc<Topology>,
        node_cache: Arc<NodeCache>,
        keys: Keys,
        commands: &[String],
        (url, accepts_eviction): (String, bool),
    ) -> Self {
        let needs = Needs::new(&keys, commands, &topology, node_cache.cache.is_some());
        let (looks, servers) = (AtomicU64::new(0), Mutex::default());
        Self { topology, node_cache, keys, needs, url, accepts_eviction, looks, servers }
    }

    /// One look at all masters. Opens and closes the gate.
    pub(crate) async fn look(&self) -> Report {
        if self.topology.map().masters.is_empty() {
            self.topology.refresh().await;
        }
        let masters = self.topology.map().masters.clone();
        if masters.is_empty() {
            self.topology.gate.set(Some(NOT_SEEN.into()));
            return self.look_for_masters().await;
        }
        let is_thorough = self.looks.fetch_add(1, Ordering::Relaxed).is_multiple_of(LOOKS_PER_THOROUGH_LOOK);
        let looked = join_all(masters.iter().map(|master| self.look_at(master, is_thorough))).await;
        let mut report = Report::default();
        let mut servers = HashMap::new();
        for (master, (inspected, fault)) in masters.iter().zip(looked) {
            report.masters.push(MasterReport {
                address: master.address.to_string(),
                version: inspected.facts.version.clone(),
                is_tracked: self.is_tracked(master),
                memory_policy: inspected.facts.memory_policy.clone(),
            });
            // A server that cannot be reached now may have other faults all the same; it is said when it is back.
            match fault {
                Some(fault) => report.faults.push(fault),
                None => report.faults.extend(inspected.faults.iter().cloned()),
            }
            servers.insert(master.address.clone(), inspected);
        }
        report.faults.sort_by_key(|fault| fault.kind);
        self.decide(&servers, &report);
        *self.servers() = servers;
        report
    }

    /// What keeps us from knowing any master: what is wrong with the nodes that the URL names, if they are not Sentinels.
    async fn look_for_masters(&self) -> Report {
        let nodes: Vec<_> =
            self.topology.seeds().iter().map(|node| self.topology.untracked(node.clone())).collect();
        let looked = join_all(nodes.iter().map(|node| self.look_at(node, true))).await;
        let mut faults: Vec<_> = looked
            .into_iter()
            .flat_map(|(inspected, fault)| inspected.faults.into_iter().chain(fault))
            .filter(|fault| fault.kind.is_fatal())
            .collect();
        if faults.is_empty() {
            let cause = self.topology.why_unknown();
            faults.push(faults::nowhere(&self.url, cause));
        }
        faults.sort_by_key(|fault| fault.kind);
        Report { faults, masters: Vec::new() }
    }

    fn servers(&self) -> std::sync::MutexGuard<'_, HashMap<ServerAddress, Inspected>> {
        self.servers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_tracked(&self, master: &Master) -> Option<bool> {
        let cache = self.node_cache.cache.as_ref().filter(|_| master.may_have_tokens())?;
        Some(cache.is_live(master.index(), self.node_cache.clock.boottime_ms()))
    }

    /// Closed by what was found when a server was last seen, so that one that comes back is not used before it was looked
    /// at again; and until any was seen at all.
    fn decide(&self, servers: &HashMap<ServerAddress, Inspected>, report: &Report) {
        let seen = servers.values().flat_map(|inspected| &inspected.faults);
        let harmful = report.faults.iter().chain(seen).find(|fault| self.needs.closes_gate(fault));
        let reason = harmful.map(|fault| format!("{}: {}", fault.kind.message(), fault.cause));
        match reason {
            None if !servers.values().any(|inspected| inspected.is_known) => {
                self.topology.gate.set(Some(NOT_SEEN.into()));
            }
            reason => self.topology.gate.set(reason),
        }
    }

    /// Looks at one master; what is known of it, and the fault that kept it from more.
    async fn look_at(&self, master: &Master, is_thorough: bool) -> (Inspected, Option<Fault>) {
        let address = &master.address;
        let mut inspected = self.servers().get(address).cloned().unwrap_or_default();
        let was_connected = inspected.connection.is_some();
        let mut outcome = self.look_through(master, is_thorough, &mut inspected).await;
        // The other side may close an idle connection at any time. That says nothing of the server, if it takes a new one.
        if was_connected
            && let Err(Failed::Redis(error)) = &outcome
            && error.is_connection_dropped()
        {
            outcome = self.look_through(master, true, &mut inspected).await;
        }
        let fault = match outcome {
            Ok(()) => return (inspected, None),
            Err(Failed::Fault(fault)) => *fault,
            Err(Failed::Redis(error)) if error.is_timeout() => {
                faults::silent(address, self.topology.connector.timeout)
            }
            Err(Failed::Redis(error)) => faults::of_error(address, &error, &self.needs),
        };
        let is_mute = fault.kind == FaultKind::Unreachable && self.topology.connector.trust.is_some();
        if is_mute && faults::speaks_plain(address, self.topology.connector.timeout / 2).await {
            return (inspected, Some(faults::no_tls(address)));
        }
        (inspected, Some(fault))
    }

    /// The steps of a look at one master; each has its own timeout, on the connection.
    async fn look_through(
        &self,
        master: &Master,
        is_thorough: bool,
        inspected: &mut Inspected,
    ) -> Result<(), Failed> {
        let address = &master.address;
        // Put back only when the look has come to its end: on a connection that was left halfway, answers would go astray.
        let (mut connection, is_thorough) = match inspected.connection.take() {
            Some(connection) => (connection, is_thorough),
            None => (self.topology.connector.connect(address).await?, true),
        };
        // What is at fault is looked at each time, so that its end is seen soon.
        if is_thorough || !inspected.is_known || !inspected.faults.is_empty() {
            (inspected.facts, inspected.faults) = self.look_thoroughly(address, &mut connection).await?;
            inspected.is_known = true;
        }
        let usable = !inspected.faults.iter().any(|fault| self.needs.closes_gate(fault));
        if usable {
            self.prove_writes(master, &mut connection).await?;
            self.check_schema(address, &mut connection).await?;
        }
        inspected.connection = Some(connection);
        Ok(())
    }

    /// A write that changes nothing: a replica, and a master that may not write, refuse it.
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
            // The slot is on the move; that says nothing of the server.
            ProbeRefusal::Leaving | ProbeRefusal::Gone => Ok(()),
            ProbeRefusal::Harmless | ProbeRefusal::OfTheServer => Err(error),
        }
    }

    /// Asks the master that has the key of the schema; writes our version where there is none.
    async fn check_schema(
        &self,
        address: &ServerAddress,
        connection: &mut MultiplexedConnection,
    ) -> Result<(), Failed> {
        let key = self.keys.schema();
        let map = self.topology.map().clone();
        if map.owner(slot_of_key(key.as_bytes())).is_none_or(|owner| owner.address != *address) {
            return Ok(());
        }
        let mut kept: Value = match cmd("GET").arg(&key).query_async(connection).await {
            Err(error) if error.code() == Some("WRONGTYPE") => {
                return Err(Failed::Fault(Box::new(faults::schema(address, &key, None))));
            }
            kept => kept?,
        };
        // Only when there is something to write: a full memory refuses SET even where it would change nothing.
        if kept == Value::Nil {
            kept =
                cmd("SET").arg(&key).arg(SCHEMA_VERSION).arg("NX").arg("GET").query_async(connection).await?;
        }
        match kept {
            Value::Nil => Ok(()),
            Value::BulkString(version) if version == SCHEMA_VERSION.as_bytes() => Ok(()),
            other => Err(Failed::Fault(Box::new(faults::schema(address, &key, Some(&other))))),
        }
    }

    async fn look_thoroughly(
        &self,
        address: &ServerAddress,
        connection: &mut MultiplexedConnection,
    ) -> Result<(Facts, Vec<Fault>), RedisError> {
        let mut found = Vec::new();
        // Where INFO is denied, the permissions will say so.
        let info: String = match cmd("INFO").query_async(connection).await {
            Err(error) if error.code() != Some("NOPERM") => return Err(error),
            info => info.unwrap_or_default(),
        };
        let facts = Facts::read(&info);
        if facts.major_version().is_some_and(|major| major < OLDEST_MAJOR_VERSION) {
            found.push(faults::version(address, &facts.version));
            return Ok((facts, found));
        }
        found.extend(self.needs.missing(address, connection).await?);
        if is_evicting(&facts.memory_policy) && !self.accepts_eviction {
            found.push(faults::eviction(address, &facts.memory_policy));
        }
        found.extend(failover::too_slow(&self.topology, address, self.node_cache.lease_ms, connection).await);
        Ok((facts, found))
    }
}

impl Facts {
    fn read(info: &str) -> Self {
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

    fn major_version(&self) -> Option<u32> {
        self.version.split_once(' ')?.1.split('.').next()?.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read() {
        let read = |info: &str| {
            let facts = Facts::read(info);
            (facts.version.clone(), facts.major_version())
        };
        assert_eq!(read("# Server\r\nredis_version:6.2.14\r\n"), ("redis 6.2.14".into(), Some(6)));
        assert_eq!(read("redis_version:7.2.4\r\nvalkey_version:9.1.2\r\n"), ("valkey 9.1.2".into(), Some(9)));
        assert_eq!(read(""), (String::new(), None));
        assert_eq!(Facts::read("maxmemory_policy:volatile-lru\r\n").memory_policy, "volatile-lru");
    }
}
