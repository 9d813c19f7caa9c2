//! TLS of the listeners: certificates from files, put in place of the old ones when the files change.

use crate::files::{RELOAD_INTERVAL, read_bounded};
use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::signal::unix::{SignalKind, signal};
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime, pem};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::server::danger::ClientCertVerifier;
use tokio_rustls::rustls::time_provider::TimeProvider;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};
use tokio_rustls::{TlsAcceptor, rustls};

use crate::clock::Clock;
use crate::config::Config;
use crate::values::TlsPaths;

/// What a listener speaks, as ALPN names it (RFC 7301), the preferred first.
pub type Protocols = &'static [&'static [u8]];
/// HTTP/2.
pub const HTTP_2: &[u8] = b"h2";
/// HTTP/1.1.
pub const HTTP_1: &[u8] = b"http/1.1";

/// Why TLS cannot be had with what the files hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{setting}: {problem}")]
pub struct TlsError {
    /// The setting that names the file.
    pub setting: &'static str,
    /// What is wrong with it; never what is in it.
    pub problem: String,
}

/// The files, and the settings that name them.
#[derive(Clone)]
pub(crate) struct Files {
    cert: PathBuf,
    cert_setting: &'static str,
    key: PathBuf,
    key_setting: &'static str,
    client_ca: Option<PathBuf>,
}

/// The TLS of one listener.
pub struct Tls {
    files: Files,
    protocols: Protocols,
    clock: Clock,
    /// The digest of what was there at the start.
    loaded: blake3::Hash,
    current: ArcSwap<ServerConfig>,
}

/// What the files hold.
pub(crate) struct Contents {
    cert: Vec<u8>,
    key: Vec<u8>,
    client_ca: Option<Vec<u8>>,
}

impl Tls {
    /// Reads the files of a listener of the validation plane; `None` where it speaks no TLS.
    ///
    /// # Errors
    /// When a file cannot be read, or does not hold what it should.
    pub fn of_validation(
        config: &Config,
        protocols: Protocols,
        clock: &Clock,
    ) -> Result<Option<Arc<Self>>, TlsError> {
        Self::load(Files::of(&config.tls(), "tls-cert", "tls-key"), protocols, clock)
    }

    /// Reads the files of the admin plane.
    ///
    /// # Errors
    /// As above.
    pub fn of_admin(config: &Config, clock: &Clock) -> Result<Option<Arc<Self>>, TlsError> {
        Self::load(Files::of(&config.admin_tls(), "admin-tls-cert", "admin-tls-key"), &[HTTP_1], clock)
    }

    fn load(
        files: Option<Files>,
        protocols: Protocols,
        clock: &Clock,
    ) -> Result<Option<Arc<Self>>, TlsError> {
        let Some(files) = files else { return Ok(None) };
        let contents = Contents::read(&files)?;
        let current = ArcSwap::from_pointee(server_config(&files, &contents, protocols, clock)?);
        let (loaded, clock) = (contents.digest(), clock.clone());
        Ok(Some(Arc::new(Self { files, protocols, clock, loaded, current })))
    }

    /// For the handshakes from now on.
    pub fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.current.load_full())
    }

    /// Looks at the files; gives the digest of what was there. What cannot be used is logged, unless it is what was
    /// seen the last time, and the old certificates stay.
    fn look(&self, seen: blake3::Hash) -> blake3::Hash {
        let contents = Contents::read(&self.files);
        let digest = match &contents {
            Ok(contents) => contents.digest(),
            Err(error) => blake3::hash(error.problem.as_bytes()),
        };
        if seen == digest {
            return digest;
        }
        let setting = self.files.cert_setting;
        let config =
            contents.and_then(|contents| server_config(&self.files, &contents, self.protocols, &self.clock));
        match config {
            Ok(config) => {
                self.current.store(Arc::new(config));
                tracing::info!(setting, "the certificates were replaced");
            }
            Err(error) => tracing::warn!(%error, "the old certificates stay: the new ones cannot be used"),
        }
        digest
    }
}

