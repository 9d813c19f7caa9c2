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

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::sync::{oneshot, watch};
use tokio::task::AbortHandle;
use tokio::time::{Interval, MissedTickBehavior, interval, timeout};

use super::question::{Question, Redirect, Server, Value, code_of};
use super::resp::{self, Answer, Read};
use super::topology::{Master, Topology};
use super::wire::{self, Stream};
use crate::store::StoreError;

/// The pause before each further attempt to connect: short enough that an outage ends within a second of the
/// server's return.
pub(super) const RECONNECT_PAUSE: Duration = Duration::from_millis(100);
/// Read from the socket at once.
const READ_BYTES: usize = 16 * 1024;
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
    /// For good: the server is none of the masters any more.
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

    async fn work(self: Arc<Self>) {
        loop {
            let reason = match timeout(self.topology.link.timeout, self.connect()).await {
                Ok(Ok((stream, server))) => {
                    {
                        let mut state = self.state();
                        (state.phase, state.check) = (Phase::Up, 0);
                        state.waiting.iter_mut().for_each(|look_up| look_up.check = 0);
                    }
                    self.has_tried.send_replace(true);
                    let mut open = Open::new(stream, server, &self);
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

/// An open connection and what is under way on it.
struct Open<'a> {
    stream: Pin<Box<dyn Stream>>,
    server: Arc<Server>,
    queue: &'a Queue,
    out: Vec<u8>,
    written: usize,
    input: Vec<u8>,
    /// Sent, in the order of the answers to come.
    under_way: VecDeque<Sent>,
    /// The last write was refused for its slot: what follows it is not proven.
    is_unproven: bool,
    checks: Interval,
    /// How many checks there were.
    check: u64,
}

/// A command that was sent, with the number of checks there had been when it was asked for.
enum Sent {
    /// A write that a server without authority refuses.
    Probe(u64),
    /// What says that the next command is for a slot on its way.
    Asking(u64),
    LookUp(LookUp),
}

impl<'a> Open<'a> {
    fn new(stream: Pin<Box<dyn Stream>>, server: Arc<Server>, queue: &'a Queue) -> Self {
        let mut checks = interval(queue.topology.link.timeout / CHECKS_PER_TIMEOUT);
        // A process that was stopped finds one check due, not all it missed.
        checks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            stream,
            server,
            queue,
            out: Vec::new(),
            written: 0,
            input: Vec::new(),
            under_way: VecDeque::new(),
            is_unproven: false,
            checks,
            check: 0,
        }
    }

    /// Does all that can be done without waiting; ready, with the reason, when the connection is of no more use.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<String> {
        loop {
            self.take_waiting(context);
            if let Poll::Ready(error) = self.poll_write(context) {
                return Poll::Ready(error.to_string());
            }
            if let Poll::Ready(reason) = self.poll_read(context) {
                return Poll::Ready(reason);
            }
            // When all is answered, those who waited for that go out now; when nobody does, the next one wakes us.
            if !self.under_way.is_empty() || self.queue.state().waker.is_some() {
                break;
            }
        }
        while self.checks.poll_tick(context).is_ready() {
            self.check += 1;
            self.queue.state().check = self.check;
            let oldest = match self.under_way.front() {
                Some(Sent::Probe(check) | Sent::Asking(check)) => *check,
                Some(Sent::LookUp(look_up)) => look_up.check,
                None => self.check,
            };
            if self.check - oldest > u64::from(CHECKS_PER_TIMEOUT) {
                return Poll::Ready("no answer in time".into());
            }
        }
        Poll::Pending
    }

    /// Takes those who wait, unless something is under way.
    fn take_waiting(&mut self, context: &Context<'_>) {
        if !self.under_way.is_empty() {
            return;
        }
        let waiting = {
            let mut state = self.queue.state();
            if state.waiting.is_empty() {
                state.waker = Some(context.waker().clone());
                return;
            }
            std::mem::take(&mut state.waiting)
        };
        // Of what is written before a look-up: as old as the oldest.
        let check = waiting.first().map_or(self.check, |look_up| look_up.check);
        if waiting.iter().any(|look_up| look_up.proof == Proof::Shared) {
            // Before the reads: a server that is the master by then has all that was acknowledged until then.
            self.write_probe(self.queue.master.probe(), check);
        }
        // Those with proofs of their own come after all that the shared one is for.
        let mut own = Vec::new();
        for look_up in waiting {
            match look_up.proof {
                Proof::Shared => self.write_look_up(look_up),
                Proof::Own { .. } => own.push(look_up),
            }
        }
        for look_up in own {
            let probe = self.queue.topology.keys.probe_at(&look_up.question.shard().to_string());
            self.write_asking(look_up.proof, check);
            self.write_probe(&probe, check);
            self.write_asking(look_up.proof, check);
            self.write_look_up(look_up);
        }
    }

    fn write_probe(&mut self, key: &str, check: u64) {
        resp::write_command(&mut self.out, &[b"DEL", key.as_bytes()]);
        self.under_way.push_back(Sent::Probe(check));
    }

    fn write_asking(&mut self, proof: Proof, check: u64) {
        if proof == (Proof::Own { is_asking: true }) {
            resp::write_command(&mut self.out, &[b"ASKING"]);
            self.under_way.push_back(Sent::Asking(check));
        }
    }

    fn write_look_up(&mut self, look_up: LookUp) {
        look_up.question.write(&mut self.out, &self.queue.topology.keys);
        self.under_way.push_back(Sent::LookUp(look_up));
    }

    fn poll_write(&mut self, context: &mut Context<'_>) -> Poll<io::Error> {
        while self.written < self.out.len() {
            match self.stream.as_mut().poll_write(context, &self.out[self.written..]) {
                Poll::Ready(Ok(0)) => return Poll::Ready(io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(written)) => self.written += written,
                Poll::Ready(Err(error)) => return Poll::Ready(error),
                Poll::Pending => return Poll::Pending,
            }
        }
        self.out.clear();
        self.written = 0;
        // TLS may hold something back; without it this does nothing.
        match self.stream.as_mut().poll_flush(context) {
            Poll::Ready(Err(error)) => Poll::Ready(error),
            _ => Poll::Pending,
        }
    }

    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<String> {
        loop {
            self.input.reserve(READ_BYTES);
            // This future keeps nothing between polls, so a new one each time loses nothing.
            match ready!(pin!(self.stream.read_buf(&mut self.input)).poll(context)) {
                Ok(0) => return Poll::Ready("the server closed it".into()),
                Ok(_) => {}
                Err(error) => return Poll::Ready(error.to_string()),
            }
            if let Err(reason) = self.hand_out() {
                return Poll::Ready(reason);
            }
        }
    }

    /// Hands out every whole answer.
    ///
    /// # Errors
    /// When the server has no authority, or does not speak the protocol.
    fn hand_out(&mut self) -> Result<(), String> {
        let broken = || "an answer is not of the protocol".to_owned();
        let mut at = 0;
        while at < self.input.len() {
            let input = &self.input[at..];
            let length = match self.under_way.front().ok_or_else(broken)? {
                sent @ (Sent::Probe(_) | Sent::Asking(_)) => match resp::read_done(input) {
                    Read::Whole(answer, length) => {
                        if matches!(sent, Sent::Probe(_)) {
                            self.is_unproven = is_unproven(&answer, &self.queue.master)?;
                        }
                        length
                    }
                    Read::Partial => break,
                    Read::Broken => return Err(broken()),
                },
                Sent::LookUp(look_up) => match look_up.question.read(input) {
                    Read::Whole(answer, length) => {
                        if let Some(Sent::LookUp(look_up)) = self.under_way.pop_front() {
                            self.answer(look_up, answer);
                        }
                        at += length;
                        continue;
                    }
                    Read::Partial => break,
                    Read::Broken => return Err(broken()),
                },
            };
            self.under_way.pop_front();
            at += length;
        }
        self.input.drain(..at);
        Ok(())
    }

    fn answer(&self, look_up: LookUp, answer: Answer<Result<Value, StoreError>>) {
        let LookUp { question, found, .. } = look_up;
        let outcome = if self.is_unproven {
            Err(Failure::Again(question, None))
        } else {
            match answer {
                Answer::Error(text) => match Redirect::parse(&text, &self.queue.master.address) {
                    Some(redirect) => Err(Failure::Again(question, Some(redirect))),
                    None => Err(Failure::Store(error_of(&text))),
                },
                Answer::Fine(Ok(value)) => Ok((value, self.server.clone())),
                Answer::Fine(Err(error)) => Err(Failure::Store(error)),
            }
        };
        // Nobody waits any more when the client has gone.
        let _ = found.send(outcome);
    }
}

/// Whether an answer to a write leaves open what follows it.
///
/// # Errors
/// With the code, when the server must not be believed.
fn is_unproven(answer: &Answer<()>, master: &Master) -> Result<bool, String> {
    let Answer::Error(text) = answer else { return Ok(false) };
    let refusal = refusal(text);
    if matches!(refusal, Refusal::Leaving | Refusal::Gone) {
        master.next_probe();
    }
    match refusal {
        Refusal::Harmless | Refusal::Leaving => Ok(false),
        Refusal::Gone => Ok(true),
        Refusal::OfTheServer => Err(code_of(text).to_owned()),
    }
}

fn error_of(text: &str) -> StoreError {
    if text.starts_with("WRONGTYPE") {
        return StoreError::Corrupt { key: "unknown".into(), reason: "wrong type".into() };
    }
    StoreError::Unavailable(code_of(text).to_owned())
}
