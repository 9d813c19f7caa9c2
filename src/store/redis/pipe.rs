//! A runtime's connection to one master. Look-ups that come in the same turn of the runtime's loop go out as one
//! pipeline; those that come while it is under way make up the next one, so that the busier it is the more go
//! together. One task writes them, reads the answers and hands them out: that costs less than half of what a general
//! client does per look-up (benches/README.md).
//!
//! Each pipeline begins with a write that changes nothing, and counts only if the server takes it. A master that was
//! demoted, or cut off from its cluster or its replicas, still answers reads, for ever, with what it knew then: it
//! would admit tokens that were ended since, and refuse those issued since.
//!
//! While the connection is down every look-up fails at once, so that requests do not pile up behind an outage;
//! the task brings it back.

mod open;

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use tokio::task::AbortHandle;
use tokio::time::timeout;

use self::open::Open;
use super::question::{Question, Redirect, Server, Value, code_of};
use super::topology::{Master, Topology};
use super::wire::{self, Stream};
use crate::store::StoreError;

/// The pause before each further attempt to connect: short enough that an outage ends within a second of the
/// server's return.
pub(super) const RECONNECT_PAUSE: Duration = Duration::from_millis(100);

/// The handle: any thread may use it. The connection ends with it.
pub(super) struct Pipe {
    queue: Arc<Queue>,
    worker: AbortHandle,
}

struct Queue {
    topology: Arc<Topology>,
    master: Arc<Master>,
    state: Mutex<State>,
    has_tried: watch::Sender<bool>,
}

impl Drop for Pipe {
    fn drop(&mut self) {
        self.worker.abort();
    }
}

/// Held by the connection's task. When the task ends, also with its runtime or before its first turn, nobody will answer.
struct Ending(Arc<Queue>);

impl Drop for Ending {
    fn drop(&mut self) {
        {
            let mut state = self.0.state();
            state.phase = Phase::Over;
            state.waiting.clear();
        }
        self.0.has_tried.send_replace(true);
    }
}

struct State {
    phase: Phase,
    /// Not sent yet. Bounded by the requests under way, and so by the connections allowed.
    waiting: Vec<LookUp>,
    /// Of the task, while it has nothing under way: with the answers it comes by itself.
    waker: Option<Waker>,
    /// How often the age of look-ups was looked at on this connection.
    check: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Not tried yet: look-ups wait.
    New,
    Up,
    /// Look-ups fail.
    Down,
    /// For good: the server is none of the masters any more, or the runtime has ended.
    Over,
}

struct LookUp {
    question: Question,
    proof: Proof,
    found: oneshot::Sender<Result<(Value, Arc<Server>), Failure>>,
    /// How many checks there had been when it was asked.
    check: u64,
}

/// How it is made sure that the server has authority.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Proof {
    /// By the write at the head of the pipeline, in a slot of the master.
    Shared,
    /// By a write of its own in its own slot: for who was sent here.
    Own {
        /// The slot is still on its way here.
        is_asking: bool,
    },
}

/// Why a look-up found nothing out.
pub(super) enum Failure {
    Store(StoreError),
    /// To be asked again there, or here with a proof of its own.
    Again(Question, Option<Redirect>),
}

impl Pipe {
    /// Starts the connection's task.
    pub(super) fn start(
        topology: Arc<Topology>,
        master: Arc<Master>,
        runtime: &tokio::runtime::Handle,
    ) -> Self {
        let state = State { phase: Phase::New, waiting: Vec::new(), waker: None, check: 0 };
        let has_tried = watch::Sender::new(false);
        let queue = Arc::new(Queue { topology, master, state: Mutex::new(state), has_tried });
        let ending = Ending(queue.clone());
        let worker = runtime.spawn(async move { ending.0.work().await }).abort_handle();
        Self { queue, worker }
    }

    /// Waits until it has tried once to connect.
    pub(super) async fn has_tried(&self) {
        // Fails only when the sender has gone, which is ours.
        let _ = self.queue.has_tried.subscribe().wait_for(|has_tried| *has_tried).await;
    }

