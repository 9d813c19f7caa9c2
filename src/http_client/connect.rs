//! Opens the connection under a request.

use std::io;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use super::error::ClientError;
use crate::values::{Endpoint, Url};

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
