//! The state that the handle of a pipeline and its task share: the reads that wait for the connection, and how the connection fares.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use tokio::sync::{oneshot, watch};

use super::request::{ReadRequest, ReadValue, ServerIdentity};
use crate::store::error::StoreError;
use crate::store::redis::cluster::master::Master;
use crate::store::redis::cluster::redirect::Redirect;
use crate::store::redis::cluster::topology::Topology;

/// Ticks within the timeout of a read. The age of reads is measured in ticks, so that no read needs its own timer.
pub(crate) const TICKS_PER_TIMEOUT: u32 = 8;

/// Shared by the handle of a pipeline and its task.
pub(crate) struct PipelineShared {
    pub(crate) topology: Arc<Topology>,
    pub(crate) master: Arc<Master>,
    /// Counts the returns of the master that the tracking connection has noticed.
    pub(crate) returns: watch::Receiver<u64>,
    pub(crate) state: Mutex<PipelineState>,
    /// Whether the first attempts to connect are over.
    pub(crate) has_tried: watch::Sender<bool>,
}

/// The state that changes, under a lock.
pub(crate) struct PipelineState {
    pub(crate) phase: ConnectionPhase,
    /// Reads not sent yet. Bounded by the requests under way, and so by the limit of client connections.
    pub(crate) waiting: Vec<PendingRead>,
    /// The task's waker while nothing is under way. While a reply is expected, the reply wakes the task.
    pub(crate) waker: Option<Waker>,
    /// How often the master had returned when the connection was last lost.
    pub(crate) returns: u64,
    /// The present tick.
    pub(crate) tick: u64,
}

/// Whether there is a connection, and what reads do without one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum ConnectionPhase {
    /// About to be connected: reads wait.
    Connecting,
    Up,
    /// Reads fail at once.
    Down,
    /// Down for good: the server is no longer a master, or the runtime has ended.
    Over,
}

/// A read that has not been answered.
pub(crate) struct PendingRead {
    pub(crate) request: ReadRequest,
    pub(crate) proof: AuthorityProof,
    pub(crate) reply_to: oneshot::Sender<Result<(ReadValue, Arc<ServerIdentity>), ReadFailure>>,
    /// The tick in which the read was requested.
    pub(crate) tick: u64,
    /// The read was sent before, over a connection that the server closed.
    pub(crate) is_retried: bool,
}

impl PendingRead {
    /// Returns whether the read has passed its deadline.
    pub(crate) fn is_overdue(&self, now_tick: u64) -> bool {
        is_overdue(self.tick, now_tick)
    }
}

/// Returns whether what began at `tick` has passed the deadline of a read.
pub(crate) fn is_overdue(tick: u64, now_tick: u64) -> bool {
    now_tick - tick > u64::from(TICKS_PER_TIMEOUT)
}

/// How the server proves its authority for a read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum AuthorityProof {
    /// By the write at the head of the pipeline, in one of the master's slots.
    Shared,
    /// Authority is proved by a separate write in the read's own slot: the read was redirected here.
    Own {
        /// The slot is still moving here.
        is_asking: bool,
    },
}

/// Why a read found nothing out.
pub(crate) enum ReadFailure {
    Store(StoreError),
    /// Send it again: to the redirect's server, or to the same one with its own proof.
    /// Boxed, so that answers are no larger for it.
    Again(Box<(ReadRequest, Option<Redirect>)>),
}

impl PipelineShared {
    pub(crate) fn state(&self) -> MutexGuard<'_, PipelineState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns whether reads fail at once: there is no connection, and the tracking connection has not found the master
    /// again either.
    pub(crate) fn is_away(&self, state: &PipelineState) -> bool {
        match state.phase {
            ConnectionPhase::Connecting | ConnectionPhase::Up => false,
            ConnectionPhase::Down => *self.returns.borrow() == state.returns,
            ConnectionPhase::Over => true,
        }
    }
}
