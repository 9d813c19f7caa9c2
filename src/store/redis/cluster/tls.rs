//! TLS to Redis: whose certificates are believed. When the file of the authorities changes, new connections go by what
//! it holds then.

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};
use redis::{Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo as _, RedisError, TlsCertificates};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::files::{RELOAD_INTERVAL, read_file};
use crate::values::Node;

/// The trusted authorities. Clones share them.
#[derive(Clone)]
pub struct TrustStore {
    /// `None` for the authorities that the system trusts.
    file: Option<PathBuf>,
    current: Arc<ArcSwap<Authorities>>,
}

/// Authorities that are believed.
pub(crate) struct Authorities {
    /// For connections that speak the protocol themselves.
    pub(crate) connector: TlsConnector,
    /// For the library, which makes its own of it.
    pem: Option<Vec<u8>>,
}

impl TrustStore {
    /// Trusts the authorities in this file (PEM), or else those that the system trusts.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub fn load(file: Option<&Path>) -> Result<Self, String> {
        let pem = file.map(read).transpose()?;
        let current = Arc::new(ArcSwap::from_pointee(Authorities::new(pem)?));
        Ok(Self { file: file.map(Path::to_owned), current })
    }

    /// What is believed now; another object after each change.
    pub(crate) fn current(&self) -> Guard<Arc<Authorities>> {
        self.current.load()
    }

    /// The worker that replaces the authorities when their file changes. Ends with its runtime.
    pub(crate) async fn follow(&self) -> Infallible {
        let Some(file) = &self.file else { return std::future::pending().await };
        let mut seen = Ok(self.current().pem.clone().unwrap_or_default());
        loop {
            tokio::time::sleep(RELOAD_INTERVAL).await;
            let file = file.clone();
            // The disk may be slow.
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
                tracing::info!(setting = "redis-ca-file", "the authorities were replaced");
            }
            Err(error) => {
                tracing::warn!(
                    setting = "redis-ca-file",
                    error,
                    "the old authorities stay: the new ones cannot be used"
                );
            }
        }
    }
}

fn read(file: &Path) -> Result<Vec<u8>, String> {
    read_file(file).map_err(|error| format!("cannot read the file: {error}"))
}

impl Authorities {
    fn new(pem: Option<Vec<u8>>) -> Result<Self, String> {
        let provider = ring::default_provider();
        // The library takes the process's own provider, and rustls panics where there is none and several are compiled
        // in. The application's choice stands if it has made one.
        if CryptoProvider::get_default().is_none() {
            let _ = provider.clone().install_default();
        }
        let mut roots = RootCertStore::empty();
        match &pem {
            Some(pem) => {
                for certificate in CertificateDer::pem_slice_iter(pem) {
                    let certificate = certificate.map_err(|_| "is not PEM".to_owned())?;
                    roots.add(certificate).map_err(|_| "holds a certificate of no use".to_owned())?;
                }
                if roots.is_empty() {
                    return Err("holds no certificate".into());
                }
            }
            // Those of no use are left out: the system has many, and nobody here can change them.
            None => drop(roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs)),
        }
        let config = ClientConfig::builder_with_provider(Arc::new(provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self { connector: Arc::new(config).into(), pem })
    }

    /// What the library needs to connect.
    pub(crate) fn info(&self, node: &Node) -> Result<ConnectionInfo, RedisError> {
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

    /// An application may compile in more than one provider; rustls then finds none by itself.
    #[test]
    fn the_library_finds_a_provider() {
        TrustStore::load(None).map(|_| ()).unwrap();
        assert!(CryptoProvider::get_default().is_some());
    }
}
