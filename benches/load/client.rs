//! A minimal HTTP/1.1 keep-alive client, because it uses the servers' cores.
//!
//! A server may close a connection between two answers (RFC 9112, section 9.6): nginx does so after 1,000. The next
//! request then opens a new one. A connection that ends within an answer or before its first one is an error.

use std::net::SocketAddr;
use std::ops::Range;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::Result;

const MAX_HEADERS: usize = 64;
const MAX_ANSWER_BYTES: usize = 4 << 20;

/// A connection, replaced when the server closes it, and the last received answer.
pub struct Connection {
    address: SocketAddr,
    stream: TcpStream,
    /// Whether the server will close this connection.
    is_ended: bool,
    /// Whether this connection has received an answer.
    has_answered: bool,
    received: Vec<u8>,
    head: Range<usize>,
    body: Range<usize>,
}

impl Connection {
    /// Connects.
    pub async fn open(address: SocketAddr) -> Result<Self> {
        Ok(Self {
            address,
            stream: connect(address).await?,
            is_ended: false,
            has_answered: false,
            received: Vec::with_capacity(16 << 10),
            head: 0..0,
            body: 0..0,
        })
    }

    /// Sends one or more requests, on a new connection if the server has closed the last one.
    pub async fn send(&mut self, requests: &[u8]) -> Result<()> {
        if self.is_ended {
            self.stream = connect(self.address).await?;
            (self.is_ended, self.has_answered) = (false, false);
            self.received.clear();
            (self.head, self.body) = (0..0, 0..0);
        }
        Ok(self.stream.write_all(requests).await?)
    }

    /// Receives the next answer and returns its status; its parts stay readable until the next call. `None` if the
    /// server has closed the connection after the previous answer, so the requests sent since are unanswered.
    ///
    /// # Errors
    /// If the connection ends anywhere else, or the server sends no HTTP/1.1 answer with a `Content-Length`.
    pub async fn receive(&mut self) -> Result<Option<u16>> {
        if self.is_ended {
            return Ok(None);
        }
        let mut start = self.body.end;
        loop {
            if let Some(answer) = parse(&self.received[start..])? {
                let body_start = start + answer.head_bytes;
                if self.received.len() >= body_start + answer.body_bytes {
                    self.head = start..body_start;
                    self.body = body_start..body_start + answer.body_bytes;
                    (self.is_ended, self.has_answered) = (answer.is_last, true);
                    return Ok(Some(answer.status));
                }
            }
            self.received.drain(..start);
            (self.head, self.body) = (0..0, 0..0);
            start = 0;
            if self.received.len() > MAX_ANSWER_BYTES {
                return Err("an answer too long".into());
            }
            if self.stream.read_buf(&mut self.received).await? > 0 {
                continue;
            }
            return match (self.received.is_empty(), self.has_answered) {
                (true, true) => {
                    self.is_ended = true;
                    Ok(None)
                }
                (true, false) => Err("the server closed a new connection without an answer".into()),
                (false, _) => Err("the server closed the connection within an answer".into()),
            };
        }
    }

    /// Sends one request and receives its answer. If the server has closed the connection, sends it once more, unless
    /// the method is not idempotent (RFC 9110, section 9.2.2).
    pub async fn exchange(&mut self, request: &[u8]) -> Result<u16> {
        self.send(request).await?;
        if let Some(status) = self.receive().await? {
            return Ok(status);
        }
        if request.starts_with(b"POST ") {
            return Err("the server closed the connection on a POST".into());
        }
        self.send(request).await?;
        Ok(self.receive().await?.ok_or("the server closed the connection twice")?)
    }

    /// Returns the last received status line and headers.
    pub fn head(&self) -> &[u8] {
        &self.received[self.head.clone()]
    }

    /// Returns the last received body.
    pub fn body(&self) -> &[u8] {
        &self.received[self.body.clone()]
    }
}

async fn connect(address: SocketAddr) -> Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// The parsed head of an answer.
struct Head {
    status: u16,
    head_bytes: usize,
    body_bytes: usize,
    /// Whether the server closes the connection after this answer.
    is_last: bool,
}

/// Parses a head; returns `None` if it is incomplete.
fn parse(received: &[u8]) -> Result<Option<Head>> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut answer = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(head_bytes) = answer.parse(received)? else {
        return Ok(None);
    };
    let (mut body_bytes, mut is_last) = (None, answer.version != Some(1));
    for header in answer.headers.iter() {
        if header.name.eq_ignore_ascii_case("content-length") {
            body_bytes = Some(std::str::from_utf8(header.value)?.parse()?);
        } else if header.name.eq_ignore_ascii_case("connection") {
            is_last |= header.value.split(|byte| *byte == b',').any(is_close);
        }
    }
    let status = answer.code.ok_or("an answer without a status")?;
    let body_bytes = match body_bytes {
        Some(bytes) => bytes,
        None if status == 204 => 0,
        None => return Err("an answer without Content-Length".into()),
    };
    Ok(Some(Head { status, head_bytes, body_bytes, is_last }))
}

fn is_close(option: &[u8]) -> bool {
    option.trim_ascii().eq_ignore_ascii_case(b"close")
}
