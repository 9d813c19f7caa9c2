//! The TLS of a listener. Certificates are replaced while the server runs, when their files change.

use std::convert::Infallible;
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::signal::unix::{SignalKind, signal};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

use super::tls_files::{AlpnProtocols, Contents, TlsFiles};
use crate::clock::Clock;
use crate::files::{FileError, RELOAD_INTERVAL};

/// The TLS of one listener.
pub struct ListenerTls {
    files: TlsFiles,
    protocols: AlpnProtocols,
    clock: Clock,
    /// The digest of the files as they were at the start.
    first_digest: blake3::Hash,
    current: ArcSwap<ServerConfig>,
}

impl ListenerTls {
    /// Reads the files.
    ///
    /// # Errors
    /// If a file cannot be read or used.
    pub fn load(files: TlsFiles, protocols: AlpnProtocols, clock: &Clock) -> Result<Arc<Self>, FileError> {
        let contents = Contents::read(&files)?;
        let current = ArcSwap::from_pointee(contents.server_config(protocols, clock)?);
        let (first_digest, clock) = (contents.digest(), clock.clone());
        Ok(Arc::new(Self { files, protocols, clock, first_digest, current }))
    }

    /// Returns an acceptor with the current certificates.
    pub fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.current.load_full())
    }

    /// Reads the files, uses them if they differ from `seen`, and returns their digest. If they cannot be used, the old
    /// certificates stay, and each problem is logged once.
    fn reload_if_changed(&self, seen: blake3::Hash) -> blake3::Hash {
        let contents = Contents::read(&self.files);
        let digest = match &contents {
            Ok(contents) => contents.digest(),
            Err(error) => blake3::hash(error.problem.as_bytes()),
        };
        if seen == digest {
            return digest;
        }
        match contents.and_then(|contents| contents.server_config(self.protocols, &self.clock)) {
            Ok(config) => {
                self.current.store(Arc::new(config));
                tracing::info!(setting = self.files.cert.setting, "certificates replaced");
            }
            Err(error) => tracing::warn!(%error, "new certificates not usable, old ones stay"),
        }
        digest
    }
}

/// Runs the worker that replaces certificates whose files change: within [`RELOAD_INTERVAL`], and at once at SIGHUP.
/// Ends with its runtime.
pub async fn reload(listeners: Vec<Arc<ListenerTls>>) -> Infallible {
    let mut hangup =
        signal(SignalKind::hangup()).inspect_err(|error| tracing::warn!(%error, "SIGHUP not caught"));
    let mut seen: Vec<_> = listeners.iter().map(|tls| tls.first_digest).collect();
    loop {
        // Not on a thread of the runtime: the disk may be slow.
        let digests = tokio::task::spawn_blocking({
            let (listeners, seen) = (listeners.clone(), seen.clone());
            move || {
                let listeners = listeners.iter().zip(seen);
                listeners.map(|(tls, seen)| tls.reload_if_changed(seen)).collect::<Vec<_>>()
            }
        });
        if let Ok(digests) = digests.await {
            seen = digests;
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