/// The worker: replaces certificates whose files change, within two seconds or at SIGHUP. Ends with its runtime.
pub async fn reload(listeners: Vec<Arc<Tls>>) -> Infallible {
    let mut hangup =
        signal(SignalKind::hangup()).inspect_err(|error| tracing::warn!(%error, "SIGHUP is not heard"));
    let mut seen: Vec<_> = listeners.iter().map(|tls| tls.loaded).collect();
    loop {
        // The disk may be slow.
        let looked = tokio::task::spawn_blocking({
            let (listeners, seen) = (listeners.clone(), seen.clone());
            move || listeners.iter().zip(seen).map(|(tls, seen)| tls.look(seen)).collect::<Vec<_>>()
        });
        if let Ok(looked) = looked.await {
            seen = looked;
        }
        let hung_up = async {
            match &mut hangup {
                Ok(hangup) => drop(hangup.recv().await),
                Err(_) => std::future::pending().await,
            }
        };
        tokio::select! { () = tokio::time::sleep(RELOAD_INTERVAL) => {}, () = hung_up => {} }
    }
}

/// Whether the files of all listeners can be used.
///
/// # Errors
/// The first that cannot.
pub fn check(config: &Config) -> Result<(), TlsError> {
    let clock = Clock::system();
    Tls::of_validation(config, &[], &clock)?;
    Tls::of_admin(config, &clock)?;
    Ok(())
}

impl Files {
    fn of(paths: &TlsPaths, cert_setting: &'static str, key_setting: &'static str) -> Option<Self> {
        let (cert, key) = (paths.cert.clone()?, paths.key.clone()?);
        Some(Self { cert, cert_setting, key, key_setting, client_ca: paths.client_ca.clone() })
    }
}

impl Contents {
    fn read(files: &Files) -> Result<Self, TlsError> {
        let read = |setting: &'static str, path: &Path| {
            read_bounded(path)
                .map_err(|error| TlsError { setting, problem: format!("cannot read the file: {error}") })
        };
        Ok(Self {
            cert: read(files.cert_setting, &files.cert)?,
            key: read(files.key_setting, &files.key)?,
            client_ca: files.client_ca.as_ref().map(|path| read(CLIENT_CA, path)).transpose()?,
        })
    }

    fn digest(&self) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new();
        for content in [Some(&self.cert), Some(&self.key), self.client_ca.as_ref()].into_iter().flatten() {
            hasher.update(blake3::hash(content).as_bytes());
        }
        hasher.finalize()
    }
}

pub(crate) const CLIENT_CA: &str = "admin-client-ca";

pub(crate) fn server_config(
    files: &Files,
    contents: &Contents,
    protocols: Protocols,
    clock: &Clock,
) -> Result<ServerConfig, TlsError> {
    let provider = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_details(provider.clone(), Arc::new(Time(clock.clone())))
        .with_safe_default_protocol_versions()
        .map_err(|error| problem(files.cert_setting, error))?;
    let builder = match &contents.client_ca {
        Some(client_ca) => builder.with_client_cert_verifier(client_verifier(client_ca, provider)?),
        None => builder.with_no_client_auth(),
    };
    let chain = certificates(files.cert_setting, &contents.cert)?;
    let key = PrivateKeyDer::from_pem_slice(&contents.key)
        .map_err(|_| problem(files.key_setting, "the file holds no private key in PEM"))?;
    let mut config = builder.with_single_cert(chain, key).map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => problem(files.key_setting, "is not the key of the certificate"),
        error => problem(files.cert_setting, error),
    })?;
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    Ok(config)
}

/// Lets only clients in whose certificate one of these authorities signed.
pub(crate) fn client_verifier(
    client_ca: &[u8],
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(CLIENT_CA, client_ca)? {
        roots.add(certificate).map_err(|error| problem(CLIENT_CA, error))?;
    }
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .map_err(|error| problem(CLIENT_CA, error))
}

pub(crate) fn certificates(
    setting: &'static str,
    content: &[u8],
) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let certificates: Result<Vec<_>, pem::Error> = CertificateDer::pem_slice_iter(content).collect();
    match certificates {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        _ => Err(problem(setting, "the file holds no certificate in PEM")),
    }
}

pub(crate) fn problem(setting: &'static str, problem: impl std::fmt::Display) -> TlsError {
    TlsError { setting, problem: problem.to_string() }
}

/// The system's wall clock, for when certificates of clients end.
#[derive(Debug)]
pub(crate) struct Time(Clock);

impl TimeProvider for Time {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(Duration::from_millis(self.0.wall_ms())))
    }
}
