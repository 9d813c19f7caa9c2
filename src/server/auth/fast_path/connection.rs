//! The front of a validation connection: reads, answers plain auth subrequests, and hands the connection to hyper with
//! the first request that is not plain. The hot path, from bytes to bytes:
//!
//! 1. [`plain`] says whether the next bytes are a plain request.
//! 2. [`Validation::plain`] decides on it, as for any other.
//! 3. [`answer_bytes`] writes the answer behind those that wait already.
//! 4. When all that was read is answered, all answers leave together.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Poll, ready};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite};

use super::request::Next;
use super::{request as plain, response as answer_bytes};
use crate::server::auth::admission::Admission;
use crate::server::auth::decision::{Auth, Verdict};
use crate::server::auth::plane::Validation;
use crate::server::request::origin::Peer;
use crate::server::transport::connections::OpenConnection;
use crate::server::transport::date::DateText;
use crate::server::transport::stream::{AnswerStream, MAX_HELD_BYTES};
use crate::validation::LookUp;

/// Read at once, to begin with; twice as much whenever that was not enough.
const READ_BYTES: usize = 2 * 1024;
/// Read at once, at most. With the answers that wait to be sent, a connection holds at most twice as much.
const MAX_READ_BYTES: usize = 32 * 1024;
/// A larger buffer is given back when it is empty and the client is silent.
const KEPT_BYTES: usize = 8 * 1024;

/// How HTTP/2 begins (RFC 9113, section 3.4), as far as a request line goes before it shows that it is none of HTTP/1.
const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2";

/// How the front's part of a connection ended.
pub enum Ended<T> {
    /// Nobody is there any more.
    Broken,
    /// It is to be closed once what it holds was sent.
    Close(AnswerStream<T>),
    /// The rest of it is hyper's.
    HandOver(AnswerStream<T>),
    /// It begins with the preface of HTTP/2.
    Http2(AnswerStream<T>),
}

struct Front<'a, T> {
    stream: T,
    open: &'a OpenConnection,
    validation: &'a Validation,
    peer: Peer,
    input: Vec<u8>,
    /// How much of `input` was answered.
    answered: usize,
    /// No request has come yet.
    is_fresh: bool,
    answers: Answers,
}

/// Answers not sent yet.
struct Answers {
    bytes: Vec<u8>,
    /// The last of them said that the connection ends with it.
    is_last: bool,
    date: DateText,
}

impl Answers {
    fn write(&mut self, verdict: &Verdict<'_>, validation: &Validation, open: &OpenConnection) {
        let now_ms = match verdict {
            Verdict::Allowed(_, now_ms) => *now_ms,
            _ => validation.validator.service().clock().now_ms(),
        };
        self.is_last = open.is_draining();
        answer_bytes::write(verdict, now_ms, &mut self.date, self.is_last, &mut self.bytes);
    }
}

/// What is to be done next.
enum Step {
    MustRead(LookUp, Admission),
    Send,
    Receive,
    Close,
    HandOver,
    Http2,
}

/// Serves plain requests for as long as there is nothing else.
pub async fn serve<T: AsyncRead + AsyncWrite + Unpin>(
    stream: T,
    open: &OpenConnection,
    validation: &Validation,
    peer: Peer,
) -> Ended<T> {
    let mut front = Front {
        stream,
        open,
        validation,
        peer,
        input: Vec::with_capacity(READ_BYTES),
        answered: 0,
        is_fresh: true,
        answers: Answers { bytes: Vec::new(), is_last: false, date: DateText::new() },
    };
    // A spawned task keeps its waker for life.
    open.wake_with(&poll_fn(|context| Poll::Ready(context.waker().clone())).await);
    loop {
        let step = front.answer_all();
        let went_on = match step {
            // Answers that are there already wait for nothing else.
            Step::MustRead(look_up, admission) => match front.send().await {
                Ok(true) => front.read_store(look_up, &admission).await,
                stopped => stopped,
            },
            Step::Send => front.send().await,
            Step::Receive => match front.send().await {
                Ok(true) => front.receive().await,
                stopped => stopped,
            },
            Step::Close => Ok(false),
            Step::HandOver => return Ended::HandOver(front.into_stream()),
            Step::Http2 => return Ended::Http2(front.into_stream()),
        };
        match went_on {
            Ok(true) => {}
            Ok(false) => return Ended::Close(front.into_stream()),
            Err(_) => return Ended::Broken,
        }
    }
}

