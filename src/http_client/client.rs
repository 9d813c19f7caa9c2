//! Sends requests.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::{HOST, HeaderValue};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::connect::connect;
use super::error::ClientError;
use super::tls::TlsOptions;
use crate::values::Url;

/// Sends requests to one server, each on its own connection. Cheap to clone.
#[derive(Clone)]
pub struct HttpClient {
    url: Url,
    tls: Option<TlsConnector>,
    timeout: Duration,
    max_body_bytes: usize,
}

/// The head of an answer, whose body still arrives. Dropping it closes the connection.
pub struct OpenResponse {
    /// The answer.
    pub response: Response<Incoming>,
    /// The task that drives the connection; aborted on drop.
    _connection: JoinSet<()>,
}

impl HttpClient {
    /// Builds a client. `timeout` is the deadline of each request, `max_body_bytes` the limit of each answer.
    ///
    /// # Errors
    /// If a certificate cannot be used; `tls` is ignored if the URL has no TLS.
    pub fn new(url: Url, tls: &TlsOptions, timeout: Duration, max_body_bytes: usize) -> Result<Self, String> {
        let tls = url.is_tls.then(|| tls.connector()).transpose()?;
        Ok(Self { url, tls, timeout, max_body_bytes })
    }

    /// Returns the URL of the server.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Sends a request and reads the whole answer within the deadline. Of the request's URI, the path and the query are
    /// used, after the base path of the URL.
    ///
    /// # Errors
    /// If there is no whole answer in time, or its body is too large.
    pub async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, ClientError> {
        let exchange = async {
            let OpenResponse { response, _connection } = self.exchange(request).await?;
            let (head, body) = response.into_parts();
            let body = Limited::new(body, self.max_body_bytes).collect().await;
            let body = body.map_err(|error| ClientError::Body(error.to_string()))?.to_bytes();
            Ok(Response::from_parts(head, body))
        };
        timeout(self.timeout, exchange).await.unwrap_or(Err(ClientError::Timeout(self.timeout)))
    }

    /// Sends a request and reads the head of the answer within the deadline. The body may come for ever; its reader sets
    /// the limits.
    ///
    /// # Errors
    /// If there is no answer in time.
    pub async fn open(&self, request: Request<Bytes>) -> Result<OpenResponse, ClientError> {
        let exchange = self.exchange(request);
        timeout(self.timeout, exchange).await.unwrap_or(Err(ClientError::Timeout(self.timeout)))
    }

    async fn exchange(&self, request: Request<Bytes>) -> Result<OpenResponse, ClientError> {
        let stream = connect(&self.url, self.tls.as_ref()).await?;
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(ClientError::Http)?;
        let mut task = JoinSet::new();
        task.spawn(async move {
            // An error of the connection is the error of its request, too.
            let _ = connection.await;
        });
        let response = sender.send_request(self.complete(request)?).await.map_err(ClientError::Http)?;
        Ok(OpenResponse { response, _connection: task })
    }

    /// Adds the base path and the header `Host`.
    fn complete(&self, request: Request<Bytes>) -> Result<Request<Full<Bytes>>, ClientError> {
        let (mut head, body) = request.into_parts();
        let target = head.uri.path_and_query().map_or("/", |target| target.as_str());
        let target = format!("{}{target}", self.url.base_path);
        head.uri = target.parse().map_err(|_| ClientError::Request)?;
        let host = HeaderValue::try_from(self.url.authority()).map_err(|_| ClientError::Request)?;
        head.headers.insert(HOST, host);
        Ok(Request::from_parts(head, Full::new(body)))
    }
}
