//! An open connection of a pipeline: what is written, parsed and handed out until the connection is lost.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::time::Interval;

use super::buffered_stream::BufferedStream;
use super::lost_connection::{AfterLoss, LossCause, LostConnection};
use super::pipeline_state::{AuthorityProof, PendingRead, PipelineShared, ReadFailure, is_overdue};
use super::request::{ReadValue, ServerIdentity};
use super::resp::{self, ParsedReply, RespReply};
use crate::store::error::StoreError;
use crate::store::redis::cluster::authority::ProbeRefusal;
use crate::store::redis::cluster::byte_stream::ByteStream;
use crate::store::redis::cluster::master::Master;
use crate::store::redis::cluster::redirect::Redirect;
use crate::store::redis::counters::{ConnectionUse, RedisCounters, RedisErrorKind};
use crate::store::redis::errors::error_code;
use crate::store::redis::inspection::permission_error::PermissionError;

/// An open connection, and the commands under way on it.
pub(crate) struct PipelineConnection<'a> {
    stream: BufferedStream,
    server: Arc<ServerIdentity>,
    shared: &'a PipelineShared,
    /// Commands sent, in the order of the replies to come.
    under_way: VecDeque<SentCommand>,
    /// Empty: the memory for the reads that wait next.
    taken: Vec<PendingRead>,
    /// The last proof was refused because of its slot: the reads after it are not proven.
    is_unproven: bool,
    ticks: &'a mut Interval,
    tick: u64,
    first_tick: u64,
    has_answered: bool,
}

/// A command that was sent. The numbers are ticks: when the oldest read of the pipeline was requested.
enum SentCommand {
    /// A write that a server without authority refuses.
    Probe(u64),
    /// `ASKING`: the next command is for a slot that is moving here.
    Asking(u64),
    Read(PendingRead),
}

impl<'a> PipelineConnection<'a> {
    pub(crate) fn new(
        stream: Pin<Box<dyn ByteStream>>,
        server: Arc<ServerIdentity>,
        shared: &'a PipelineShared,
        ticks: &'a mut Interval,
        tick: u64,
    ) -> Self {
        Self {
            stream: BufferedStream::new(stream),
            server,
            shared,
            under_way: VecDeque::new(),
            taken: Vec::new(),
            is_unproven: false,
            ticks,
            tick,
            first_tick: tick,
            has_answered: false,
        }
    }

    /// Decides what follows. If the server closed the connection, unanswered reads are sent again over the next one, each
    /// of them once. The next connection is made at once if this one has answered anything or lasted for a tick.
    pub(crate) fn lose(self, cause: LossCause) -> LostConnection {
        let is_young = !self.has_answered && self.tick == self.first_tick;
        match cause {
            LossCause::Closed(reason) => {
                let unanswered = self.under_way.into_iter().filter_map(|sent| match sent {
                    SentCommand::Read(read) if !read.is_retried => {
                        Some(PendingRead { is_retried: true, ..read })
                    }
                    _ => None,
                });
                let unanswered = unanswered.collect();
                LostConnection {
                    kind: RedisErrorKind::Connection,
                    reason,
                    then: AfterLoss::Again { unanswered, is_young },
                }
            }
            LossCause::Unusable(kind, reason) => LostConnection::with_outage(kind, reason),
        }
    }

    /// Does all that can be done without waiting. Ready when the connection can no longer be used.
    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Poll<LossCause> {
        loop {
            self.send_waiting(context);
            if let Poll::Ready(error) = self.stream.poll_write(context) {
                return Poll::Ready(LossCause::Closed(error.to_string()));
            }
            if let Poll::Ready(cause) = self.poll_read(context) {
                return Poll::Ready(cause);
            }
            // If all replies have arrived, the reads that collected in the meantime are sent now. If nothing has collected, the
            // next read wakes this task.
            if !self.under_way.is_empty() || self.shared.state().waker.is_some() {
                break;
            }
        }
        while self.ticks.poll_tick(context).is_ready() {
            self.tick += 1;
            self.shared.state().tick = self.tick;
            let oldest = match self.under_way.front() {
                Some(SentCommand::Probe(tick) | SentCommand::Asking(tick)) => *tick,
                Some(SentCommand::Read(read)) => read.tick,
                None => self.tick,
            };
            if is_overdue(oldest, self.tick) {
                let reason = "no answer in time".into();
                return Poll::Ready(LossCause::Unusable(RedisErrorKind::Timeout, reason));
            }
        }
        Poll::Pending
    }

    /// Buffers the waiting reads as the next pipeline, unless one is under way.
    fn send_waiting(&mut self, context: &Context<'_>) {
        if !self.under_way.is_empty() {
            return;
        }
        {
            let mut state = self.shared.state();
            if state.waiting.is_empty() {
                state.waker = Some(context.waker().clone());
                return;
            }
            std::mem::swap(&mut state.waiting, &mut self.taken);
        }
        let mut waiting = std::mem::take(&mut self.taken);
        self.counters().count_round_trip(ConnectionUse::LookUp);
        let oldest = waiting.first().map_or(self.tick, |read| read.tick);
        if waiting.iter().any(|read| read.proof == AuthorityProof::Shared) {
            // Before the reads: a server that is the master then has everything acknowledged until then.
            self.write_probe(self.shared.master.probe(), oldest);
        }
        // Reads with their own proofs follow all reads that the shared proof is for.
        let mut with_own_proof = Vec::new();
        for read in waiting.drain(..) {
            match read.proof {
                AuthorityProof::Shared => self.write_read(read),
                AuthorityProof::Own { .. } => with_own_proof.push(read),
            }
        }
        self.taken = waiting;
        for read in with_own_proof {
            let probe = self.shared.topology.keys.probe_at(&read.request.hash_tag().to_string());
            self.write_asking(read.proof, oldest);
            self.write_probe(&probe, oldest);
            self.write_asking(read.proof, oldest);
            self.write_read(read);
        }
    }