/// The steps; those that wait give false when the connection has to end.
impl<T: AsyncRead + AsyncWrite + Unpin> Front<'_, T> {
    /// Answers what was received until something else has to be done.
    fn answer_all(&mut self) -> Step {
        loop {
            let unanswered = &self.input[self.answered..];
            if self.answers.is_last {
                return Step::Close;
            }
            if unanswered.is_empty() {
                return Step::Receive;
            }
            if self.answers.bytes.len() >= MAX_HELD_BYTES {
                return Step::Send;
            }
            let answers = &mut self.answers;
            let write = |verdict: Verdict<'_>| answers.write(&verdict, self.validation, self.open);
            let auth = plain::next(unanswered, |request| self.validation.plain(&request, self.peer, write));
            match auth {
                Next::Plain(auth, length) => {
                    self.answered += length;
                    self.is_fresh = false;
                    self.open.used();
                    if let Auth::Reading(look_up, admission) = auth {
                        return Step::MustRead(look_up, admission);
                    }
                }
                Next::Partial => return Step::Receive,
                Next::Other if self.is_fresh && unanswered.starts_with(HTTP2_PREFACE) => return Step::Http2,
                Next::Other => return Step::HandOver,
            }
        }
    }

    async fn read_store(&mut self, look_up: LookUp, admission: &Admission) -> io::Result<bool> {
        let busy = self.open.busy();
        let answers = &mut self.answers;
        let write = |verdict: Verdict<'_>| answers.write(&verdict, self.validation, self.open);
        self.validation.read(look_up, admission, write).await;
        drop(busy);
        Ok(true)
    }

    async fn send(&mut self) -> io::Result<bool> {
        let mut sent = 0;
        let outcome = poll_fn(|context| {
            if self.open.is_expired() {
                return Poll::Ready(Ok(false));
            }
            while sent < self.answers.bytes.len() {
                match ready!(Pin::new(&mut self.stream).poll_write(context, &self.answers.bytes[sent..]))? {
                    0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                    count => sent += count,
                }
            }
            // TLS takes more than it can send at once.
            Pin::new(&mut self.stream).poll_flush(context).map_ok(|()| true)
        });
        let outcome = outcome.await;
        self.answers.bytes.drain(..sent);
        outcome
    }

    async fn receive(&mut self) -> io::Result<bool> {
        let is_full = self.input.len() == self.input.capacity();
        self.input.drain(..self.answered);
        self.answered = 0;
        // A part of a plain request is shorter than the most that is read at once, so there is room.
        if is_full && self.input.capacity() < MAX_READ_BYTES {
            let twice = self.input.capacity().saturating_mul(2).clamp(READ_BYTES, MAX_READ_BYTES);
            self.input.reserve_exact(twice - self.input.len());
        }
        let received = poll_fn(|context| {
            if self.open.is_expired() {
                return Poll::Ready(Ok(0));
            }
            // This future keeps nothing between polls, so a new one each time loses nothing.
            let received = pin!(self.stream.read_buf(&mut self.input)).poll(context);
            if received.is_pending() && self.input.is_empty() {
                // A request of which a part has come is waited for.
                if self.open.is_closing() {
                    return Poll::Ready(Ok(0));
                }
                self.release_buffers();
            }
            received
        });
        let received = received.await?;
        Ok(received > 0)
    }

    /// Gives back what a burst of requests took.
    fn release_buffers(&mut self) {
        if self.input.capacity() > KEPT_BYTES {
            self.input = Vec::with_capacity(READ_BYTES);
        }
        if self.answers.bytes.capacity() > KEPT_BYTES {
            self.answers.bytes = Vec::new();
        }
    }

    fn into_stream(mut self) -> AnswerStream<T> {
        self.input.drain(..self.answered);
        AnswerStream::with(self.stream, self.input, self.answers.bytes)
    }
}
