//! Look-ups that wait for a connection.

use super::request::{ReadRequest, ReadValue, Redirect, ServerIdentity};
use crate::store::error::StoreError;
use crate::store::redis::cluster::master_map::Master;
use crate::store::redis::cluster::topology::Topology;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use tokio::sync::{oneshot, watch};

/// The age of look-ups is looked at so often within the timeout.
pub(crate) const CHECKS_PER_TIMEOUT: u32 = 8;

pub(crate) struct PipelineShared {
    pub(crate) topology: Arc<Topology>,
    pub(crate) master: Arc<Master>,
    /// Of the master's returns.
    pub(crate) returns: watch::Receiver<u64>,
    pub(crate) state: Mutex<PipelineState>,
    pub(crate) has_tried: watch::Sender<bool>,
}

pub(crate) struct PipelineState {
    pub(crate) phase: Phase,
    /// Not sent yet. Bounded by the requests under way, and so by the connections allowed.
    pub(crate) waiting: Vec<PendingRead>,
    /// Of the task, while it has nothing under way: with the answers it comes by itself.
    pub(crate) waker: Option<Waker>,
    /// How often the master had returned when the connection was last lost.
    pub(crate) returns: u64,
    /// How often the age of look-ups was looked at.
    pub(crate) check: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// About to be connected: look-ups wait.
    New,
    Up,
    /// Look-ups fail.
    Down,
    /// For good: the server is none of the masters any more, or the runtime has ended.
    Over,
}

pub(crate) struct PendingRead {
    pub(crate) request: ReadRequest,
    pub(crate) proof: AuthorityProof,
    pub(crate) found: oneshot::Sender<Result<(ReadValue, Arc<ServerIdentity>), ReadFailure>>,
    /// How many checks there had been when it was asked.
    pub(crate) check: u64,
    /// The connection that it was first sent over was closed.
    pub(crate) is_retried: bool,
}

/// The end of a connection.
pub(crate) struct LostConnection {
    pub(crate) reason: String,
    pub(crate) then: AfterLoss,
}

/// What comes after a connection.
pub(crate) enum AfterLoss {
    /// A pause, in which look-ups fail.
    Outage,
    /// The next connection, which look-ups wait for: these first.
    Again {
        unanswered: Vec<PendingRead>,
        /// It was closed as soon as it was made: the next one is made after a pause.
        is_young: bool,
    },
}

impl LostConnection {
    pub(crate) fn for_good(reason: String) -> Self {
        Self { reason, then: AfterLoss::Outage }
    }
}

/// How it is made sure that the server has authority.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum AuthorityProof {
    /// By the write at the head of the pipeline, in a slot of the master.
    Shared,
    /// By a write of its own in its own slot: for who was sent here.
    Own {
        /// The slot is still on its way here.
        is_asking: bool,
    },
}

/// Why a look-up found nothing out.
pub(crate) enum ReadFailure {
    Store(StoreError),
    /// To be asked again there, or here with a proof of its own.
    Again(ReadRequest, Option<Redirect>),
}

impl PipelineShared {
    pub(crate) fn state(&self) -> MutexGuard<'_, PipelineState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether look-ups fail: there is no connection, and no other kind of connection has found the master again.
    pub(crate) fn is_away(&self, state: &PipelineState) -> bool {
        match state.phase {
            Phase::New | Phase::Up => false,
            Phase::Down => *self.returns.borrow() == state.returns,
            Phase::Over => true,
        }
    }
}
