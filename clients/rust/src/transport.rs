//! Sends requests to one plane over kept-alive connections, each within a deadline.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{HOST, RETRY_AFTER};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Body as _, Incoming};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use crate::clock;
use crate::endpoint::{Endpoint, InvalidSetting};
use crate::error::Unavailable;

/// Requests beyond these wait for a connection, within their deadline.
const MAX_CONNECTIONS: usize = 100;
const MAX_BODY_BYTES: usize = 64 * 1024 * 1024;
/// A request that must not be sent twice uses a kept connection only if it was used this recently. Doorward closes a
/// connection after `idle-timeout`, 75 s.
const FRESH: Duration = Duration::from_secs(1);

/// Whether a request may be sent again after a kept connection turned out to be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// Twice does no more than once.
    Safe,
    /// Only if no byte of the request was sent.
    Unsafe,
    /// The request has an `Idempotency-Key`: Doorward does it once. It is also sent again, once, after a broken connection
    /// or a 503.
    Keyed,
}

/// Sends requests to one plane. Cheap to clone; the clones share the connections.
#[derive(Clone, Debug)]
pub(crate) struct Transport {
    shared: Arc<Shared>,
    timeout: Duration,
}

#[derive(Debug)]
struct Shared {
    endpoint: Endpoint,
    idle: Mutex<Vec<Connection>>,
    slots: Semaphore,
}

#[derive(Debug)]
struct Connection {
    sender: SendRequest<Full<Bytes>>,
    last_use: Instant,
}

/// Why a request has no answer.
struct NoAnswer {
    error: Unavailable,
    /// Whether the connection broke after the request was begun.
    is_broken: bool,
}

impl From<Unavailable> for NoAnswer {
    fn from(error: Unavailable) -> Self {
        Self { error, is_broken: false }
    }
}

/// Why an exchange failed, and the request if it may be sent again.
struct Failure {
    error: hyper::Error,
    unsent: Option<Request<Full<Bytes>>>,
}

impl Transport {
    pub fn new(url: &str, timeout: Duration) -> Result<Self, InvalidSetting> {
        Ok(Self { shared: Arc::new(Shared::new(Endpoint::parse(url)?)), timeout })
    }

    /// Trusts these authorities only. Clones that were made before keep theirs.
    #[cfg(feature = "tls")]
    pub fn trust(&mut self, pem: &[u8]) -> Result<(), InvalidSetting> {
        let mut endpoint = self.shared.endpoint.clone();
        endpoint.trust(pem)?;
        self.shared = Arc::new(Shared::new(endpoint));
        Ok(())
    }

    /// Changes the deadline of each request.
    pub fn set_timeout(&mut self, timeout: Duration) {
        self.timeout = timeout;
    }

    /// Sends a request and returns its answer, whatever its status. The URI is a path and a query. If the future is
    /// dropped, its connection is closed.
    pub async fn send(
        &self,
        request: Request<Bytes>,
        repeat: Repeat,
    ) -> Result<Response<Bytes>, Unavailable> {
        let deadline = clock::monotonic() + self.timeout;
        let again = (repeat == Repeat::Keyed).then(|| request.clone());
        let first = self.send_within(deadline, request, repeat).await;
        let Some(again) = again else { return first.map_err(|failed| failed.error) };
        match first {
            Err(NoAnswer { is_broken: true, .. }) => {}
            Ok(response) if response.status() == StatusCode::SERVICE_UNAVAILABLE => {
                let wait = outage(&response).retry_after();
                if clock::monotonic() + wait >= deadline {
                    return Ok(response);
                }
                sleep(wait).await;
            }
            other => return other.map_err(|failed| failed.error),
        }
        self.send_within(deadline, again, repeat).await.map_err(|failed| failed.error)
    }

    async fn send_within(
        &self,
        deadline: Instant,
        request: Request<Bytes>,
        repeat: Repeat,
    ) -> Result<Response<Bytes>, NoAnswer> {
        let exchange = self.shared.exchange(request.map(Full::new), repeat);
        let left = deadline.saturating_duration_since(clock::monotonic());
        timeout(left, exchange).await.unwrap_or_else(|_| {
            Err(Unavailable::new(format!("no answer within {} ms", self.timeout.as_millis())).into())
        })
    }
}

