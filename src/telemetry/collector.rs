//! Sends batches of spans to the collector.

use std::fmt;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::header::HeaderValue;
use hyper::{Request, Response};
use opentelemetry_http::HttpError;
use tokio::runtime::Handle;

use crate::clock::Clock;
use crate::files::{FileError, read_bounded};
use crate::http_client::{ClientError, HttpClient, TlsOptions, Trust};
use crate::logging::RepeatedFault;
use crate::values::{OtlpHeader, Url};

/// The longest time for one batch, its repeats included, and for each attempt.
pub(super) const EXPORT_TIMEOUT: Duration = Duration::from_secs(10);
/// The most bytes of a collector's answer.
const MAX_ANSWER_BYTES: usize = 64 * 1024;
/// A failure is logged at most once in this time.
const LOG_INTERVAL_MS: u64 = 60_000;

/// Sends requests to the collector, on the runtime that it was made on. The exporter calls it from a thread of its own.
#[derive(Clone)]
pub struct CollectorClient {
    client: HttpClient,
    headers: Vec<OtlpHeader>,
    runtime: Handle,
    clock: Clock,
    failures: Arc<RepeatedFault>,
}

impl fmt::Debug for CollectorClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CollectorClient({})", self.client.url())
    }
}

impl CollectorClient {
    /// Makes a client that adds these headers to each request. Must be called on a runtime.
    ///
    /// # Errors
    /// If the file with the certificate authorities cannot be used.
    pub fn new(
        url: Url,
        ca_file: Option<&Path>,
        headers: Vec<OtlpHeader>,
        clock: Clock,
    ) -> Result<Self, FileError> {
        let unusable = |problem: String| FileError { setting: "otlp-ca-file", problem };
        let trust = match ca_file {
            None => Trust::System,
            Some(path) => {
                let pem = read_bounded(path);
                Trust::Authorities(pem.map_err(|error| unusable(format!("{}: {error}", path.display())))?)
            }
        };
        let tls = TlsOptions { trust, identity: None };
        let client = HttpClient::new(url, &tls, EXPORT_TIMEOUT, MAX_ANSWER_BYTES).map_err(unusable)?;
        let failures = Arc::new(RepeatedFault::every_ms(LOG_INTERVAL_MS));
        Ok(Self { client, headers, runtime: Handle::current(), clock, failures })
    }

    async fn send(self, mut request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        for header in &self.headers {
            let mut value = HeaderValue::from_str(header.value.expose())?;
            value.set_sensitive(true);
            request.headers_mut().insert(&header.name, value);
        }
        let outcome = self.client.send(request).await;
        self.log_failure(&outcome);
        Ok(outcome?)
    }

    fn log_failure(&self, outcome: &Result<Response<Bytes>, ClientError>) {
        let error = match outcome {
            Ok(response) if response.status().is_success() => return,
            Ok(response) => format!("status {}", response.status().as_u16()),
            Err(error) => error.to_string(),
        };
        if let Some(due) = self.failures.due(self.clock.boottime_ms()) {
            let collector = self.client.url();
            tracing::warn!(%collector, error, suppressed = due.suppressed, "trace collector does not take spans");
        }
    }
}

impl opentelemetry_http::HttpClient for CollectorClient {
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
