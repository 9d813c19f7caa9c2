//! The fast path of a validation connection. The hot path, from bytes to bytes:
//!
//! 1. [`parse_next`] finds a common request in the bytes that were read.
//! 2. [`ValidationPlane::decide`] decides on it, as on any other.
//! 3. `response::write` appends the answer to those that wait already.
//! 4. When all that was read is answered, all answers are sent together.
//!
//! With the first request that is not common, hyper takes over the connection for good.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Poll, ready};

use tokio::io::AsyncReadExt as _;

use super::request::{Next, parse_next};
use super::{buffers, response};
use crate::request::origin::{DirectClient, RequestOrigin};
use crate::request_check::decision::Decision;
use crate::server::auth::decision::{AuthProgress, UndecidedAuth};
use crate::server::auth::plane::ValidationPlane;
use crate::server::transport::connections::OpenConnection;
use crate::server::transport::date::DateText;
use crate::server::transport::fast_path::{ClientStream, FastPath, FastPathEnd};
use crate::server::transport::stream::{AnswerStream, MAX_HELD_BYTES};

/// The most bytes read at once: the buffer is doubled whenever a read fills it. With the answers that wait to be sent, a
/// connection holds at most twice as many.
const MAX_READ_BYTES: usize = 32 * 1024;

/// How HTTP/2 begins (RFC 9113, section 3.4), as far as the HTTP/1 parser needs to recognise it.
const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2";

/// The fast path for the requests of one client.
pub struct AuthFastPath<'a> {
    /// Decides on the requests.
    pub plane: &'a ValidationPlane,
    /// The client that sends them.
    pub client: DirectClient,
}

impl FastPath for AuthFastPath<'_> {
    async fn serve<T: ClientStream>(self, stream: T, open: &OpenConnection) -> FastPathEnd<T> {
        let mut connection = FastPathConnection::new(stream, open, self.plane, self.client);
        // A spawned task keeps its waker for life.
        open.wake_with(&poll_fn(|context| Poll::Ready(context.waker().clone())).await);
        loop {
            let goes_on = match connection.answer_all() {
                // Answers that are ready do not wait for the store.
                Action::ReadStore(undecided) => match connection.send().await {
                    Ok(true) => connection.read_store(undecided).await,
                    stopped => stopped,
                },
                Action::Send => connection.send().await,
                Action::Receive => match connection.send().await {
                    Ok(true) => connection.receive().await,
                    stopped => stopped,
                },
                Action::Close => Ok(false),
                Action::HandOverHttp1 => return FastPathEnd::Http1(connection.into_stream()),
                Action::HandOverHttp2 => return FastPathEnd::Http2(connection.into_stream()),
            };
            match goes_on {
                Ok(true) => {}
                Ok(false) => return FastPathEnd::Close(connection.into_stream()),
                Err(_) => return FastPathEnd::Disconnected,
            }
        }
    }
}

struct FastPathConnection<'a, T> {
    stream: T,
    open: &'a OpenConnection,
    plane: &'a ValidationPlane,
    client: DirectClient,
    input: Vec<u8>,
    /// How many bytes of `input` are answered.
    answered: usize,
    /// Whether no request has arrived yet.
    is_fresh: bool,
    answers: Answers,
}

/// The answers that are not sent yet.
struct Answers {
    bytes: Vec<u8>,
    /// Whether the last answer announced the end of the connection.
    is_last: bool,
    date: DateText,
}

impl Answers {
    fn write(&mut self, decision: &Decision<'_>, plane: &ValidationPlane, open: &OpenConnection) {
        let now_ms = match decision {
            Decision::Allowed(_, now_ms, _) => *now_ms,
            _ => plane.validator.service().clock().now_ms(),
        };
        self.is_last = open.is_draining();
        if self.bytes.capacity() == 0 {
            self.bytes = buffers::take();
        }
        response::write(decision, now_ms, &mut self.date, self.is_last, &mut self.bytes);
    }
}

/// The next action of a connection.
enum Action {
    ReadStore(UndecidedAuth),
    Send,
    Receive,
    Close,
    HandOverHttp1,
    HandOverHttp2,
}

