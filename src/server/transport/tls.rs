//! The TLS of a listener. Certificates are replaced while the server runs; connections that are open keep theirs.

use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

use super::tls_files::{AlpnProtocols, Contents, TlsFiles};
use crate::clock::Clock;
use crate::files::FileError;

/// The TLS of one listener.
pub struct ListenerTls {
    protocols: AlpnProtocols,
    clock: Clock,
    current: ArcSwap<TlsInUse>,
    watched: Mutex<WatchedFiles>,
}

/// The certificates of new connections.
struct TlsInUse {
    config: Arc<ServerConfig>,
    /// When the first certificate of the chain expires, in seconds since the Unix epoch; `None` if that cannot be read.
    not_after_s: Option<u64>,
}

/// The files in use, and what was last found in them.
#[derive(Clone)]
struct WatchedFiles {
    files: TlsFiles,
    digest: blake3::Hash,
}

/// Certificates that were read and checked, and are not in use yet.
pub struct LoadedTls {
    watched: WatchedFiles,
    tls: TlsInUse,
}

impl ListenerTls {
    /// Reads the files.
    ///
    /// # Errors
    /// If a file cannot be read or used.
    pub fn load(files: TlsFiles, protocols: AlpnProtocols, clock: &Clock) -> Result<Arc<Self>, FileError> {
        let LoadedTls { watched, tls } = LoadedTls::read(files, protocols, clock)?;
        let (current, clock) = (ArcSwap::from_pointee(tls), clock.clone());
        Ok(Arc::new(Self { protocols, clock, current, watched: Mutex::new(watched) }))
    }

    /// Returns an acceptor with the current certificates.
    pub fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.current.load().config.clone())
    }

    /// Returns when the first certificate of the chain in use expires, in seconds since the Unix epoch.
    pub fn not_after_s(&self) -> Option<u64> {
        self.current.load().not_after_s
    }

    /// Reads and checks these files for [`ListenerTls::replace`].
    ///
    /// # Errors
    /// If a file cannot be read or used.
    pub fn read(&self, files: TlsFiles) -> Result<LoadedTls, FileError> {
        LoadedTls::read(files, self.protocols, &self.clock)
    }

    /// Uses these certificates for new connections. Returns whether the content of the files has changed.
    pub fn replace(&self, loaded: LoadedTls) -> bool {
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        let has_changed = watched.digest != loaded.watched.digest;
        *watched = loaded.watched;
        self.current.store(Arc::new(loaded.tls));
        has_changed
    }

    /// Regards the present content of the files as seen: only a later change counts.
    pub fn ignore_present_files(&self) {
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        watched.digest = digest(&Contents::read(&watched.files));
    }

    /// Reads the files, and uses them if they have changed. If they cannot be used, the old certificates stay, and each
    /// problem is logged once.
    pub fn replace_if_changed(&self) {
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        let contents = Contents::read(&watched.files);
        let digest = digest(&contents);
        if watched.digest == digest {
            return;
        }
        watched.digest = digest;
        match contents.and_then(|contents| TlsInUse::of(&contents, self.protocols, &self.clock)) {
            Ok(tls) => {
                self.current.store(Arc::new(tls));
                tracing::info!(setting = watched.files.cert.setting, "certificates replaced");
            }
            Err(error) => tracing::warn!(%error, "new certificates not usable, old ones stay"),
        }
    }
}

impl LoadedTls {
    fn read(files: TlsFiles, protocols: AlpnProtocols, clock: &Clock) -> Result<Self, FileError> {
        let contents = Contents::read(&files);
        let digest = digest(&contents);
        let tls = TlsInUse::of(&contents?, protocols, clock)?;
        Ok(Self { watched: WatchedFiles { files, digest }, tls })
    }
}

impl TlsInUse {
    fn of(contents: &Contents, protocols: AlpnProtocols, clock: &Clock) -> Result<Self, FileError> {
        let config = contents.server_config(protocols, clock)?;
        Ok(Self { config: Arc::new(config), not_after_s: contents.not_after_s() })
    }
}

/// The digest of what was found in the files: their contents, or the problem.
fn digest(contents: &Result<Contents, FileError>) -> blake3::Hash {
    match contents {
        Ok(contents) => contents.digest(),
        Err(error) => blake3::hash(error.problem.as_bytes()),
    }
}
