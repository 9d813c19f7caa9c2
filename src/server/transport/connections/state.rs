//! The state that the open connections of one listener share.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use tokio::sync::Semaphore;

use super::slot::{ConnectionSlot, FRESH, lock};
use crate::clock::Clock;

/// All requests are answered.
const SERVING: u8 = 0;
/// Each answer is the last of its connection.
const DRAINING: u8 = 1;
/// Connections without a request in progress end.
const CLOSING: u8 = 2;

pub(super) struct ListenerState {
    pub(super) clock: Clock,
    pub(super) slots: Mutex<HashMap<u64, Arc<ConnectionSlot>>>,
    /// The number of connections so far.
    next_number: AtomicU64,
    /// The connections that were ended to make room for others.
    pub(super) evicted: AtomicU64,
    pub(super) max: usize,
    /// One permit for each further connection.
    pub(super) room: Arc<Semaphore>,
    phase: AtomicU8,
    /// The number of sweeps so far.
    sweep: AtomicU32,
}

impl ListenerState {
    pub(super) fn new(max: usize, clock: Clock) -> Self {
        Self {
            clock,
            slots: Mutex::default(),
            next_number: AtomicU64::new(0),
            evicted: AtomicU64::new(0),
            max,
            room: Arc::new(Semaphore::new(max)),
            phase: AtomicU8::new(SERVING),
            sweep: AtomicU32::new(0),
        }
    }

    /// Adds a connection and returns its number.
    pub(super) fn insert(&self) -> (u64, Arc<ConnectionSlot>) {
        let number = self.next_number.fetch_add(1, Ordering::Relaxed);
        let slot = Arc::new(ConnectionSlot::new(self.sweep()));
        lock(&self.slots).insert(number, slot.clone());
        (number, slot)
    }

    pub(super) fn accepted(&self) -> u64 {
        self.next_number.load(Ordering::Relaxed)
    }

    pub(super) fn sweep(&self) -> u32 {
        self.sweep.load(Ordering::Relaxed) & !FRESH
    }

    /// Begins a sweep and returns its number.
    pub(super) fn begin_sweep(&self) -> u32 {
        self.sweep.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub(super) fn drain(&self) {
        self.phase.store(DRAINING, Ordering::SeqCst);
    }

    pub(super) fn is_draining(&self) -> bool {
        self.phase.load(Ordering::SeqCst) >= DRAINING
    }

    pub(super) fn close_idle(&self) {
        self.phase.store(CLOSING, Ordering::SeqCst);
        lock(&self.slots).values().for_each(|slot| slot.wake());
    }

    pub(super) fn is_closing(&self) -> bool {
        self.phase.load(Ordering::SeqCst) == CLOSING
    }
}