    fn write_probe(&mut self, key: &str, tick: u64) {
        resp::write_command(&mut self.stream.out, &[b"DEL", key.as_bytes()]);
        self.under_way.push_back(SentCommand::Probe(tick));
    }

    fn write_asking(&mut self, proof: AuthorityProof, tick: u64) {
        if proof == (AuthorityProof::Own { is_asking: true }) {
            resp::write_command(&mut self.stream.out, &[b"ASKING"]);
            self.under_way.push_back(SentCommand::Asking(tick));
        }
    }

    fn write_read(&mut self, read: PendingRead) {
        read.request.write(&mut self.stream.out, &self.shared.topology.keys);
        self.under_way.push_back(SentCommand::Read(read));
    }

    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<LossCause> {
        loop {
            match ready!(self.stream.poll_read(context)) {
                Ok(0) => return Poll::Ready(LossCause::Closed("the server closed the connection".into())),
                Ok(_) => self.has_answered = true,
                Err(error) => return Poll::Ready(LossCause::Closed(error.to_string())),
            }
            if !self.server.data.is_accepted() {
                let reason = "the server has other data by now".into();
                return Poll::Ready(LossCause::Unusable(RedisErrorKind::Server, reason));
            }
            if let Err((kind, reason)) = self.hand_out() {
                return Poll::Ready(LossCause::Unusable(kind, reason));
            }
        }
    }

    /// Hands out every complete reply.
    ///
    /// # Errors
    /// If the server has no authority, or a reply is malformed.
    fn hand_out(&mut self) -> Result<(), (RedisErrorKind, String)> {
        let malformed = || (RedisErrorKind::Malformed, "malformed reply".to_owned());
        let mut at = 0;
        while at < self.stream.input.len() {
            let input = &self.stream.input[at..];
            let length = match self.under_way.front().ok_or_else(malformed)? {
                sent @ (SentCommand::Probe(_) | SentCommand::Asking(_)) => match resp::read_done(input) {
                    ParsedReply::Complete(reply, length) => {
                        if matches!(sent, SentCommand::Probe(_)) {
                            self.is_unproven = is_unproven(&reply, &self.shared.master)
                                .map_err(|code| (RedisErrorKind::Server, code))?;
                        }
                        self.under_way.pop_front();
                        length
                    }
                    ParsedReply::Incomplete => break,
                    ParsedReply::Malformed => return Err(malformed()),
                },
                SentCommand::Read(read) => match read.request.parse_reply(input) {
                    ParsedReply::Complete(reply, length) => {
                        if let Some(SentCommand::Read(read)) = self.under_way.pop_front() {
                            self.answer(read, reply);
                        }
                        length
                    }
                    ParsedReply::Incomplete => break,
                    ParsedReply::Malformed => return Err(malformed()),
                },
            };
            at += length;
        }
        self.stream.input.drain(..at);
        Ok(())
    }

    fn answer(&self, read: PendingRead, reply: RespReply<Result<ReadValue, StoreError>>) {
        let PendingRead { request, reply_to, .. } = read;
        let outcome = if self.is_unproven {
            Err(ReadFailure::Again(Box::new((request, None))))
        } else {
            match reply {
                RespReply::Value(Ok(value)) => Ok((value, self.server.clone())),
                RespReply::Value(Err(error)) => Err(ReadFailure::Store(error)),
                RespReply::Error(text) => match self.redirect_in(&text) {
                    Some(redirect) => Err(ReadFailure::Again(Box::new((request, Some(redirect))))),
                    None => {
                        self.counters().count_error(ConnectionUse::LookUp, RedisErrorKind::Server);
                        Err(ReadFailure::Store(store_error(&text)))
                    }
                },
            }
        };
        // Fails if the request has been cancelled.
        let _ = reply_to.send(outcome);
    }

    fn counters(&self) -> &RedisCounters {
        &self.shared.topology.counters
    }

    fn redirect_in(&self, error: &str) -> Option<Redirect> {
        let (code, detail) = error.split_once(' ')?;
        Redirect::parse(code, detail, &self.shared.master.address)
    }
}

/// Returns whether the reply to a probe leaves open if the server has authority in the slot.
///
/// # Errors
/// The code of the refusal, if the server must not be believed at all.
fn is_unproven(reply: &RespReply<()>, master: &Master) -> Result<bool, String> {
    let RespReply::Error(text) = reply else { return Ok(false) };
    let refusal = ProbeRefusal::of(text);
    if matches!(refusal, ProbeRefusal::Leaving | ProbeRefusal::Gone) {
        master.next_probe();
    }
    match refusal {
        ProbeRefusal::Harmless | ProbeRefusal::Leaving => Ok(false),
        ProbeRefusal::Gone => Ok(true),
        ProbeRefusal::OfTheServer => Err(error_code(text).to_owned()),
    }
}

fn store_error(text: &str) -> StoreError {
    if error_code(text) == "WRONGTYPE" {
        return StoreError::Corrupt { key: "unknown".into(), reason: "wrong type".into() };
    }
    let denied = PermissionError::in_text(text).map(|denied| denied.to_string());
    StoreError::Unavailable(denied.unwrap_or_else(|| error_code(text).to_owned()))
}
