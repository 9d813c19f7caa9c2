//! An HTTP/2 client with prior knowledge, with one connection and concurrent requests.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use h2::SendStream;
use h2::client::{ResponseFuture, SendRequest};
use hyper::{HeaderMap, Request};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

use super::http::Response;
use super::process::DEADLINE_MS;

const READ_TIMEOUT: Duration = Duration::from_millis(DEADLINE_MS);

pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// An HTTP/2 connection.
pub struct Http2 {
    runtime: Runtime,
    sender: SendRequest<Bytes>,
    connection: JoinHandle<Result<(), h2::Error>>,
    authority: String,
}

/// A request whose answer has not been read yet.
pub struct Pending(ResponseFuture);

impl Http2 {
    /// Connects to `host:port` or `unix:/path`.
    pub fn connect(addr: &str) -> Self {
        Self::try_over(async {
            Ok(match addr.strip_prefix("unix:") {
                Some(path) => Box::new(UnixStream::connect(path).await?) as Box<dyn Stream>,
                None => Box::new(TcpStream::connect(addr).await?),
            })
        })
        .unwrap_or_else(|error| panic!("{addr}: {error}"))
    }

    /// Connects over the stream that `open` returns.
    pub fn try_over(open: impl Future<Output = io::Result<Box<dyn Stream>>>) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let (sender, connection) = runtime.block_on(async {
            let stream = open.await?;
            h2::client::handshake(stream).await.map_err(io::Error::other)
        })?;
        let connection = runtime.spawn(connection);
        Ok(Self { runtime, sender, connection, authority: "localhost".into() })
    }

    /// Sets the host of the next requests.
    pub fn set_authority(&mut self, authority: &str) {
        self.authority = authority.into();
    }

    /// Sends a request with or without a body.
    pub fn send(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<Bytes>,
    ) -> Result<Pending, h2::Error> {
        let mut request = Request::builder().method(method).uri(format!("http://{}{path}", self.authority));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(()).unwrap();
        let sender = self.sender.clone();
        self.runtime.block_on(async {
            let mut sender = sender.ready().await?;
            let (response, mut stream) = sender.send_request(request, body.is_none())?;
            if let Some(body) = body {
                // An answer before the body may have ended the stream, so a failed write is no error.
                let _ = stream.send_data(body, true);
            }
            Ok(Pending(response))
        })
    }

    /// Sends a POST with an unfinished body; the stream stays open until the second value is dropped.
    pub fn half_send(
        &mut self,
        path: &str,
        headers: &[(&str, &str)],
        part: Bytes,
    ) -> Result<(Pending, SendStream<Bytes>), h2::Error> {
        let mut request = Request::post(format!("http://{}{path}", self.authority));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let sender = self.sender.clone();
        self.runtime.block_on(async {
            let (response, mut stream) =
                sender.ready().await?.send_request(request.body(()).unwrap(), false)?;
            // Fails if the server has already ended the stream.
            let _ = stream.send_data(part, false);
            Ok((Pending(response), stream))
        })
    }

    /// Waits for an answer and its trailers.
    pub fn receive(&self, pending: Pending) -> Result<(Response, HeaderMap), h2::Error> {
        let receive = async {
            let (head, mut body) = pending.0.await?.into_parts();
            let mut bytes = Vec::new();
            while let Some(chunk) = body.data().await {
                bytes.extend_from_slice(&chunk?);
            }
            let trailers = body.trailers().await?.unwrap_or_default();
            let header = |(name, value): (&hyper::header::HeaderName, &hyper::header::HeaderValue)| {
                (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())
            };
            let headers = head.headers.iter().map(header).collect();
            Ok((Response { status: head.status.as_u16(), headers, body: bytes }, trailers))
        };
        self.runtime
            .block_on(async { tokio::time::timeout(READ_TIMEOUT, receive).await.expect("an answer in time") })
    }

    /// Sends a request without a body and waits for its answer.
    pub fn request(&mut self, method: &str, path: &str, headers: &[(&str, &str)]) -> Response {
        let pending = self.send(method, path, headers, None).unwrap();
        self.receive(pending).unwrap().0
    }

    /// Waits until the server has closed the connection.
    pub fn ended(self) -> Result<(), h2::Error> {
        let Self { runtime, sender, connection, .. } = self;
        let ended = runtime.block_on(async {
            tokio::time::timeout(READ_TIMEOUT, connection).await.expect("the connection ends").unwrap()
        });
        drop(sender);
        ended
    }
}
