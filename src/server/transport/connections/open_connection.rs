//! One open connection, as the task that serves it sees it.

use std::sync::Arc;
use std::task::Waker;

use tokio::sync::OwnedSemaphorePermit;

use super::slot::{ConnectionSlot, lock};
use super::state::ListenerState;
use crate::clock::Clock;

/// An open connection. Dropping it makes room for another.
pub struct OpenConnection {
    state: Arc<ListenerState>,
    number: u64,
    slot: Arc<ConnectionSlot>,
    _room: Option<OwnedSemaphorePermit>,
}

impl OpenConnection {
    pub(super) fn new(state: Arc<ListenerState>, room: Option<OwnedSemaphorePermit>) -> Self {
        let (number, slot) = state.insert();
        Self { state, number, slot, _room: room }
    }

    /// Wakes `waker` when the connection has to end. Call it before the flags below are read for the first time: they
    /// are set before the waker is woken.
    pub fn wake_with(&self, waker: &Waker) {
        self.slot.set_waker(waker);
    }

    /// Whether the connection has to end at once.
    pub fn must_end(&self) -> bool {
        self.slot.must_end()
    }

    /// Whether the next answer is the last one.
    pub fn is_draining(&self) -> bool {
        self.state.is_draining()
    }

    /// Whether the connection has to end unless a request is in progress.
    pub fn is_closing(&self) -> bool {
        self.state.is_closing()
    }

    /// The node's clock.
    pub fn clock(&self) -> &Clock {
        &self.state.clock
    }

    /// Whether a request is in progress.
    pub fn is_busy(&self) -> bool {
        self.slot.is_busy()
    }

    /// Records that a request was complete.
    pub fn mark_used(&self) {
        self.slot.mark_used(self.state.sweep());
    }

    /// Counts a request as in progress until the guard is dropped, where the connection is at hand: takes no reference to
    /// state that all threads share.
    pub fn busy(&self) -> BusyHere<'_> {
        self.slot.begin_request();
        BusyHere(self)
    }

    /// Counts a request as in progress until the guard is dropped.
    pub fn begin_request(&self) -> BusyGuard {
        self.slot.begin_request();
        BusyGuard { slot: self.slot.clone(), state: self.state.clone() }
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        lock(&self.state.slots).remove(&self.number);
    }
}

/// A request in progress on a connection at hand.
pub struct BusyHere<'a>(&'a OpenConnection);

impl Drop for BusyHere<'_> {
    fn drop(&mut self) {
        self.0.slot.finish_request(self.0.state.sweep());
    }
}

/// A request in progress.
pub struct BusyGuard {
    slot: Arc<ConnectionSlot>,
    state: Arc<ListenerState>,
}

impl BusyGuard {
    /// Counts a part of the answer as unsent until the guard is dropped.
    pub fn track_unsent(&self) -> UnsentGuard {
        let made_in = self.state.sweep();
        self.slot.add_unsent(made_in);
        UnsentGuard { slot: self.slot.clone(), made_in }
    }
}

impl Drop for BusyGuard {
    fn drop(&mut self) {
        self.slot.finish_request(self.state.sweep());
    }
}

/// An unsent part of an answer.
pub struct UnsentGuard {
    slot: Arc<ConnectionSlot>,
    /// The sweep in which the part was made.
    made_in: u32,
}

impl Drop for UnsentGuard {
    fn drop(&mut self) {
        self.slot.remove_unsent(self.made_in);
    }
}
