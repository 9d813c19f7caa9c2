//! Inspects all masters, and opens or closes the gate of the store.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::future::join_all;

use super::faults;
use super::permissions::Needs;
use super::server::{ServerInspector, ServerState};
use crate::store::redis::cluster::endpoint::Address;
use crate::store::redis::cluster::master_map::Master;
use crate::store::redis::cluster::topology::Topology;
use crate::store::redis::lookup::near_cache::Near;
use crate::store::redis::schema::keys::Keys;
use crate::store::report::{Fault, MasterReport, Report};

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
    servers: Mutex<HashMap<Address, ServerState>>,
}

impl Inspection {
    pub(crate) fn new(
        topology: Arc<Topology>,
        near: Arc<Near>,
        keys: Keys,
        commands: &[String],
        (url, accepts_eviction): (String, bool),
    ) -> Self {
        let needs = Needs::new(&keys, commands, &topology, near.cache.is_some());
        let inspector = ServerInspector { topology, near, keys, needs, accepts_eviction };
        Self { inspector, url, count: AtomicU64::new(0), servers: Mutex::default() }
    }

    /// Inspects all masters once. Opens or closes the gate.
    pub(crate) async fn inspect(&self) -> Report {
        let topology = &self.inspector.topology;
        if topology.map().masters.is_empty() {
            topology.refresh().await;
        }
        let masters = topology.map().masters.clone();
        if masters.is_empty() {
            topology.gate.set(Some(NOT_SEEN.into()));
            return self.inspect_seeds().await;
        }
        let is_full = self.count.fetch_add(1, Ordering::Relaxed).is_multiple_of(INSPECTIONS_PER_FULL_ONE);
        let inspected = join_all(masters.iter().map(|master| self.inspect_master(master, is_full))).await;
        let mut report = Report::default();
        let mut servers = HashMap::new();
        for (master, (state, fault)) in masters.iter().zip(inspected) {
            report.masters.push(MasterReport {
                address: master.address.to_string(),
                version: state.facts.version.clone(),
                is_tracked: self.is_tracked(master),
                memory_policy: state.facts.memory_policy.clone(),
            });
            // The other faults of an unreachable server are reported when it is back.
            match fault {
                Some(fault) => report.faults.push(fault),
                None => report.faults.extend(state.faults.iter().cloned()),
            }
            servers.insert(master.address.clone(), state);
        }
        report.faults.sort_by_key(|fault| fault.kind);
        self.set_gate(&servers, &report);
        *self.servers() = servers;
        report
    }

    /// Finds out why no master is known: inspects the nodes that the URL names, unless they are Sentinels.
    async fn inspect_seeds(&self) -> Report {
        let topology = &self.inspector.topology;
        let seeds: Vec<_> = topology.seeds().iter().map(|seed| topology.guest(seed.clone())).collect();
        let inspected = join_all(seeds.iter().map(|seed| self.inspect_master(seed, true))).await;
        let mut faults: Vec<_> = inspected
            .into_iter()
            .flat_map(|(state, fault)| state.faults.into_iter().chain(fault))
            .filter(|fault| fault.kind.is_fatal())
            .collect();
        if faults.is_empty() {
            faults.push(faults::nowhere(&self.url, topology.why_unknown()));
        }
        faults.sort_by_key(|fault| fault.kind);
        Report { faults, masters: Vec::new() }
    }

    async fn inspect_master(&self, master: &Master, is_full: bool) -> (ServerState, Option<Fault>) {
        let state = self.servers().get(&master.address).cloned().unwrap_or_default();
        self.inspector.inspect(master, state, is_full).await
    }

    fn servers(&self) -> MutexGuard<'_, HashMap<Address, ServerState>> {
        self.servers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_tracked(&self, master: &Master) -> Option<bool> {
        let near = &self.inspector.near;
        let cache = near.cache.as_ref().filter(|_| master.may_have_tokens())?;
        Some(cache.is_live(master.index(), near.clock.boottime_ms()))
    }

    /// Closes the gate if a server has a harmful fault, or if no server was inspected yet. The last known faults of an
    /// unreachable server count, so that a server that comes back is not used before it is inspected again.
    fn set_gate(&self, servers: &HashMap<Address, ServerState>, report: &Report) {
        let known = servers.values().flat_map(|state| &state.faults);
        let mut faults = report.faults.iter().chain(known);
        let harmful = faults.find(|fault| self.inspector.needs.closes_gate(fault));
        let is_any_known = servers.values().any(|state| state.is_known);
        let reason = harmful.map(|fault| format!("{}: {}", fault.kind.message(), fault.cause));
        self.inspector.topology.gate.set(reason.or_else(|| (!is_any_known).then(|| NOT_SEEN.into())));
    }
}
