//! The task of a pipeline: connects, serves the connection until it is lost, and decides what comes next.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;

use tokio::time::{Interval, MissedTickBehavior, interval, timeout};

use super::lost_connection::{AfterLoss, LostConnection};
use super::pipeline_connection::PipelineConnection;
use super::pipeline_state::{ConnectionPhase, PipelineShared, TICKS_PER_TIMEOUT};
use super::request::ServerIdentity;
use super::stream;
use crate::store::redis::cluster::authority::ProbeRefusal;
use crate::store::redis::cluster::byte_stream::ByteStream;
use crate::store::redis::cluster::connector::RECONNECT_PAUSE;
use crate::store::redis::cluster::data_identity::IDENTITY_SECTIONS;
use crate::store::redis::counters::{ConnectionUse, RedisErrorKind};

/// Attempts to connect that a start waits for: on a busy machine the first answer may be late.
const FIRST_ATTEMPTS: u32 = 2;

/// Runs a pipeline's task. Marks the pipeline as over when it is dropped: with the task, also when the runtime ends or
/// before the task's first turn.
pub(crate) struct CloseGuard(Arc<PipelineShared>);

impl Drop for CloseGuard {
    fn drop(&mut self) {
        {
            let mut state = self.0.state();
            state.phase = ConnectionPhase::Over;
            state.waiting.clear();
        }
        self.0.has_tried.send_replace(true);
    }
}

impl CloseGuard {
    pub(crate) fn new(shared: Arc<PipelineShared>) -> Self {
        Self(shared)
    }

    pub(crate) async fn run(self) {
        self.0.keep_connected().await;
    }
}

impl PipelineShared {
    async fn keep_connected(&self) {
        // One interval for all connections: reads age between two connections, too.
        let mut ticks = interval(self.topology.connector.timeout / TICKS_PER_TIMEOUT);
        // A process that was stopped finds one tick due, not all it has missed.
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut returns = self.returns.clone();
        let (mut attempts, mut was_up) = (0, false);
        loop {
            // Read before the attempt: an attempt that came too early must not hide a return in the meantime.
            let mut seen = *returns.borrow_and_update();
            let LostConnection { kind, reason, then } = self.serve(&mut ticks, was_up).await;
            was_up = self.state().phase == ConnectionPhase::Up;
            if was_up {
                seen = *returns.borrow_and_update();
            }
            let is_over = !self.topology.map().contains(&self.master);
            if !is_over {
                self.count_loss(kind, was_up);
            }
            let (phase, is_young) = self.apply_loss(then, is_over, seen);
            attempts += 1;
            if attempts >= FIRST_ATTEMPTS || is_over || !self.topology.gate.is_open() {
                self.has_tried.send_replace(true);
            }
            tracing::debug!(reason, server = %self.master.address, "look-up connection lost");
            match phase {
                ConnectionPhase::Over => return,
                ConnectionPhase::Down => {
                    let pause = async {
                        tokio::join!(self.topology.refresh(), tokio::time::sleep(RECONNECT_PAUSE));
                    };
                    tokio::select! {
                        () = pause => {}
                        _ = returns.changed() => self.topology.refresh_soon(),
                    }
                }
                ConnectionPhase::Connecting | ConnectionPhase::Up => {
                    self.topology.refresh_soon();
                    if is_young {
                        tokio::select! {
                            () = tokio::time::sleep(RECONNECT_PAUSE) => {}
                            never = self.age_waiting(&mut ticks) => never,
                        }
                    }
                }
            }
        }
    }

    /// Counts a lost connection to a server that is still a master.
    fn count_loss(&self, kind: RedisErrorKind, was_up: bool) {
        self.topology.counters.count_error(ConnectionUse::LookUp, kind);
        if was_up {
            self.topology.counters.count_reconnect(ConnectionUse::LookUp);
        }
    }

    /// Records what follows a lost connection. Returns the new phase, and whether to pause before the next connection.
    ///
    /// Reads that wait or were sent fail, unless they get a second connection.
    fn apply_loss(&self, then: AfterLoss, is_over: bool, seen: u64) -> (ConnectionPhase, bool) {
        let (phase, unanswered, is_young) = match then {
            _ if is_over => (ConnectionPhase::Over, None, false),
            AfterLoss::Outage => (ConnectionPhase::Down, None, false),
            AfterLoss::Again { unanswered, is_young } => {
                (ConnectionPhase::Connecting, Some(unanswered), is_young)
            }
        };
        let mut state = self.state();
        state.phase = phase;
        state.returns = seen;
        let waiting = std::mem::take(&mut state.waiting);
        if let Some(unanswered) = unanswered {
            state.waiting = unanswered.into_iter().chain(waiting).collect();
        }
        (phase, is_young)
    }

    /// Serves one connection, from the attempt to its loss. `was_up`: the previous connection worked.
    async fn serve(&self, ticks: &mut Interval, was_up: bool) -> LostConnection {
        let connect = timeout(self.topology.connector.timeout, self.connect());
        let connected = tokio::select! {
            connected = connect => connected,
            never = self.age_waiting(ticks) => never,
        };
        match connected {
            Ok(Ok((stream, server))) => {
                let tick = {
                    let mut state = self.state();
                    state.phase = ConnectionPhase::Up;
                    state.tick
                };
                self.has_tried.send_replace(true);
                let mut open = PipelineConnection::new(stream, server, self, ticks, tick);
                let cause = poll_fn(|context| open.poll(context)).await;
                open.lose(cause)
            }
            // The cause that closed the previous connection may have closed this one, too.
            Ok(Err(error)) if was_up && is_closed(&error) => LostConnection {
                kind: RedisErrorKind::Connection,
                reason: error.to_string(),
                then: AfterLoss::Again { unanswered: Vec::new(), is_young: true },
            },
            Ok(Err(error)) => LostConnection::with_outage(RedisErrorKind::Connection, error.to_string()),
            Err(_) => LostConnection::with_outage(RedisErrorKind::Timeout, "no answer in time".into()),
        }
    }

    /// Counts ticks, and fails the waiting reads that pass their deadline. Never returns.
    async fn age_waiting<T>(&self, ticks: &mut Interval) -> T {
        loop {
            ticks.tick().await;
            let mut state = self.state();
            state.tick += 1;
            let now_tick = state.tick;
            state.waiting.retain(|read| !read.is_overdue(now_tick));
        }
    }

    /// Connects, and waits until the data of the server is accepted. The same address may lead to another server next
    /// time, and only answers of the tracked one may be cached.
    async fn connect(&self) -> io::Result<(Pin<Box<dyn ByteStream>>, Arc<ServerIdentity>)> {
        let mut stream = stream::open(&self.topology.connector, &self.master.address).await?;
        let [server, replication] = IDENTITY_SECTIONS.map(str::as_bytes);
        let known = self.master.data.known();
        let info = stream::call(&mut stream, &[b"INFO", server, replication]).await?;
        if self.master.may_have_tokens()
            && let Err(error) = stream::call(&mut stream, &[b"DEL", self.master.probe().as_bytes()]).await
        {
            match ProbeRefusal::of(&error.to_string()) {
                ProbeRefusal::OfTheServer => return Err(error),
                ProbeRefusal::Leaving | ProbeRefusal::Gone => self.master.next_probe(),
                ProbeRefusal::Harmless => {}
            }
        }
        let data = self.master.data.identify(&known, &info);
        self.topology.await_acceptance(&self.master, &data).await.map_err(io::Error::other)?;
        Ok((stream, Arc::new(ServerIdentity { index: self.master.index(), data })))
    }
}

/// Returns whether the server closed the connection.
fn is_closed(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof)
}
