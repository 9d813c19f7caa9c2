//! The hot path's own connection to the server, one per runtime. Look-ups that come in the same turn of the
//! runtime's loop go out as one pipeline, and one task writes them, reads the answers and hands them out:
//! that costs about half of what a general client does per look-up (benches/README.md).
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

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::oneshot;
use tokio::task::AbortHandle;
use tokio::time::{Interval, MissedTickBehavior, interval, timeout};

use super::codec::{self, COLD_FIELDS, HOT_FIELDS};
use super::keys::Keys;
use super::link::{Address, Link};
use super::resp::{self, Answer, Read};
use super::unexpected;
use crate::secret::TokenId;
use crate::store::StoreError;
use crate::token::Credential;

/// What was found, and the run id of the server that said so.
pub(super) type Found<T> = Result<(T, Arc<str>), StoreError>;

/// How much of a token is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    /// What validation needs.
    Hot,
    /// The details, too.
    Whole,
}

/// The pause before each further attempt to connect: short enough that an outage ends within a second of the
/// server's return.
pub(super) const RECONNECT_PAUSE: Duration = Duration::from_millis(100);
const ALL_FIELDS: usize = HOT_FIELDS.len() + COLD_FIELDS.len();
/// Read from the socket at once.
const READ_BYTES: usize = 16 * 1024;
/// The age of look-ups is looked at so often within the timeout.
const CHECKS_PER_TIMEOUT: u32 = 8;

/// The handle: any thread may use it. The connection ends with it.
pub(super) struct LookUps {
    queue: Arc<Queue>,
    worker: AbortHandle,
}

#[derive(Default)]
struct Queue {
    state: Mutex<State>,
}

impl Drop for LookUps {
    fn drop(&mut self) {
        self.worker.abort();
    }
}

#[derive(Default)]
struct State {
    is_up: bool,
    /// Not sent yet. Bounded by the requests under way, and so by the connections allowed.
    waiting: Vec<LookUp>,
    waker: Option<Waker>,
}

struct LookUp {
    question: Question,
    found: oneshot::Sender<Found<Value>>,
}

enum Question {
    Credential(TokenId, Extent),
    /// The score of a member of an index.
    Score {
        index: String,
        member: String,
    },
}

enum Value {
    Credential(Option<Arc<Credential>>),
    ScoreMs(Option<u64>),
}

impl LookUps {
    /// Starts the connection's task on the current runtime, and waits until it has tried once to connect.
    pub(super) async fn start(server: Server) -> Arc<Self> {
        let queue = Arc::new(Queue::default());
        let (tried, has_tried) = oneshot::channel();
        let worker = tokio::spawn(queue.clone().work(server, tried)).abort_handle();
        // The task ends only with the runtime.
        let _ = has_tried.await;
        Arc::new(Self { queue, worker })
    }

    /// Reads one credential, or its absence.
    pub(super) async fn read(&self, id: TokenId, extent: Extent) -> Found<Option<Arc<Credential>>> {
        match self.queue.ask(Question::Credential(id, extent)).await? {
            (Value::Credential(credential), run_id) => Ok((credential, run_id)),
            (Value::ScoreMs(_), _) => Err(unexpected("look-up")),
        }
    }

    /// Reads the last access that the store knows of; `None` when it knows of none.
    pub(super) async fn last_access_ms(
        &self,
        credential: &Credential,
        keys: &Keys,
    ) -> Result<Option<u64>, StoreError> {
        let index = keys.index(&credential.user);
        let member = format!("@{}", credential.id.locator());
        match self.queue.ask(Question::Score { index, member }).await? {
            (Value::ScoreMs(score_ms), _) => Ok(score_ms),
            (Value::Credential(_), _) => Err(unexpected("look-up")),
        }
    }
}

impl Queue {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn ask(&self, question: Question) -> Found<Value> {
        let (found, answered) = oneshot::channel();
        let waker = {
            let mut state = self.state();
            if !state.is_up {
                return Err(StoreError::Unavailable("not connected".into()));
            }
            state.waiting.push(LookUp { question, found });
            state.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
        answered.await.unwrap_or_else(|_| Err(StoreError::Unavailable("the connection was lost".into())))
    }

