//! One reload: everything is read and checked first, and nothing is used unless all of it is good.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::Signal;
use tokio::time::sleep;

use super::status::ReloadStatus;
use crate::config::{Config, LoadAgain, Mistake, Reload};
use crate::files::{FileError, RELOAD_INTERVAL};
use crate::logging;
use crate::request::places::CredentialPlaces;
use crate::request_check::settings::RouteChecks;
use crate::server::admin::api_keys::ApiKeys;
use crate::server::start_up::listeners::{NewCertificates, TlsOfListeners};
use crate::service::Service;
use crate::service::token_keys::{NewTokenKeys, TokenKeySource};
use crate::service_manager::ServiceManager;

/// The parts of a running server that a reload changes.
pub struct Reloader {
    /// The settings that the server runs with.
    pub(in crate::server) running: Config,
    pub(in crate::server) service: Arc<Service>,
    pub(in crate::server) tls: TlsOfListeners,
    pub(in crate::server) api_keys: Arc<ApiKeys>,
    pub(in crate::server) token_keys: Arc<TokenKeySource>,
    pub(in crate::server) checks: RouteChecks,
    pub(in crate::server) places: CredentialPlaces,
    pub(in crate::server) status: Arc<ReloadStatus>,
}

/// A reload that was checked in full. Using it cannot fail.
struct Prepared {
    reload: Reload,
    certificates: NewCertificates,
    token_keys: NewTokenKeys,
}

impl Reloader {
    /// Reads the sources again and takes the settings over, or refuses them as a whole.
    pub(super) async fn reload(&mut self, load: &LoadAgain) {
        match self.prepare(load).await {
            Ok(prepared) => self.take_over(prepared),
            Err(mistakes) => self.refuse(&mistakes).await,
        }
    }

    async fn prepare(&self, load: &LoadAgain) -> Result<Prepared, Vec<Mistake>> {
        let (load, running, tls) = (load.clone(), self.running.clone(), self.tls.clone());
        // Not on a thread of the runtime: the disk may be slow.
        let read = tokio::task::spawn_blocking(move || read(&load, &running, &tls)).await;
        let (reload, certificates) = read.map_err(|error| one("reload", error))??;
        if reload.config.all_api_keys().is_empty() && !self.api_keys.has_generated_key() {
            let problem = "is missing, and api-keys too: the server would have no API key";
            return Err(one("admin-key", problem));
        }
        // Last, because it may write to the store.
        let token_keys = self.token_keys.prepare(reload.config.token_keys.clone(), &self.service).await;
        let token_keys = token_keys.map_err(|error| one("token-keys", error))?;
        Ok(Prepared { reload, certificates, token_keys })
    }

    fn take_over(&mut self, prepared: Prepared) {
        let Prepared { reload: Reload { config, mut changed, needs_restart }, certificates, token_keys } =
            prepared;
        self.token_keys.replace(token_keys, &self.service);
        self.api_keys.replace(config.all_api_keys());
        self.checks.replace(&config.checks);
        self.service.set_foreign_forms(config.foreign.clone());
        self.places.replace(&config);
        let replaced = certificates.replace();
        changed.extend(replaced.into_iter().filter(|name| !changed.contains(name)).collect::<Vec<_>>());
        logging::set_filter(config.log_level, config.audit_log);
        self.running = config;

        // Before the log: who has read there of the reload finds it in the status, too.
        self.status.succeed(self.service.clock().now_ms(), needs_restart.clone());
        for setting in needs_restart {
            tracing::warn!(setting, "setting not reloaded: it needs a restart");
        }
        self.api_keys.log_expiries();
        tracing::info!(changed = changed.join(","), "settings reloaded");
    }

    async fn refuse(&self, mistakes: &[Mistake]) {
        // The certificates are refused with the rest, until their files change again.
        let tls = self.tls.clone();
        let ignored =
            tokio::task::spawn_blocking(move || tls.all().for_each(|tls| tls.ignore_present_files()));
        // Fails only if it panicked.
        let _ = ignored.await;
        self.status.refuse(self.service.clock().now_ms(), mistakes.iter().map(|mistake| &*mistake.name));
        for Mistake { name, origin, problem } in mistakes {
            tracing::error!(setting = name, origin, problem, "setting refused");
        }
        tracing::error!(mistakes = mistakes.len(), "settings not reloaded: all running settings stay");
    }

    /// Replaces the certificates whose files have changed, without any other setting.
    pub(super) async fn replace_changed_certificates(&self) {
        let tls = self.tls.clone();
        let replaced =
            tokio::task::spawn_blocking(move || tls.all().for_each(|tls| tls.replace_if_changed()));
        // Fails only if it panicked.
        let _ = replaced.await;
    }
}

/// Reads the settings, and the certificates that they name.
fn read(
    load: &LoadAgain,
    running: &Config,
    tls: &TlsOfListeners,
) -> Result<(Reload, NewCertificates), Vec<Mistake>> {
    let new = load().map_err(|error| error.mistakes)?;
    let reload = Reload::new(running, &new);
    let mistake = |FileError { setting, problem }| Mistake::new(setting, "its file", problem);
    let certificates = tls.read(&reload.config);
    let certificates = certificates.map_err(|errors| errors.into_iter().map(mistake).collect::<Vec<_>>())?;
    Ok((reload, certificates))
}

fn one(name: &str, problem: impl ToString) -> Vec<Mistake> {
    vec![Mistake::new(name, "reload", problem.to_string())]
}

/// How often keys that expire soon are logged.
const EXPIRY_LOG_INTERVAL: Duration = Duration::from_secs(24 * 60 * 60);

/// Reloads the settings at each SIGHUP, reports it to the service manager, and replaces certificates whose files change within
/// [`RELOAD_INTERVAL`].
///
/// Signals that arrive during a reload cause one further reload, so the last content of the files always wins.
pub async fn reload_at_hangup(
    mut reloader: Reloader,
    mut hangup: Signal,
    load: LoadAgain,
    manager: ServiceManager,
) -> Infallible {
    loop {
        tokio::select! {
            biased;
            Some(()) = hangup.recv() => {
                manager.reloading().await;
                reloader.reload(&load).await;
                manager.ready().await;
            }
            () = sleep(RELOAD_INTERVAL) => reloader.replace_changed_certificates().await,
        }
    }
}

/// Logs the API keys that have expired or expire soon: now and daily.
pub async fn log_expiries(api_keys: Arc<ApiKeys>) -> Infallible {
    loop {
        api_keys.log_expiries();
        sleep(EXPIRY_LOG_INTERVAL).await;
    }
}
