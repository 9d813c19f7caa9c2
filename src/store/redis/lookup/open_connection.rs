//! An open connection of a [`Pipe`](super::pipeline::Pipe): what is written, read and handed out while it is up.

use std::collections::VecDeque;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::AsyncReadExt as _;
use tokio::time::Interval;

use super::queue::{CHECKS_PER_TIMEOUT, Failure, LookUp, Lost, Proof, Queue, Then};
use super::request::{Redirect, Server, Value, code_of};
use super::resp;
use super::resp::{Answer, Read};
use super::stream::Stream;
use crate::store::error::StoreError;
use crate::store::redis::cluster::authority::{Refusal, refusal};
use crate::store::redis::cluster::master_map::Master;
use crate::store::redis::inspection::permission_error::PermissionError;

/// Read from the socket at once.
const READ_BYTES: usize = 16 * 1024;

/// An open connection and what is under way on it.
pub(crate) struct Open<'a> {
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
    checks: &'a mut Interval,
    /// How many checks there were, and how many of them before this connection.
    check: u64,
    first_check: u64,
    /// It has answered something.
    has_answered: bool,
}

/// Why a connection is of no more use.
pub(crate) enum Loss {
    /// The other side closed it.
    Closed(String),
    /// No answer in time, no authority, or an answer that is not of the protocol.
    Unusable(String),
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
    pub(crate) fn new(
        stream: Pin<Box<dyn Stream>>,
        server: Arc<Server>,
        queue: &'a Queue,
        (checks, check): (&'a mut Interval, u64),
    ) -> Self {
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
            check,
            first_check: check,
            has_answered: false,
        }
    }

    /// What becomes of the look-ups without an answer: if the other side closed the connection, they are asked over the
    /// next one, each of them only once. That one is made at once if this one has answered something or stood for a while.
    pub(crate) fn lose(self, loss: Loss) -> Lost {
        let is_young = !self.has_answered && self.check == self.first_check;
        match loss {
            Loss::Closed(reason) => {
                let unanswered = self.under_way.into_iter().filter_map(|sent| match sent {
                    Sent::LookUp(look_up) if !look_up.is_retried => {
                        Some(LookUp { is_retried: true, ..look_up })
                    }
                    _ => None,
                });
                Lost { reason, then: Then::Again { unanswered: unanswered.collect(), is_young } }
            }
            Loss::Unusable(reason) => Lost::for_good(reason),
        }
    }

    /// Does all that can be done without waiting; ready, with the reason, when the connection is of no more use.
    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Loss> {
        loop {
            self.take_waiting(context);
            if let Poll::Ready(error) = self.poll_write(context) {
                return Poll::Ready(Loss::Closed(error.to_string()));
            }
            if let Poll::Ready(loss) = self.poll_read(context) {
                return Poll::Ready(loss);
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
                return Poll::Ready(Loss::Unusable("no answer in time".into()));
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

    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<Loss> {
        loop {
            self.input.reserve(READ_BYTES);
            // This future keeps nothing between polls, so a new one each time loses nothing.
            match ready!(pin!(self.stream.read_buf(&mut self.input)).poll(context)) {
                Ok(0) => return Poll::Ready(Loss::Closed("the server closed it".into())),
                Ok(_) => self.has_answered = true,
                Err(error) => return Poll::Ready(Loss::Closed(error.to_string())),
            }
            if let Err(reason) = self.hand_out() {
                return Poll::Ready(Loss::Unusable(reason));
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
    let denied = PermissionError::in_text(text).map(|denied| denied.to_string());
    StoreError::Unavailable(denied.unwrap_or_else(|| code_of(text).to_owned()))
}