    pub(super) fn master(&self) -> &Arc<Master> {
        &self.queue.master
    }

    /// Whether it will not connect again.
    pub(super) fn is_over(&self) -> bool {
        self.queue.state().phase == Phase::Over
    }

    pub(super) async fn ask(
        &self,
        question: Question,
        proof: Proof,
    ) -> Result<(Value, Arc<Server>), Failure> {
        let unavailable = |reason: &str| Failure::Store(StoreError::Unavailable(reason.into()));
        let (found, answered) = oneshot::channel();
        let waker = {
            let mut state = self.queue.state();
            if matches!(state.phase, Phase::Down | Phase::Over) {
                return Err(unavailable("not connected"));
            }
            let check = state.check;
            state.waiting.push(LookUp { question, proof, found, check });
            state.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
        answered.await.unwrap_or_else(|_| Err(unavailable("the connection was lost")))
    }
}

impl Queue {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn work(self: &Arc<Self>) {
        loop {
            let reason = match timeout(self.topology.link.timeout, self.connect()).await {
                Ok(Ok((stream, server))) => {
                    {
                        let mut state = self.state();
                        (state.phase, state.check) = (Phase::Up, 0);
                        state.waiting.iter_mut().for_each(|look_up| look_up.check = 0);
                    }
                    self.has_tried.send_replace(true);
                    let mut open = Open::new(stream, server, self);
                    poll_fn(|context| open.poll(context)).await
                }
                Ok(Err(error)) => error.to_string(),
                Err(_) => "no answer in time".into(),
            };
            let is_over = !self.topology.map().has(&self.master);
            {
                let mut state = self.state();
                state.phase = if is_over { Phase::Over } else { Phase::Down };
                // What waits and what was sent fails with it.
                state.waiting.clear();
            }
            self.has_tried.send_replace(true);
            tracing::debug!(reason, server = %self.master.address, "a validation connection is down");
            if is_over {
                return;
            }
            tokio::join!(self.topology.refresh(), tokio::time::sleep(RECONNECT_PAUSE));
        }
    }

    /// Connects, and asks which server that is: behind one address there may be another one next time, and only what
    /// the tracked one answered may be cached.
    async fn connect(&self) -> io::Result<(Pin<Box<dyn Stream>>, Arc<Server>)> {
        let mut stream = self.topology.link.open(&self.master.address).await?;
        let info = wire::call(&mut stream, &[b"INFO", b"server"]).await?;
        if self.master.may_have_tokens()
            && let Err(error) = wire::call(&mut stream, &[b"DEL", self.master.probe().as_bytes()]).await
        {
            match refusal(&error.to_string()) {
                Refusal::OfTheServer => return Err(error),
                Refusal::Leaving | Refusal::Gone => self.master.next_probe(),
                Refusal::Harmless => {}
            }
        }
        let run_id = run_id_in(&info).to_owned();
        Ok((stream, Arc::new(Server { index: self.master.index(), run_id })))
    }
}

/// What it means that a write was refused.
pub(super) enum Refusal {
    /// A master whose disk fails refuses writes and is the master all the same.
    Harmless,
    /// The slot is about to go: only its master, and only in a cluster that is fine, says that. But whether it has the
    /// replicas that it should have, it did not look at; so the next probe is in another slot.
    Leaving,
    /// The slot has gone; that says nothing of others.
    Gone,
    /// It is no master, or one that must not be believed.
    OfTheServer,
}

/// Reads the code at the start of an error.
pub(super) fn refusal(error: &str) -> Refusal {
    match code_of(error) {
        "MISCONF" => Refusal::Harmless,
        "ASK" => Refusal::Leaving,
        "MOVED" => Refusal::Gone,
        _ => Refusal::OfTheServer,
    }
}

/// The id that a server has from its start to its end, in its `INFO`.
pub(super) fn run_id_in(info: &str) -> &str {
    info.lines().find_map(|line| line.strip_prefix("run_id:")).unwrap_or_default().trim()
}
