//! A master: its address, its number in the near cache, and the keys that prove its authority.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use super::address::ServerAddress;
use super::master_data::MasterData;
use crate::store::cache::ServerIndex;

/// The most masters of a cluster: each takes one connection per validation thread, and one for tracking.
pub(crate) const MAX_MASTERS: usize = 128;
/// The number of servers in the near cache: a master keeps its number until nothing of it is left.
pub(crate) const MAX_SERVERS: usize = 2 * MAX_MASTERS;
/// The number of a server that the near cache keeps nothing of.
const UNTRACKED: u16 = u16::MAX;

/// A key that never exists, and its slot. Deleting it proves that the server accepts writes in that slot.
pub(crate) struct Probe {
    pub(crate) slot: u16,
    pub(crate) key: String,
}

/// A master. It stays the same object while its address and the slots of its probes do.
pub(crate) struct Master {
    number: MasterNumber,
    pub(crate) address: ServerAddress,
    probes: Vec<Probe>,
    current_probe: AtomicUsize,
    /// Which data it serves, and whether this node has accepted it.
    pub(crate) data: Arc<MasterData>,
    /// How often the tracking connection found the master again after an outage.
    returns: watch::Sender<u64>,
}

impl Master {
    pub(crate) fn new(
        number: MasterNumber,
        address: ServerAddress,
        probes: Vec<Probe>,
        data: Arc<MasterData>,
    ) -> Self {
        let (current_probe, returns) = (AtomicUsize::new(0), watch::Sender::new(0));
        Self { number, address, probes, current_probe, data, returns }
    }

    /// Returns its number in the near cache.
    pub(crate) fn index(&self) -> ServerIndex {
        ServerIndex(self.number.0)
    }

    /// Returns whether it can have tokens: some slots have no hash tag, and so no tokens.
    pub(crate) fn may_have_tokens(&self) -> bool {
        !self.probes.is_empty()
    }

    /// Returns the key of the current probe.
    pub(crate) fn probe(&self) -> &str {
        let current = self.current_probe.load(Ordering::Relaxed);
        self.probes.get(current % self.probes.len().max(1)).map_or("", |probe| &probe.key)
    }

    /// Selects another probe: the slot of the current one is moving.
    pub(crate) fn next_probe(&self) {
        self.current_probe.fetch_add(1, Ordering::Relaxed);
    }

    /// Reports that the master answers again: connections that wait out an outage should try now.
    pub(crate) fn report_return(&self) {
        self.returns.send_modify(|returns| *returns += 1);
    }

    /// Subscribes to the count of its returns.
    pub(crate) fn returns(&self) -> watch::Receiver<u64> {
        self.returns.subscribe()
    }

    /// Returns whether all its probes are in these slots.
    pub(crate) fn has_probes_in(&self, slots: &BTreeSet<u16>) -> bool {
        self.may_have_tokens() && self.probes.iter().all(|probe| slots.contains(&probe.slot))
    }
}

/// The numbers in use. Clones share them.
#[derive(Clone, Default)]
pub(crate) struct MasterNumbers(Arc<Mutex<BTreeSet<u16>>>);

impl MasterNumbers {
    /// Takes the lowest free number. If none is free, the master is not tracked.
    pub(crate) fn take(&self) -> MasterNumber {
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let free = (0..MAX_SERVERS as u16).find(|number| !taken.contains(number)).unwrap_or(UNTRACKED);
        taken.insert(free);
        MasterNumber(free, self.clone())
    }

    /// Returns the number of a server of which nothing is cached.
    pub(crate) fn untracked(&self) -> MasterNumber {
        MasterNumber(UNTRACKED, self.clone())
    }
}

/// The number of a master, reserved until this is dropped.
pub(crate) struct MasterNumber(u16, MasterNumbers);

impl Drop for MasterNumber {
    fn drop(&mut self) {
        self.1.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.0);
    }
}
