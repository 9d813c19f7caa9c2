//! A runtime's connection to one master. Look-ups that come in the same turn of the runtime's loop go out as one
//! pipeline; those that come while it is under way make up the next one, so that the busier it is the more go
//! together. One task writes them, reads the answers and hands them out: that costs less than half of what a general
//! client does per look-up (benches/README.md).
//!
//! Each pipeline begins with a write that changes nothing, and counts only if the server takes it. A master that was
//! demoted, or cut off from its cluster or its replicas, still answers reads, for ever, with what it knew then: it
//! would admit tokens that were ended since, and refuse those issued since.
//!
//! If the other side closes a connection that worked (a server's `timeout`, a proxy that cuts idle flows), another is
//! made at once, and look-ups without an answer are asked once more over that, within their deadline. While no connection
//! can be had every look-up fails at once, so that requests do not pile up behind an outage. It ends with the next
//! connection, or as soon as tracking has found the server again: then look-ups wait.

use super::pipeline_state::{
    AfterLoss, AuthorityProof, CHECKS_PER_TIMEOUT, LostConnection, PendingRead, Phase, PipelineShared,
    PipelineState, ReadFailure,
};
use crate::store::redis::cluster::reconnect::RECONNECT_PAUSE;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use tokio::sync::{oneshot, watch};
use tokio::task::AbortHandle;
use tokio::time::{Interval, MissedTickBehavior, interval, timeout};

use super::open_connection::OpenConnection;
use super::request::{ReadRequest, ReadValue, ServerIdentity};
use super::stream;
use super::stream::Stream;
use crate::store::error::StoreError;
use crate::store::redis::cluster::authority::{ProbeRefusal, refusal};
use crate::store::redis::cluster::master_map::Master;
use crate::store::redis::cluster::topology::Topology;

/// Who starts waits for so many attempts to connect to a server that may be used: on a busy machine the first answer may
/// be late.
pub(crate) const FIRST_TRIES: u32 = 2;
/// The handle: any thread may use it. The connection ends with it.
pub(crate) struct Pipeline {
    queue: Arc<PipelineShared>,
    worker: AbortHandle,
}

impl Drop for Pipeline {
    fn drop(&mut self) {
        self.worker.abort();
    }
}

/// Held by the connection's task. When the task ends, also with its runtime or before its first turn, nobody will answer.
pub(crate) struct CloseGuard(Arc<PipelineShared>);

impl Drop for CloseGuard {
    fn drop(&mut self) {
        {
            let mut state = self.0.state();
            state.phase = Phase::Over;
            state.waiting.clear();
        }
        self.0.has_tried.send_replace(true);
    }
}

impl Pipeline {
    /// Starts the connection's task.
    pub(crate) fn start(
        topology: Arc<Topology>,
        master: Arc<Master>,
        runtime: &tokio::runtime::Handle,
    ) -> Self {
        let state =
            PipelineState { phase: Phase::New, waiting: Vec::new(), waker: None, returns: 0, check: 0 };
        let has_tried = watch::Sender::new(false);
        let returns = master.returns();
        let queue =
            Arc::new(PipelineShared { topology, master, returns, state: Mutex::new(state), has_tried });
        let ending = CloseGuard(queue.clone());
        let worker = runtime.spawn(async move { ending.0.work().await }).abort_handle();
        Self { queue, worker }
    }

    /// Waits until it is connected, or has tried a few times.
    pub(crate) async fn has_tried(&self) {
        // Fails only when the sender has gone, which is ours.
        let _ = self.queue.has_tried.subscribe().wait_for(|has_tried| *has_tried).await;
    }

    pub(crate) fn master(&self) -> &Arc<Master> {
        &self.queue.master
    }

    /// Whether it will not connect again.
    pub(crate) fn is_over(&self) -> bool {
        self.queue.state().phase == Phase::Over
    }

