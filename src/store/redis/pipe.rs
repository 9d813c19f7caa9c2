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
//! can be had every look-up fails at once, so that requests do not pile up behind an outage.

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
use super::authority::{Refusal, refusal};
use super::map::Master;
use super::question::{Question, Redirect, Server, Value};
use super::topology::Topology;
use super::wire::{self, Stream};
use crate::store::StoreError;

/// The pause before each further attempt to connect: short enough that an outage ends within a second of the
/// server's return.
pub(super) const RECONNECT_PAUSE: Duration = Duration::from_millis(100);
/// The age of look-ups is looked at so often within the timeout.
const CHECKS_PER_TIMEOUT: u32 = 8;

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

struct State {
    phase: Phase,
    /// Not sent yet. Bounded by the requests under way, and so by the connections allowed.
    waiting: Vec<LookUp>,
    /// Of the task, while it has nothing under way: with the answers it comes by itself.
    waker: Option<Waker>,
    /// How often the age of look-ups was looked at.
    check: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// About to be connected: look-ups wait.
    New,
    Up,
    /// Look-ups fail.
    Down,
    /// For good: the server is none of the masters any more.
    Over,
}

struct LookUp {
    question: Question,
    proof: Proof,
    found: oneshot::Sender<Result<(Value, Arc<Server>), Failure>>,
    /// How many checks there had been when it was asked.
    check: u64,
    /// The connection that it was first sent over was closed.
    is_retried: bool,
}

/// The end of a connection.
struct Lost {
    reason: String,
    /// Look-ups for the next connection, which is made at once; `None` when there is a pause first.
    unanswered: Option<Vec<LookUp>>,
}

impl Lost {
    fn for_good(reason: String) -> Self {
        Self { reason, unanswered: None }
    }
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
        let worker = runtime.spawn(queue.clone().work()).abort_handle();
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
            state.waiting.push(LookUp { question, proof, found, check, is_retried: false });
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

    async fn work(self: Arc<Self>) {
        loop {
            let lost = self.serve().await;
            let is_over = !self.topology.map().has(&self.master);
            let is_again = lost.unanswered.is_some() && !is_over;
            {
                let mut state = self.state();
                state.phase = match is_over {
                    true => Phase::Over,
                    false if is_again => Phase::New,
                    false => Phase::Down,
                };
                // What waits and what was sent fails with the connection, unless it gets a second one.
                let waiting = std::mem::take(&mut state.waiting);
                if is_again {
                    state.waiting = lost.unanswered.into_iter().flatten().chain(waiting).collect();
                }
            }
            self.has_tried.send_replace(true);
            tracing::debug!(reason = lost.reason, server = %self.master.address, "look-up connection lost");
            if is_over {
                return;
            }
            if is_again {
                self.topology.refresh_soon();
            } else {
                tokio::join!(self.topology.refresh(), tokio::time::sleep(RECONNECT_PAUSE));
            }
        }
    }

    /// One connection, from the attempt to its loss.
    async fn serve(&self) -> Lost {
        let connect = timeout(self.topology.link.timeout, self.connect());
        let connected = tokio::select! {
            connected = connect => connected,
            never = self.age_waiting() => never,
        };
        match connected {
            Ok(Ok((stream, server))) => {
                let check = {
                    let mut state = self.state();
                    state.phase = Phase::Up;
                    state.check
                };
                self.has_tried.send_replace(true);
                let mut open = Open::new(stream, server, self, check);
                let reason = poll_fn(|context| open.poll(context)).await;
                open.lose(reason)
            }
            Ok(Err(error)) => Lost::for_good(error.to_string()),
            Err(_) => Lost::for_good("no answer in time".into()),
        }
    }

    /// Look-ups that wait for a connection have the deadline that all have.
    async fn age_waiting<T>(&self) -> T {
        let pause = self.topology.link.timeout / CHECKS_PER_TIMEOUT;
        loop {
            tokio::time::sleep(pause).await;
            let mut state = self.state();
            state.check += 1;
            let check = state.check;
            state.waiting.retain(|look_up| check - look_up.check <= u64::from(CHECKS_PER_TIMEOUT));
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

/// The id that a server has from its start to its end, in its `INFO`.
pub(super) fn run_id_in(info: &str) -> &str {
    info.lines().find_map(|line| line.strip_prefix("run_id:")).unwrap_or_default().trim()
}
