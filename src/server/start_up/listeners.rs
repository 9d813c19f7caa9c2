//! The listeners of the settings: their sockets and their TLS.

use std::sync::Arc;

use super::error::ServerStartError;
use crate::clock::Clock;
use crate::config::Config;
use crate::files::FileError;
use crate::server::transport::listener::Listener;
use crate::server::transport::tls::{ListenerTls, LoadedTls};
use crate::server::transport::tls_files::{AlpnProtocols, HTTP_1, HTTP_2, SettingFile, TlsFiles};
use crate::values::ListenAddr;

/// The sockets of all listeners, bound and not yet accepting.
pub(super) struct Listeners {
    pub(super) validation: Listener,
    pub(super) admin: Listener,
    pub(super) grpc: Option<Listener>,
    pub(super) metrics: Option<Listener>,
}

impl Listeners {
    pub(super) fn bind(config: &Config, clock: &Clock) -> Result<Self, ServerStartError> {
        let bind = |setting, address: &ListenAddr| {
            Listener::bind(address, config.unix_socket_mode, clock.clone())
                .map_err(|error| ServerStartError::Bind { setting, address: address.to_string(), error })
        };
        Ok(Self {
            validation: bind("listen", &config.listen)?,
            admin: bind("admin-listen", &config.admin_listen)?,
            grpc: config.grpc_listen.as_ref().map(|address| bind("grpc-listen", address)).transpose()?,
            metrics: config
                .metrics_listen
                .as_ref()
                .map(|address| bind("metrics-listen", address))
                .transpose()?,
        })
    }
}

/// The TLS of all listeners that speak it.
#[derive(Clone)]
pub(in crate::server) struct TlsOfListeners {
    pub(super) validation: Option<Arc<ListenerTls>>,
    pub(super) admin: Option<Arc<ListenerTls>>,
    pub(super) grpc: Option<Arc<ListenerTls>>,
}

impl TlsOfListeners {
    pub(super) fn load(config: &Config, clock: &Clock) -> Result<Self, FileError> {
        let load = |files: Option<TlsFiles>, protocols: AlpnProtocols| {
            files.map(|files| ListenerTls::load(files, protocols, clock)).transpose()
        };
        let grpc = validation_files(config).filter(|_| config.grpc_listen.is_some());
        Ok(Self {
            validation: load(validation_files(config), &[HTTP_2, HTTP_1])?,
            admin: load(admin_files(config), &[HTTP_1])?,
            grpc: load(grpc, &[HTTP_2])?,
        })
    }

    /// Reads the files of each listener that speaks TLS, for a reload.
    ///
    /// # Errors
    /// The first problem of each listener, each problem once.
    pub(in crate::server) fn read(&self, config: &Config) -> Result<NewCertificates, Vec<FileError>> {
        let (mut new, mut errors) = (Vec::new(), Vec::new());
        let listeners = [
            (&self.validation, validation_files(config)),
            (&self.admin, admin_files(config)),
            (&self.grpc, validation_files(config)),
        ];
        for (tls, files) in listeners {
            let (Some(tls), Some(files)) = (tls, files) else { continue };
            let setting = files.cert.setting;
            match tls.read(files) {
                Ok(loaded) => new.push((tls.clone(), loaded, setting)),
                Err(error) if errors.contains(&error) => {}
                Err(error) => errors.push(error),
            }
        }
        if errors.is_empty() { Ok(NewCertificates(new)) } else { Err(errors) }
    }

    /// Each of them, by the name of its listener.
    pub(super) fn by_listener(&self) -> Vec<(&'static str, Arc<ListenerTls>)> {
        let listeners = [("validation", &self.validation), ("admin", &self.admin), ("grpc", &self.grpc)];
        listeners.into_iter().filter_map(|(name, tls)| Some((name, tls.clone()?))).collect()
    }

    /// All of them.
    pub(in crate::server) fn all(&self) -> impl Iterator<Item = &Arc<ListenerTls>> {
        [&self.validation, &self.admin, &self.grpc].into_iter().flatten()
    }
}

/// The certificates of all listeners, read and checked, with the setting of each certificate chain.
pub(in crate::server) struct NewCertificates(Vec<(Arc<ListenerTls>, LoadedTls, &'static str)>);

impl NewCertificates {
    /// Uses them for new connections. Returns the settings whose files have changed, each once.
    pub(in crate::server) fn replace(self) -> Vec<&'static str> {
        let mut changed = Vec::new();
        for (tls, loaded, setting) in self.0 {
            if tls.replace(loaded) && !changed.contains(&setting) {
                changed.push(setting);
            }
        }
        changed
    }
}

/// Checks the TLS files of all listeners, for `check-config`.
///
/// # Errors
/// The first file that cannot be used.
pub fn check_tls_files(config: &Config) -> Result<(), FileError> {
    TlsOfListeners::load(config, &Clock::system()).map(drop)
}

/// Returns the TLS files of the validation plane and of the admin plane, if they have any.
pub fn tls_files(config: &Config) -> Vec<TlsFiles> {
    [validation_files(config), admin_files(config)].into_iter().flatten().collect()
}

fn validation_files(config: &Config) -> Option<TlsFiles> {
    Some(TlsFiles {
        cert: SettingFile { setting: "tls-cert", path: config.tls_cert.clone()? },
        key: SettingFile { setting: "tls-key", path: config.tls_key.clone()? },
        client_ca: None,
    })
}

fn admin_files(config: &Config) -> Option<TlsFiles> {
    let client_ca = config.admin_client_ca.clone();
    Some(TlsFiles {
        cert: SettingFile { setting: "admin-tls-cert", path: config.admin_tls_cert.clone()? },
        key: SettingFile { setting: "admin-tls-key", path: config.admin_tls_key.clone()? },
        client_ca: client_ca.map(|path| SettingFile { setting: "admin-client-ca", path }),
    })
}