    async fn work(self: Arc<Self>, server: Server, tried: oneshot::Sender<()>) {
        let mut tried = Some(tried);
        loop {
            let reason = match timeout(server.link.timeout, server.connect()).await {
                Ok(Ok((stream, run_id))) => {
                    self.state().is_up = true;
                    tried.take().map(|tried| tried.send(()));
                    let mut pipe = Pipe::new(stream, run_id, &server);
                    let reason = poll_fn(|context| pipe.poll(&self, context)).await;
                    // What waits and what was sent fails with it.
                    let mut state = self.state();
                    state.is_up = false;
                    state.waiting.clear();
                    reason
                }
                Ok(Err(error)) => error.to_string(),
                Err(_) => "no answer in time".into(),
            };
            tried.take().map(|tried| tried.send(()));
            tracing::debug!(reason, "a validation connection is down");
            tokio::time::sleep(RECONNECT_PAUSE).await;
        }
    }
}

/// An open connection and what is under way on it.
struct Pipe<'a> {
    stream: Pin<Box<dyn Stream>>,
    run_id: Arc<str>,
    server: &'a Server,
    out: Vec<u8>,
    written: usize,
    input: Vec<u8>,
    /// Sent, in the order of the answers to come.
    under_way: VecDeque<Sent>,
    checks: Interval,
    /// How many checks there were.
    check: u64,
}

/// A command that was sent, with the number of checks there had been by then.
enum Sent {
    /// The write that a server without authority refuses.
    Probe(u64),
    LookUp(LookUp, u64),
}

impl<'a> Pipe<'a> {
    fn new(stream: Pin<Box<dyn Stream>>, run_id: Arc<str>, server: &'a Server) -> Self {
        let mut checks = interval(server.link.timeout / CHECKS_PER_TIMEOUT);
        // A process that was stopped finds one check due, not all it missed.
        checks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (out, input, under_way) = (Vec::new(), Vec::new(), VecDeque::new());
        Self { stream, run_id, server, out, written: 0, input, under_way, checks, check: 0 }
    }

    /// Does all that can be done without waiting; ready, with the reason, when the connection is of no more use.
    fn poll(&mut self, queue: &Queue, context: &mut Context<'_>) -> Poll<String> {
        self.take_waiting(queue, context);
        if let Poll::Ready(error) = self.poll_write(context) {
            return Poll::Ready(error.to_string());
        }
        if let Poll::Ready(reason) = self.poll_read(context) {
            return Poll::Ready(reason);
        }
        while self.checks.poll_tick(context).is_ready() {
            self.check += 1;
            let oldest = match self.under_way.front() {
                Some(Sent::Probe(check) | Sent::LookUp(_, check)) => *check,
                None => self.check,
            };
            if self.check - oldest > u64::from(CHECKS_PER_TIMEOUT) {
                return Poll::Ready("no answer in time".into());
            }
        }
        Poll::Pending
    }

