//! TLS, for addresses of the form `https://`.

use std::fmt;
use std::io;
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::endpoint::InvalidSetting;

const NO_CERTIFICATE: InvalidSetting =
    InvalidSetting("the certificates of authorities must be PEM, and at least one");

/// Connects to one server by TLS.
#[derive(Clone)]
pub(crate) struct Tls {
    connector: TlsConnector,
    server: ServerName<'static>,
}

impl Tls {
    /// Demands a certificate for this host, from an authority that the system trusts.
    pub fn new(host: &str) -> Result<Self, InvalidSetting> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        let server = ServerName::try_from(host.to_owned());
        let server = server.map_err(|_| InvalidSetting("the host of an https:// address is malformed"))?;
        Ok(Self { connector: connector(roots)?, server })
    }

    /// Trusts these authorities only.
    pub fn trust(&mut self, pem: &[u8]) -> Result<(), InvalidSetting> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            roots.add(certificate.map_err(|_| NO_CERTIFICATE)?).map_err(|_| NO_CERTIFICATE)?;
        }
        if roots.is_empty() {
            return Err(NO_CERTIFICATE);
        }
        self.connector = connector(roots)?;
        Ok(())
    }

    /// Connects over a stream.
    pub async fn connect(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        self.connector.connect(self.server.clone(), stream).await
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Tls").field("server", &self.server).finish_non_exhaustive()
    }
}

fn connector(roots: RootCertStore) -> Result<TlsConnector, InvalidSetting> {
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|_| InvalidSetting("TLS has no protocol versions"))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config).into())
}
