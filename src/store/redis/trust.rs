//! TLS to Redis: whose certificates are believed.

use std::sync::Arc;

use redis::{Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo as _, RedisError, TlsCertificates};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::config::Node;

/// See the module.
#[derive(Clone)]
pub struct Trust {
    /// For connections that speak the protocol themselves.
    pub(super) connector: TlsConnector,
    /// For the library, which makes its own of it.
    authorities: Option<Vec<u8>>,
}

impl Trust {
    /// Trusts these authorities (PEM), or else those that the system trusts.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn new(authorities: Option<Vec<u8>>) -> Result<Self, String> {
        let provider = ring::default_provider();
        // The library takes the process's own provider, and rustls panics where there is none and several are compiled
        // in. The application's choice stands if it has made one.
        if CryptoProvider::get_default().is_none() {
            let _ = provider.clone().install_default();
        }
        let mut roots = RootCertStore::empty();
        match &authorities {
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
        Ok(Self { connector: Arc::new(config).into(), authorities })
    }

    /// What the library needs to connect.
    pub(super) fn info(&self, node: &Node) -> Result<ConnectionInfo, RedisError> {
        let (host, port) = (node.host.clone(), node.port);
        let info = ConnectionAddr::TcpTls { host, port, insecure: false, tls_params: None }
            .into_connection_info()?;
        let certificates = TlsCertificates { client_tls: None, root_cert: self.authorities.clone() };
        Ok(Client::build_with_tls(info, certificates)?.get_connection_info().clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An application may compile in more than one provider; rustls then finds none by itself.
    #[test]
    fn the_library_finds_a_provider() {
        Trust::new(None).map(|_| ()).unwrap();
        assert!(CryptoProvider::get_default().is_some());
    }
}