    fn take_waiting(&mut self, queue: &Queue, context: &Context<'_>) {
        let waiting = {
            let mut state = queue.state();
            state.waker = Some(context.waker().clone());
            std::mem::take(&mut state.waiting)
        };
        if waiting.is_empty() {
            return;
        }
        // Before the reads: a server that is the master by then has all that was acknowledged until then.
        resp::write_command(&mut self.out, &[b"DEL", self.server.keys.probe().as_bytes()]);
        self.under_way.push_back(Sent::Probe(self.check));
        for look_up in waiting {
            look_up.question.write(&mut self.out, &self.server.keys);
            self.under_way.push_back(Sent::LookUp(look_up, self.check));
        }
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
        Poll::Pending
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
                Sent::Probe(_) => match resp::read_done(input) {
                    Read::Whole(Answer::Error(text), _) if !is_harmless(&text) => return Err(code_of(&text)),
                    Read::Whole(_, length) => length,
                    Read::Partial => break,
                    Read::Broken => return Err(broken()),
                },
                Sent::LookUp(look_up, _) => match look_up.question.read(input) {
                    Read::Whole(answer, length) => {
                        let found = value_of(answer).map(|value| (value, self.run_id.clone()));
                        if let Some(Sent::LookUp(look_up, _)) = self.under_way.pop_front() {
                            // Nobody waits any more when the client has gone.
                            let _ = look_up.found.send(found);
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
}

/// A master whose disk fails refuses writes and is the master all the same.
fn is_harmless(error: &str) -> bool {
    error.starts_with("MISCONF")
}

impl Question {
    fn write(&self, out: &mut Vec<u8>, keys: &Keys) {
        match self {
            Self::Credential(id, extent) => {
                let key = keys.token(*id);
                let mut command: [&[u8]; 2 + ALL_FIELDS] = [b"HMGET"; 2 + ALL_FIELDS];
                command[1] = key.as_bytes();
                for (argument, field) in command[2..].iter_mut().zip(HOT_FIELDS.iter().chain(&COLD_FIELDS)) {
                    *argument = field.as_bytes();
                }
                let fields = if *extent == Extent::Hot { HOT_FIELDS.len() } else { ALL_FIELDS };
                resp::write_command(out, &command[..2 + fields]);
            }
            Self::Score { index, member } => {
                resp::write_command(out, &[b"ZSCORE", index.as_bytes(), member.as_bytes()]);
            }
        }
    }

    fn read(&self, input: &[u8]) -> Read<Answer<Result<Value, StoreError>>> {
        match self {
            Self::Credential(id, Extent::Hot) => resp::read_array::<{ HOT_FIELDS.len() }>(input)
                .map(|values| codec::credential(*id, &values).map(Value::Credential)),
            Self::Credential(id, Extent::Whole) => resp::read_array::<ALL_FIELDS>(input)
                .map(|values| codec::credential(*id, &values).map(Value::Credential)),
            Self::Score { .. } => {
                resp::read_value(input).map(|score| Ok(Value::ScoreMs(score.and_then(codec::score_ms))))
            }
        }
    }
}

fn value_of(answer: Answer<Result<Value, StoreError>>) -> Result<Value, StoreError> {
    match answer {
        Answer::Fine(value) => value,
        Answer::Error(text) if text.starts_with("WRONGTYPE") => {
            Err(StoreError::Corrupt { key: "unknown".into(), reason: "wrong type".into() })
        }
        Answer::Error(text) => Err(StoreError::Unavailable(code_of(&text))),
    }
}

/// The first word of an error: the rest may repeat what was asked.
fn code_of(error: &str) -> String {
    error.split(' ').next().unwrap_or_default().to_owned()
}

/// Anything to speak RESP over.
trait Stream: AsyncRead + AsyncWrite + Send {}

impl<T: AsyncRead + AsyncWrite + Send> Stream for T {}

/// Where look-ups go.
pub(super) struct Server {
    pub(super) link: Link,
    pub(super) keys: Keys,
    pub(super) address: Option<Address>,
}

impl Server {
    /// Connects, logs in, and asks which server that is: behind one address there may be another one next
    /// time, and only what the tracked one answered may be cached.
    async fn connect(&self) -> io::Result<(Pin<Box<dyn Stream>>, Arc<str>)> {
        let mut stream: Pin<Box<dyn Stream>> = match &self.address {
            Some(Address::Tcp(node)) => {
                let stream = TcpStream::connect((node.host.as_str(), node.port)).await?;
                stream.set_nodelay(true)?;
                Box::pin(stream)
            }
            Some(Address::Unix(path)) => Box::pin(UnixStream::connect(path).await?),
            None => return Err(io::Error::new(io::ErrorKind::Unsupported, "not an address for look-ups")),
        };
        let settings = self.link.login();
        if let Some(password) = settings.password() {
            let username = settings.username().unwrap_or("default");
            call(&mut stream, &[b"AUTH", username.as_bytes(), password.as_bytes()]).await?;
        }
        if settings.db() != 0 {
            call(&mut stream, &[b"SELECT", settings.db().to_string().as_bytes()]).await?;
        }
        let info = call(&mut stream, &[b"INFO", b"server"]).await?;
        // A server that takes no writes is none to connect to: there may be another one after the pause.
        if let Err(error) = call(&mut stream, &[b"DEL", self.keys.probe().as_bytes()]).await
            && !is_harmless(&error.to_string())
        {
            return Err(error);
        }
        Ok((stream, run_id_in(&info).into()))
    }
}

/// The id that a server has from its start to its end, in its `INFO`.
pub(super) fn run_id_in(info: &str) -> &str {
    info.lines().find_map(|line| line.strip_prefix("run_id:")).unwrap_or_default().trim()
}

/// One command and its answer, alone on the connection.
async fn call(stream: &mut Pin<Box<dyn Stream>>, command: &[&[u8]]) -> io::Result<String> {
    let mut out = Vec::new();
    resp::write_command(&mut out, command);
    stream.write_all(&out).await?;
    let mut input = Vec::new();
    loop {
        if stream.read_buf(&mut input).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match resp::read_text(&input) {
            Read::Whole(Answer::Fine(text), _) => return Ok(text),
            Read::Whole(Answer::Error(text), _) => return Err(io::Error::other(code_of(&text))),
            Read::Partial => {}
            Read::Broken => return Err(io::ErrorKind::InvalidData.into()),
        }
    }
}
