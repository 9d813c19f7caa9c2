//! TLS of the client: which servers it trusts, and its own certificate.

use std::sync::Arc;

use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio_rustls::rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};

use crate::certificates::{authorities, certificates, system_authorities};

/// The servers that a client trusts.
#[derive(Clone, Debug, Default)]
pub enum Trust {
    /// Servers with a certificate of an authority that the system trusts.
    #[default]
    System,
    /// Servers with a certificate of one of these authorities, in PEM.
    Authorities(Vec<u8>),
    /// All. Only for requests without a secret, whose answer decides nothing.
    Any,
}

/// The TLS of a client.
#[derive(Default)]
pub struct TlsOptions {
    /// The trusted servers.
    pub trust: Trust,
    /// The certificate that the client shows.
    pub identity: Option<ClientIdentity>,
}

/// A client's certificate chain and its key, both in PEM.
pub struct ClientIdentity {
    /// The certificate chain.
    pub cert: Vec<u8>,
    /// The private key.
    pub key: Vec<u8>,
}

impl TlsOptions {
    /// Builds the connector.
    ///
    /// # Errors
    /// If a certificate or the key cannot be used. The text does not repeat them.
    pub(super) fn connector(&self) -> Result<TlsConnector, String> {
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?;
        let builder = match &self.trust {
            Trust::System => builder.with_root_certificates(system_authorities()),
            Trust::Authorities(pem) => {
                let roots =
                    authorities(pem).map_err(|problem| format!("the file of the authorities {problem}"))?;
                builder.with_root_certificates(roots)
            }
            Trust::Any => {
                let verifier = Arc::new(AnyCertificate(provider));
                builder.dangerous().with_custom_certificate_verifier(verifier)
            }
        };
        let mut config = match &self.identity {
            None => builder.with_no_client_auth(),
            Some(ClientIdentity { cert, key }) => {
                let key = PrivateKeyDer::from_pem_slice(key)
                    .map_err(|_| "the file of the client's key holds no private key in PEM".to_owned())?;
                let chain = certificates(cert)
                    .map_err(|problem| format!("the file of the client's certificate {problem}"))?;
                builder
                    .with_client_auth_cert(chain, key)
                    .map_err(|error| format!("the client's certificate cannot be used: {error}"))?
            }
        };
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config).into())
    }
}

/// Accepts any certificate.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
