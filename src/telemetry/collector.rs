//! Sends batches of spans to the collector.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::header::HeaderValue;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use opentelemetry_http::{HttpClient, HttpError};
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::time::timeout;

use super::export::EXPORT_TIMEOUT;
use crate::clock::Clock;
use crate::logging::RepeatedFault;
use crate::values::OtlpHeader;

/// The most bytes of a collector's answer.
const MAX_ANSWER_BYTES: usize = 64 * 1024;
/// A failure is logged at most once in this time.
const LOG_INTERVAL_MS: u64 = 60_000;

/// Sends requests to the collector, on the runtime that it was made on. The exporter calls it from a thread of its own.
#[derive(Clone)]
pub struct CollectorClient {
    runtime: Handle,
    headers: Vec<OtlpHeader>,
    clock: Clock,
    failures: Arc<RepeatedFault>,
}

impl fmt::Debug for CollectorClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CollectorClient")
    }
}

impl CollectorClient {
    /// Makes a client that adds these headers to each request. Must be called on a runtime.
    pub fn new(headers: Vec<OtlpHeader>, clock: Clock) -> Self {
        let failures = Arc::new(RepeatedFault::every_ms(LOG_INTERVAL_MS));
        Self { runtime: Handle::current(), headers, clock, failures }
    }

    async fn send(self, mut request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        for header in &self.headers {
            let mut value = HeaderValue::from_str(header.value.expose())?;
            value.set_sensitive(true);
            request.headers_mut().insert(&header.name, value);
        }
        let outcome = timeout(EXPORT_TIMEOUT, exchange(request)).await;
        let outcome = outcome.unwrap_or_else(|_| Err("no answer in time".into()));
        match &outcome {
            Ok(response) if response.status().is_success() => {}
            Ok(response) => self.log(&format!("status {}", response.status().as_u16())),
            Err(error) => self.log(&error.to_string()),
        }
        outcome
    }

    fn log(&self, error: &str) {
        if let Some(due) = self.failures.due(self.clock.boottime_ms()) {
            tracing::warn!(error, suppressed = due.suppressed, "trace collector does not take spans");
        }
    }
}

impl HttpClient for CollectorClient {
    fn send_bytes<'a, 'async_trait>(
        &'a self,
        request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'async_trait>>
    where
        'a: 'async_trait,
    {
        let task = self.runtime.spawn(self.clone().send(request));
        // The task ends early only with its runtime.
        Box::pin(async { task.await.unwrap_or_else(|error| Err(error.into())) })
    }
}

async fn exchange(request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
    let authority = request.uri().authority().ok_or("no host")?.clone();
    let stream = TcpStream::connect((authority.host(), authority.port_u16().unwrap_or(80))).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let response = sender.send_request(request.map(Full::new)).await?;
    let (head, body) = response.into_parts();
    let body = Limited::new(body, MAX_ANSWER_BYTES).collect().await?.to_bytes();
    Ok(Response::from_parts(head, body))
}