impl Shared {
    fn new(endpoint: Endpoint) -> Self {
        Self { endpoint, idle: Mutex::default(), slots: Semaphore::new(MAX_CONNECTIONS) }
    }

    async fn exchange(
        &self,
        mut request: Request<Full<Bytes>>,
        repeat: Repeat,
    ) -> Result<Response<Bytes>, NoAnswer> {
        let _slot = self.slots.acquire().await.map_err(|error| Unavailable::new(error.to_string()))?;
        if !request.headers().contains_key(HOST) {
            request.headers_mut().insert(HOST, self.endpoint.authority.clone());
        }
        while let Some(mut kept) = self.take_kept(repeat) {
            match kept.begin(request, repeat).await {
                Ok(response) => return self.finish(kept, response).await,
                Err(Failure { unsent: Some(unsent), .. }) => request = unsent,
                Err(Failure { error, unsent: None }) => return Err(broken(&error)),
            }
        }
        let mut connection = self.connect().await?;
        let response = connection.begin(request, repeat).await.map_err(|failure| broken(&failure.error))?;
        self.finish(connection, response).await
    }

    /// Returns the kept connection that was used last.
    fn take_kept(&self, repeat: Repeat) -> Option<Connection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(connection) = idle.pop() {
            let is_fresh = || clock::monotonic().duration_since(connection.last_use) < FRESH;
            if !connection.sender.is_closed() && (repeat != Repeat::Unsafe || is_fresh()) {
                return Some(connection);
            }
        }
        None
    }

    async fn connect(&self) -> Result<Connection, NoAnswer> {
        let unreachable = |error: std::io::Error| Unavailable::new(format!("cannot connect: {error}"));
        let stream = self.endpoint.connect().await.map_err(unreachable)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(|error| broken(&error))?;
        // Ends when the sender is dropped. Its error is the error of the request, too.
        tokio::spawn(connection);
        Ok(Connection { sender, last_use: clock::monotonic() })
    }

    /// Reads the answer's body and keeps the connection.
    async fn finish(
        &self,
        mut connection: Connection,
        response: Response<Incoming>,
    ) -> Result<Response<Bytes>, NoAnswer> {
        let (head, body) = response.into_parts();
        // A body of a known length is refused before it is read.
        if body.size_hint().lower() > MAX_BODY_BYTES as u64 {
            return Err(Unavailable::new("the answer is too long").into());
        }
        let body = Limited::new(body, MAX_BODY_BYTES).collect().await;
        let body = body.map_err(|error| NoAnswer {
            error: Unavailable::new(format!("the answer is incomplete: {error}")),
            is_broken: true,
        })?;
        connection.last_use = clock::monotonic();
        if !connection.sender.is_closed() {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        }
        Ok(Response::from_parts(head, body.to_bytes()))
    }
}

impl Connection {
    /// Sends a request and reads the head of the answer.
    async fn begin(
        &mut self,
        request: Request<Full<Bytes>>,
        repeat: Repeat,
    ) -> Result<Response<Incoming>, Failure> {
        // A connection whose last answer has just been read needs a moment.
        if let Err(error) = self.sender.ready().await {
            return Err(Failure { error, unsent: Some(request) });
        }
        let copy = (repeat != Repeat::Unsafe).then(|| request.clone());
        self.sender.try_send_request(request).await.map_err(|mut error| {
            let unsent = error.take_message().or(copy);
            Failure { error: error.into_error(), unsent }
        })
    }
}

fn broken(error: &hyper::Error) -> NoAnswer {
    NoAnswer { error: Unavailable::new(format!("no valid HTTP answer: {error}")), is_broken: true }
}

/// Every status that is no verdict, as an outage.
pub(crate) fn outage(response: &Response<Bytes>) -> Unavailable {
    let seconds = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    Unavailable::new(format!("status {}", response.status().as_u16()))
        .with_retry_after(Duration::from_secs(seconds.unwrap_or(1)))
}
