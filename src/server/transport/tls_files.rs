//! The files of a listener's TLS, and the rustls configuration made from them.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio_rustls::rustls;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::server::danger::ClientCertVerifier;
use tokio_rustls::rustls::time_provider::TimeProvider;

use super::certificate::Validity;
use crate::certificates::{authorities, certificates};
use crate::clock::Clock;
use crate::files::{FileError, read_bounded};

/// The protocols that a listener offers by ALPN (RFC 7301), the preferred one first.
pub type AlpnProtocols = &'static [&'static [u8]];
/// HTTP/2.
pub const HTTP_2: &[u8] = b"h2";
/// HTTP/1.1.
pub const HTTP_1: &[u8] = b"http/1.1";

/// A file, and the setting that names it.
#[derive(Clone)]
pub struct SettingFile {
    /// The name of the setting.
    pub setting: &'static str,
    /// The path that the setting gives.
    pub path: PathBuf,
}

/// The files of a listener's TLS, all in PEM.
#[derive(Clone)]
pub struct TlsFiles {
    /// The certificate chain.
    pub cert: SettingFile,
    /// The private key of the first certificate.
    pub key: SettingFile,
    /// If set, only clients with a certificate of these authorities can connect.
    pub client_ca: Option<SettingFile>,
}

/// A file's content, and the setting that names the file.
pub(super) struct Content {
    setting: &'static str,
    bytes: Vec<u8>,
}

/// The contents of [`TlsFiles`].
pub(super) struct Contents {
    cert: Content,
    key: Content,
    client_ca: Option<Content>,
}

impl SettingFile {
    fn read(&self) -> Result<Content, FileError> {
        let bytes = read_bounded(&self.path)
            .map_err(|error| problem(self.setting, format!("cannot read the file: {error}")))?;
        Ok(Content { setting: self.setting, bytes })
    }
}

impl TlsFiles {
    /// Checks that the files can be read and belong together.
    ///
    /// # Errors
    /// The first file that cannot be used.
    pub fn check(&self, clock: &Clock) -> Result<(), FileError> {
        Contents::read(self)?.server_config(&[HTTP_1], clock).map(drop)
    }
}

impl Contents {
    pub(super) fn read(files: &TlsFiles) -> Result<Self, FileError> {
        Ok(Self {
            cert: files.cert.read()?,
            key: files.key.read()?,
            client_ca: files.client_ca.as_ref().map(SettingFile::read).transpose()?,
        })
    }

    pub(super) fn digest(&self) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new();
        for content in [Some(&self.cert), Some(&self.key), self.client_ca.as_ref()].into_iter().flatten() {
            hasher.update(blake3::hash(&content.bytes).as_bytes());
        }
        hasher.finalize()
    }

    /// Returns when the first certificate of the chain expires, in seconds since the Unix epoch.
    pub(super) fn not_after_s(&self) -> Option<u64> {
        Validity::of_chain(&self.cert.bytes).map(|validity| validity.not_after_s)
    }

    /// Builds the configuration of a listener. Certificates of clients are checked against the wall time of `clock`.
    pub(super) fn server_config(
        &self,
        protocols: AlpnProtocols,
        clock: &Clock,
    ) -> Result<ServerConfig, FileError> {
        let (cert, key) = (self.cert.setting, self.key.setting);
        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_details(provider.clone(), Arc::new(WallTime(clock.clone())))
            .with_safe_default_protocol_versions()
            .map_err(|error| problem(cert, error))?;
        let builder = match &self.client_ca {
            Some(client_ca) => builder.with_client_cert_verifier(client_ca.client_verifier(provider)?),
            None => builder.with_no_client_auth(),
        };
        let private_key = PrivateKeyDer::from_pem_slice(&self.key.bytes)
            .map_err(|_| problem(key, "the file holds no private key in PEM"))?;
        let mut config = builder.with_single_cert(self.cert.certificates()?, private_key).map_err(
            |error| match error {
                rustls::Error::InconsistentKeys(_) => problem(key, "is not the key of the certificate"),
                error => problem(cert, error),
            },
        )?;
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        Ok(config)
    }
}

impl Content {
    /// Builds a verifier that accepts only clients whose certificate one of these authorities signed.
    fn client_verifier(
        &self,
        provider: Arc<CryptoProvider>,
    ) -> Result<Arc<dyn ClientCertVerifier>, FileError> {
        let roots = authorities(&self.bytes).map_err(|unusable| self.problem(&unusable))?;
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
            .build()
            .map_err(|error| problem(self.setting, error))
    }

    fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, FileError> {
        certificates(&self.bytes).map_err(|unusable| self.problem(&unusable))
    }

    fn problem(&self, rest: &str) -> FileError {
        problem(self.setting, format!("the file {rest}"))
    }
}

fn problem(setting: &'static str, problem: impl std::fmt::Display) -> FileError {
    FileError { setting, problem: problem.to_string() }
}

/// The wall clock, for the validity of clients' certificates.
#[derive(Debug)]
struct WallTime(Clock);

impl TimeProvider for WallTime {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(Duration::from_millis(self.0.wall_ms())))
    }
}