/// The asynchronous methods return false if the connection has to end.
impl<'a, T: ClientStream> FastPathConnection<'a, T> {
    fn new(stream: T, open: &'a OpenConnection, plane: &'a ValidationPlane, client: DirectClient) -> Self {
        Self {
            stream,
            open,
            plane,
            client,
            input: Vec::new(),
            answered: 0,
            is_fresh: true,
            answers: Answers { bytes: Vec::new(), is_last: false, date: DateText::new() },
        }
    }

    /// Answers the requests in `input` until something else has to be done.
    fn answer_all(&mut self) -> Action {
        loop {
            let unanswered = &self.input[self.answered..];
            if self.answers.is_last {
                return Action::Close;
            }
            if unanswered.is_empty() {
                return Action::Receive;
            }
            if self.answers.bytes.len() >= MAX_HELD_BYTES {
                return Action::Send;
            }
            let answers = &mut self.answers;
            let write = |decision: Decision<'_>| answers.write(&decision, self.plane, self.open);
            let next = parse_next(unanswered, |request| {
                let admission = self.plane.admission(request.path)?;
                let (headers, method, client) = (request.headers, request.method, self.client);
                let origin = RequestOrigin { headers, method, authority: None, client };
                let span = self.plane.begin_span(&origin, request.path);
                Some(self.plane.decide(origin, request.path, admission, span, write))
            });
            match next {
                Next::Common(progress, length) => {
                    self.answered += length;
                    self.is_fresh = false;
                    self.open.mark_used();
                    if let AuthProgress::MustRead(undecided) = progress {
                        return Action::ReadStore(undecided);
                    }
                }
                Next::Partial => return Action::Receive,
                Next::Other if self.is_fresh && unanswered.starts_with(HTTP2_PREFACE) => {
                    return Action::HandOverHttp2;
                }
                Next::Other => return Action::HandOverHttp1,
            }
        }
    }

    async fn read_store(&mut self, undecided: UndecidedAuth) -> io::Result<bool> {
        let busy = self.open.busy();
        let answers = &mut self.answers;
        let write = |decision: Decision<'_>| answers.write(&decision, self.plane, self.open);
        // Boxed: the future of each kept connection would have room for it.
        Box::pin(self.plane.decide_after_read(undecided, write)).await;
        drop(busy);
        Ok(true)
    }

    async fn send(&mut self) -> io::Result<bool> {
        let mut sent = 0;
        let outcome = poll_fn(|context| {
            if self.open.must_end() {
                return Poll::Ready(Ok(false));
            }
            while sent < self.answers.bytes.len() {
                match ready!(Pin::new(&mut self.stream).poll_write(context, &self.answers.bytes[sent..]))? {
                    0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                    count => sent += count,
                }
            }
            // TLS accepts more than it can send at once.
            Pin::new(&mut self.stream).poll_flush(context).map_ok(|()| true)
        });
        let outcome = outcome.await;
        self.answers.bytes.drain(..sent);
        outcome
    }

    async fn receive(&mut self) -> io::Result<bool> {
        let is_full = !self.input.is_empty() && self.input.len() == self.input.capacity();
        self.input.drain(..self.answered);
        self.answered = 0;
        // A common request is shorter than `MAX_READ_BYTES`, so there is room for the rest of it.
        if is_full && self.input.capacity() < MAX_READ_BYTES {
            let twice = self.input.capacity().saturating_mul(2).min(MAX_READ_BYTES);
            self.input.reserve_exact(twice - self.input.len());
        }
        let received = poll_fn(|context| {
            if self.open.must_end() {
                return Poll::Ready(Ok(0));
            }
            if self.input.capacity() == 0 {
                self.input = buffers::take();
            }
            // The future has no state between polls, so a new one each time loses nothing.
            let received = pin!(self.stream.read_buf(&mut self.input)).poll(context);
            if received.is_pending() && self.input.is_empty() {
                // Not if a part of a request has arrived.
                if self.open.is_closing() {
                    return Poll::Ready(Ok(0));
                }
                buffers::give_back(&mut self.input);
                buffers::give_back(&mut self.answers.bytes);
            }
            received
        });
        let received = received.await?;
        Ok(received > 0)
    }

    fn into_stream(mut self) -> AnswerStream<T> {
        self.input.drain(..self.answered);
        AnswerStream::with(self.stream, self.input, self.answers.bytes)
    }
}
