//! A pipeline: a runtime's own connection to one master, for look-ups.
//!
//! Reads requested in the same turn of the runtime's loop are sent as one pipeline. Reads requested while it is under
//! way collect into the next one, so pipelines grow with the load. One task writes them, parses the replies and hands
//! them out, which costs less than half of a general client's work per look-up (`benches/README.md`).
//!
//! Each pipeline begins with a write that changes nothing, and counts only if the server accepts it. A master that was
//! demoted, or cut off from its cluster or its replicas, still answers reads, with what it knew then: it would admit
//! tokens that have been revoked since, and refuse tokens issued since.
//!
//! If the server closes a connection that worked (its `timeout`, a proxy that cuts idle flows), the task reconnects at
//! once, and sends unanswered reads again, once, within their deadline. While it cannot connect, every read fails at
//! once, so that requests do not pile up behind an outage. The outage ends with the next connection, or as soon as the
//! tracking connection has found the server again: from then on reads wait.

use std::sync::{Arc, Mutex};

use tokio::sync::{oneshot, watch};
use tokio::task::AbortHandle;

use super::pipeline_state::{
    AuthorityProof, ConnectionPhase, PendingRead, PipelineShared, PipelineState, ReadFailure,
};
use super::pipeline_task::CloseGuard;
use super::request::{ReadRequest, ReadValue, ServerIdentity};
use crate::store::error::StoreError;
use crate::store::redis::cluster::master::Master;
use crate::store::redis::cluster::topology::Topology;

/// The handle of a pipeline. Any thread may use it. Dropping it closes the connection.
pub(crate) struct Pipeline {
    shared: Arc<PipelineShared>,
    task: AbortHandle,
}

impl Drop for Pipeline {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Pipeline {
    /// Starts the connection's task on this runtime.
    pub(crate) fn start(
        topology: Arc<Topology>,
        master: Arc<Master>,
        runtime: &tokio::runtime::Handle,
    ) -> Self {
        let phase = ConnectionPhase::Connecting;
        let state = PipelineState { phase, waiting: Vec::new(), waker: None, returns: 0, tick: 0 };
        let has_tried = watch::Sender::new(false);
        let returns = master.returns();
        let shared =
            Arc::new(PipelineShared { topology, master, returns, state: Mutex::new(state), has_tried });
        let guard = CloseGuard::new(shared.clone());
        let task = runtime.spawn(guard.run()).abort_handle();
        Self { shared, task }
    }

    /// Waits until it is connected, or its first attempts to connect are over.
    pub(crate) async fn has_tried(&self) {
        // Fails only without a sender, which `self` holds.
        let _ = self.shared.has_tried.subscribe().wait_for(|has_tried| *has_tried).await;
    }

    pub(crate) fn master(&self) -> &Arc<Master> {
        &self.shared.master
    }

    /// Returns whether it will not connect again.
    pub(crate) fn is_over(&self) -> bool {
        self.shared.state().phase == ConnectionPhase::Over
    }

    /// Sends a request and waits for its answer, at most for the timeout.
    pub(crate) async fn ask(
        &self,
        request: ReadRequest,
        proof: AuthorityProof,
    ) -> Result<(ReadValue, Arc<ServerIdentity>), ReadFailure> {
        let unavailable = |reason: &str| ReadFailure::Store(StoreError::Unavailable(reason.into()));
        let (reply_to, reply) = oneshot::channel();
        let waker = {
            let mut state = self.shared.state();
            if self.shared.is_away(&state) {
                return Err(unavailable("not connected"));
            }
            let tick = state.tick;
            state.waiting.push(PendingRead { request, proof, reply_to, tick, is_retried: false });
            state.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
        reply.await.unwrap_or_else(|_| Err(unavailable("the connection was lost")))
    }
}