    pub(crate) async fn ask(
        &self,
        request: ReadRequest,
        proof: AuthorityProof,
    ) -> Result<(ReadValue, Arc<ServerIdentity>), ReadFailure> {
        let unavailable = |reason: &str| ReadFailure::Store(StoreError::Unavailable(reason.into()));
        let (found, answered) = oneshot::channel();
        let waker = {
            let mut state = self.queue.state();
            if self.queue.is_away(&state) {
                return Err(unavailable("not connected"));
            }
            let check = state.check;
            state.waiting.push(PendingRead { request, proof, found, check, is_retried: false });
            state.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
        answered.await.unwrap_or_else(|_| Err(unavailable("the connection was lost")))
    }
}

impl PipelineShared {
    async fn work(self: &Arc<Self>) {
        // One for all connections: look-ups age while one follows the other, too.
        let mut checks = interval(self.topology.connector.timeout / CHECKS_PER_TIMEOUT);
        // A process that was stopped finds one check due, not all it missed.
        checks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut returns = self.returns.clone();
        let (mut tries, mut was_up) = (0, false);
        loop {
            // Before the attempt: one that fails because it came too early must not hide a return meanwhile.
            let mut seen = *returns.borrow_and_update();
            let LostConnection { reason, then } = self.serve(&mut checks, was_up).await;
            was_up = self.state().phase == Phase::Up;
            if was_up {
                seen = *returns.borrow_and_update();
            }
            let is_over = !self.topology.map().has(&self.master);
            let (phase, unanswered, is_young) = match then {
                _ if is_over => (Phase::Over, None, false),
                AfterLoss::Outage => (Phase::Down, None, false),
                AfterLoss::Again { unanswered, is_young } => (Phase::New, Some(unanswered), is_young),
            };
            {
                let mut state = self.state();
                state.phase = phase;
                state.returns = seen;
                // What waits and what was sent fails with the connection, unless it gets a second one.
                let waiting = std::mem::take(&mut state.waiting);
                if let Some(unanswered) = unanswered {
                    state.waiting = unanswered.into_iter().chain(waiting).collect();
                }
            }
            tries += 1;
            if tries >= FIRST_TRIES || is_over || !self.topology.gate.is_open() {
                self.has_tried.send_replace(true);
            }
            tracing::debug!(reason, server = %self.master.address, "look-up connection lost");
            match phase {
                Phase::Over => return,
                Phase::Down => {
                    let pause = async {
                        tokio::join!(self.topology.refresh(), tokio::time::sleep(RECONNECT_PAUSE));
                    };
                    tokio::select! {
                        () = pause => {}
                        _ = returns.changed() => self.topology.refresh_soon(),
                    }
                }
                Phase::New | Phase::Up => {
                    self.topology.refresh_soon();
                    if is_young {
                        tokio::select! {
                            () = tokio::time::sleep(RECONNECT_PAUSE) => {}
                            never = self.age_waiting(&mut checks) => never,
                        }
                    }
                }
            }
        }
    }

    /// One connection, from the attempt to its loss. `was_up`: the one before worked.
    async fn serve(&self, checks: &mut Interval, was_up: bool) -> LostConnection {
        let connect = timeout(self.topology.connector.timeout, self.connect());
        let connected = tokio::select! {
            connected = connect => connected,
            never = self.age_waiting(checks) => never,
        };
        match connected {
            Ok(Ok((stream, server))) => {
                let check = {
                    let mut state = self.state();
                    state.phase = Phase::Up;
                    state.check
                };
                self.has_tried.send_replace(true);
                let mut open = OpenConnection::new(stream, server, self, (checks, check));
                let reason = poll_fn(|context| open.poll(context)).await;
                open.lose(reason)
            }
            // The same hand may have closed both.
            Ok(Err(error)) if was_up && is_closed(&error) => LostConnection {
                reason: error.to_string(),
                then: AfterLoss::Again { unanswered: Vec::new(), is_young: true },
            },
            Ok(Err(error)) => LostConnection::for_good(error.to_string()),
            Err(_) => LostConnection::for_good("no answer in time".into()),
        }
    }

    /// Look-ups that wait for a connection have the deadline that all have.
    async fn age_waiting<T>(&self, checks: &mut Interval) -> T {
        loop {
            checks.tick().await;
            let mut state = self.state();
            state.check += 1;
            let check = state.check;
            state.waiting.retain(|look_up| check - look_up.check <= u64::from(CHECKS_PER_TIMEOUT));
        }
    }

    /// Connects, and asks which server that is: behind one address there may be another one next time, and only what
    /// the tracked one answered may be cached.
    async fn connect(&self) -> io::Result<(Pin<Box<dyn Stream>>, Arc<ServerIdentity>)> {
        let mut stream = self.topology.connector.open(&self.master.address).await?;
        let info = stream::call(&mut stream, &[b"INFO", b"server"]).await?;
        if self.master.may_have_tokens()
            && let Err(error) = stream::call(&mut stream, &[b"DEL", self.master.probe().as_bytes()]).await
        {
            match refusal(&error.to_string()) {
                ProbeRefusal::OfTheServer => return Err(error),
                ProbeRefusal::Leaving | ProbeRefusal::Gone => self.master.next_probe(),
                ProbeRefusal::Harmless => {}
            }
        }
        let run_id = run_id_in(&info).to_owned();
        Ok((stream, Arc::new(ServerIdentity { index: self.master.index(), run_id })))
    }
}

/// Whether there was a connection that the other side closed.
pub(crate) fn is_closed(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof)
}

/// The id that a server has from its start to its end, in its `INFO`.
pub(crate) fn run_id_in(info: &str) -> &str {
    info.lines().find_map(|line| line.strip_prefix("run_id:")).unwrap_or_default().trim()
}
