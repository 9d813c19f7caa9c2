//! Inspects all masters, and opens or closes the gate of the store.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::future::join_all;

use super::faults;
use super::permissions::RequiredPermissions;
use super::server::{Depth, ServerInspector, ServerState};
use crate::store::redis::cluster::address::ServerAddress;
use crate::store::redis::cluster::master::Master;
use crate::store::redis::cluster::topology::Topology;
use crate::store::redis::lookup::node_cache::NodeCache;
use crate::store::redis::schema::keys::Keys;
use crate::store::report::{Fault, MasterReport, Report, Severity};
use crate::values::DurableWrites;

/// One in this many inspections is a full one.
const INSPECTIONS_PER_FULL_ONE: u64 = 4;
/// Why the gate is closed before any server was inspected.
const NOT_SEEN: &str = "no server was inspected yet";

/// The inspection of all masters.
pub struct Inspection {
    inspector: ServerInspector,
    /// The setting `redis-url` without the password.
    url: String,
    count: AtomicU64,
    servers: Mutex<HashMap<ServerAddress, ServerState>>,
}

impl Inspection {
    pub(crate) fn new(
        topology: Arc<Topology>,
        node_cache: Arc<NodeCache>,
        keys: Keys,
        commands: &[String],
        (url, accepts_eviction): (String, bool),
        durable_writes: DurableWrites,
    ) -> Self {
        let required = RequiredPermissions::new(&keys, commands, &topology, node_cache.cache.is_some());
        let inspector =
            ServerInspector { topology, node_cache, keys, required, accepts_eviction, durable_writes };
        Self { inspector, url, count: AtomicU64::new(0), servers: Mutex::default() }
    }

    /// Inspects all masters once. Opens or closes the gate.
    pub(crate) async fn inspect(&self) -> Report {
        let is_full = self.count.fetch_add(1, Ordering::Relaxed).is_multiple_of(INSPECTIONS_PER_FULL_ONE);
        self.inspect_at(if is_full { Depth::Full } else { Depth::Light }).await
    }

    /// Inspects all masters once, without any change in the store. Opens or closes the gate.
    pub(crate) async fn check_up(&self) -> Report {
        self.inspect_at(Depth::CheckUp).await
    }

    async fn inspect_at(&self, depth: Depth) -> Report {
        let topology = &self.inspector.topology;
        if topology.map().masters.is_empty() {
            topology.refresh().await;
        }
        let masters = topology.map().masters.clone();
        if masters.is_empty() {
            topology.gate.set(Some(NOT_SEEN.into()));
            return self.inspect_seeds(depth).await;
        }
        let inspected = join_all(masters.iter().map(|master| self.inspect_master(master, depth))).await;
        let mut report = Report::default();
        let mut servers = HashMap::new();
        for (master, (state, fault)) in masters.iter().zip(inspected) {
            report.masters.push(self.master_report(master, &state));
            // Only the settings that a lost server last reported stay true.
            let is_lost = fault.as_ref().is_some_and(|fault| fault.kind.is_of_connection());
            let lasts = |known: &&Fault| !is_lost || known.kind.severity() == Severity::Warning;
            report.faults.extend(state.faults.iter().filter(lasts).cloned());
            report.faults.extend(fault);
            servers.insert(master.address.clone(), state);
        }
        report.add(self.uncovered_slots());
        self.set_gate(&servers, &report);
        *self.servers() = servers;
        report
    }

    fn master_report(&self, master: &Master, state: &ServerState) -> MasterReport {
        MasterReport {
            address: master.address.to_string(),
            version: state.facts.version.clone(),
            is_tracked: self.is_tracked(master),
            memory_policy: state.facts.memory_policy.clone(),
            memory: state.facts.memory,
            persistence: state.persistence.clone(),
            replicas: state.facts.replicas.len(),
        }
    }

    /// Returns a fault if slots of a Cluster have no master.
    fn uncovered_slots(&self) -> Option<Fault> {
        let uncovered = self.inspector.topology.map().uncovered_slots();
        (uncovered > 0).then(|| faults::uncovered(&self.url, uncovered))
    }

    /// Finds out why no master is known: inspects the nodes that the URL names, unless they are Sentinels.
    async fn inspect_seeds(&self, depth: Depth) -> Report {
        let topology = &self.inspector.topology;
        let seeds: Vec<_> = topology.seeds().iter().map(|seed| topology.untracked(seed.clone())).collect();
        let inspected = join_all(seeds.iter().map(|seed| self.inspect_master(seed, depth))).await;
        let mut faults: Vec<_> = inspected
            .into_iter()
            .flat_map(|(state, fault)| state.faults.into_iter().chain(fault))
            .filter(|fault| fault.kind.is_fatal())
            .collect();
        if faults.is_empty() {
            faults.push(faults::nowhere(&self.url, topology.why_unknown()));
        }
        let mut report = Report::default();
        report.add(faults);
        report
    }

    async fn inspect_master(&self, master: &Master, depth: Depth) -> (ServerState, Option<Fault>) {
        let state = self.servers().get(&master.address).cloned().unwrap_or_default();
        self.inspector.inspect(master, state, depth).await
    }

    fn servers(&self) -> MutexGuard<'_, HashMap<ServerAddress, ServerState>> {
        self.servers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_tracked(&self, master: &Master) -> Option<bool> {
        let node_cache = &self.inspector.node_cache;
        let cache = node_cache.cache.as_ref().filter(|_| master.may_have_tokens())?;
        Some(cache.is_live(master.index(), node_cache.clock.boottime_ms()))
    }

    /// Closes the gate if a server has a harmful fault, or if no server was inspected yet. The last known faults of an
    /// unreachable server count, so that a server that comes back is not used before it is inspected again.
    fn set_gate(&self, servers: &HashMap<ServerAddress, ServerState>, report: &Report) {
        let known = servers.values().flat_map(|state| &state.faults);
        let mut faults = report.faults.iter().chain(known);
        let harmful = faults.find(|fault| self.inspector.required.closes_gate(fault));
        let is_any_known = servers.values().any(|state| state.is_known);
        let reason = harmful.map(|fault| format!("{}: {}", fault.kind.message(), fault.cause));
        self.inspector.topology.gate.set(reason.or_else(|| (!is_any_known).then(|| NOT_SEEN.into())));
    }
}
