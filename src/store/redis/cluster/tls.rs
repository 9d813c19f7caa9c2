//! TLS to Redis: the trusted authorities. When their file changes, new connections use the new content.

use std::convert::Infallible;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};
use redis::{Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo as _, RedisError, TlsCertificates};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::ServerName;

use super::byte_stream::ByteStream;
use crate::certificates::{authorities, system_authorities};
use crate::files::{RELOAD_INTERVAL, read_bounded};
use crate::values::HostPort;

/// The authorities whose certificates are trusted, reloaded when their file changes. Clones share them.
#[derive(Clone)]
pub struct TrustStore {
    /// `None`: the authorities that the system trusts.
    file: Option<PathBuf>,
    current: Arc<ArcSwap<Authorities>>,
}

/// One version of the trusted authorities.
pub(crate) struct Authorities {
    /// TLS for connections with our own implementation of RESP.
    connector: TlsConnector,
    /// For the redis crate, which builds its own connector from it.
    pem: Option<Vec<u8>>,
}

impl TrustStore {
    /// Loads the authorities in this file (PEM), or those that the system trusts.
    ///
    /// # Errors
    /// If the file cannot be read or holds no usable certificate.
    pub fn load(file: Option<&Path>) -> Result<Self, String> {
        let pem = file.map(read).transpose()?;
        let current = Arc::new(ArcSwap::from_pointee(Authorities::new(pem)?));
        Ok(Self { file: file.map(Path::to_owned), current })
    }

    /// Returns the present authorities; a different object after each change.
    pub(crate) fn current(&self) -> Guard<Arc<Authorities>> {
        self.current.load()
    }

    /// Starts TLS with the server of this name.
    ///
    /// # Errors
    /// If the name cannot be in a certificate, or the handshake fails.
    pub(crate) async fn handshake(
        &self,
        host: &str,
        stream: TcpStream,
    ) -> io::Result<Pin<Box<dyn ByteStream>>> {
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        let connector = self.current().connector.clone();
        Ok(Box::pin(connector.connect(name, stream).await?))
    }

    /// Runs the worker that replaces the authorities when their file changes. Ends with its runtime.
    pub(crate) async fn reload_on_change(&self) -> Infallible {
        let Some(file) = &self.file else { return std::future::pending().await };
        let mut seen = Ok(self.current().pem.clone().unwrap_or_default());
        loop {
            tokio::time::sleep(RELOAD_INTERVAL).await;
            let file = file.clone();
            // Reading the disk may block.
            let Ok(read) = tokio::task::spawn_blocking(move || read(&file)).await else { continue };
            if read != seen {
                seen = read;
                self.replace(seen.clone());
            }
        }
    }

    fn replace(&self, read: Result<Vec<u8>, String>) {
        match read.and_then(|pem| Authorities::new(Some(pem))) {
            Ok(authorities) => {
                self.current.store(Arc::new(authorities));
                tracing::info!(setting = "redis-ca-file", "redis authorities replaced");
            }
            Err(error) => {
                tracing::warn!(
                    setting = "redis-ca-file",
                    error,
                    "redis authorities not replaced: the previous ones stay in use"
                );
            }
        }
    }
}

fn read(file: &Path) -> Result<Vec<u8>, String> {
    read_bounded(file).map_err(|error| format!("cannot read the file: {error}"))
}

impl Authorities {
    fn new(pem: Option<Vec<u8>>) -> Result<Self, String> {
        let provider = ring::default_provider();
        // The redis crate uses the process's default provider. rustls panics without one if several are compiled
        // in. If the application has installed a provider, it stays.
        if CryptoProvider::get_default().is_none() {
            let _ = provider.clone().install_default();
        }
        let roots = match &pem {
            Some(pem) => authorities(pem)?,
            None => system_authorities(),
        };
        let config = ClientConfig::builder_with_provider(Arc::new(provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self { connector: Arc::new(config).into(), pem })
    }

    /// Returns what the redis crate needs to connect.
    pub(crate) fn info(&self, node: &HostPort) -> Result<ConnectionInfo, RedisError> {
        let (host, port) = (node.host.clone(), node.port);
        let info = ConnectionAddr::TcpTls { host, port, insecure: false, tls_params: None }
            .into_connection_info()?;
        let certificates = TlsCertificates { client_tls: None, root_cert: self.pem.clone() };
        Ok(Client::build_with_tls(info, certificates)?.get_connection_info().clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An application may compile in more than one provider. rustls then selects none by itself.
    #[test]
    fn loading_installs_a_default_provider() {
        TrustStore::load(None).map(|_| ()).unwrap();
        assert!(CryptoProvider::get_default().is_some());
    }
}
