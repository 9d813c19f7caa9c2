//! New settings for a running server, compared with those it runs with.

use std::sync::Arc;

use super::mistake::LoadError;
use super::settings::Config;

/// Reads the settings of a running server again.
pub type LoadAgain = Arc<dyn Fn() -> Result<Config, LoadError> + Send + Sync>;

/// The difference between the settings of a running server and the settings of its sources.
#[derive(Debug)]
pub struct Reload {
    /// The running settings after the reload.
    pub config: Config,
    /// The settings that change now.
    pub changed: Vec<&'static str>,
    /// The settings that the sources change and the running server keeps.
    pub needs_restart: Vec<&'static str>,
}

impl Reload {
    /// Compares the settings of a running server with the settings of its sources.
    pub fn new(running: &Config, sources: &Config) -> Self {
        let mut config = running.with_reloadable_of(sources);
        // A listener speaks either TLS or plain HTTP as long as it is open.
        if running.tls_cert.is_some() != sources.tls_cert.is_some() {
            config.tls_cert.clone_from(&running.tls_cert);
            config.tls_key.clone_from(&running.tls_key);
        }
        if running.admin_tls_cert.is_some() != sources.admin_tls_cert.is_some() {
            config.admin_tls_cert.clone_from(&running.admin_tls_cert);
            config.admin_tls_key.clone_from(&running.admin_tls_key);
            config.admin_client_ca.clone_from(&running.admin_client_ca);
        }
        Self { changed: running.differences(&config), needs_restart: config.differences(sources), config }
    }
}
