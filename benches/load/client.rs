//! One HTTP/1.1 keep-alive connection, as thin as it can be: what it costs is taken from the servers' cores.

use std::net::SocketAddr;
use std::ops::Range;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::Result;

const MAX_HEADERS: usize = 64;
const MAX_ANSWER_BYTES: usize = 4 << 20;

/// A connection and the answer last received on it.
pub struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
    head: Range<usize>,
    body: Range<usize>,
}

impl Connection {
    /// Connects.
    pub async fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, received: Vec::with_capacity(16 << 10), head: 0..0, body: 0..0 })
    }

    /// Sends one request or several.
    pub async fn send(&mut self, requests: &[u8]) -> Result<()> {
        Ok(self.stream.write_all(requests).await?)
    }

    /// Receives the next answer and gives its status; its parts stay readable until the next call.
    ///
    /// # Errors
    /// When the server closes the connection or sends what is not an HTTP/1.1 answer with a `Content-Length`.
    pub async fn receive(&mut self) -> Result<u16> {
        let mut start = self.body.end;
        loop {
            if let Some((status, head_bytes, body_bytes)) = parse(&self.received[start..])? {
                let body_start = start + head_bytes;
                if self.received.len() >= body_start + body_bytes {
                    self.head = start..body_start;
                    self.body = body_start..body_start + body_bytes;
                    return Ok(status);
                }
            }
            self.received.drain(..start);
            start = 0;
            if self.received.len() > MAX_ANSWER_BYTES {
                return Err("an answer too long".into());
            }
            if self.stream.read_buf(&mut self.received).await? == 0 {
                return Err("the server closed a keep-alive connection".into());
            }
        }
    }

    /// Sends one request and receives its answer.
    pub async fn exchange(&mut self, request: &[u8]) -> Result<u16> {
        self.send(request).await?;
        self.receive().await
    }

    /// The status line and headers last received.
    pub fn head(&self) -> &[u8] {
        &self.received[self.head.clone()]
    }

    /// The body last received.
    pub fn body(&self) -> &[u8] {
        &self.received[self.body.clone()]
    }
}

/// Status, bytes of the head and bytes of the body; `None` while the head is not complete.
fn parse(received: &[u8]) -> Result<Option<(u16, usize, usize)>> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut answer = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(head_bytes) = answer.parse(received)? else {
        return Ok(None);
    };
    let length = answer.headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length"));
    let status = answer.code.ok_or("an answer without a status")?;
    let body_bytes = match length {
        Some(length) => std::str::from_utf8(length.value)?.parse()?,
        None if status == 204 => 0,
        None => return Err("an answer without Content-Length".into()),
    };
    Ok(Some((status, head_bytes, body_bytes)))
}
