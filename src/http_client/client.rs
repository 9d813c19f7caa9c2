//! Sends requests.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::{HOST, HeaderValue};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use super::tls::TlsOptions;
use crate::values::{Endpoint, Url};

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

/// Why a request had no answer. No text repeats a header of the request.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The path or the host cannot be part of a request.
    #[error("the URL cannot be requested")]
    Request,
    /// The name is unknown, or nothing accepts connections there.
    #[error("cannot connect: {0}")]
    Connect(#[source] io::Error),
    /// The TLS handshake failed.
    #[error("TLS handshake failed: {0}")]
    Tls(#[source] io::Error),
    /// The deadline passed.
    #[error("no answer within {} ms", .0.as_millis())]
    Timeout(Duration),
    /// The connection was lost, or the answer is not HTTP.
    #[error("no valid HTTP answer: {0}")]
    Http(#[source] hyper::Error),
    /// The body of the answer cannot be read, or is larger than the limit.
    #[error("cannot read the answer: {0}")]
    Body(String),
}

/// A connection of any kind.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Connects, and does the TLS handshake if there is a connector.
pub(super) async fn connect(url: &Url, tls: Option<&TlsConnector>) -> Result<Box<dyn Stream>, ClientError> {
    match &url.endpoint {
        Endpoint::Tcp(host, port) => {
            let stream = TcpStream::connect((host.as_str(), *port)).await.map_err(ClientError::Connect)?;
            stream.set_nodelay(true).map_err(ClientError::Connect)?;
            secured(stream, host, tls).await
        }
        Endpoint::Unix(path) => {
            let stream = UnixStream::connect(path).await.map_err(ClientError::Connect)?;
            secured(stream, "localhost", tls).await
        }
    }
}

async fn secured(
    stream: impl Stream + 'static,
    host: &str,
    tls: Option<&TlsConnector>,
) -> Result<Box<dyn Stream>, ClientError> {
    let Some(connector) = tls else { return Ok(Box::new(stream)) };
    let name = ServerName::try_from(host.to_owned())
        .map_err(|error| ClientError::Tls(io::Error::new(io::ErrorKind::InvalidInput, error)))?;
    let stream = connector.connect(name, stream).await.map_err(ClientError::Tls)?;
    Ok(Box::new(stream))
}
