//! The worker that waits for reloads.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::Signal;
use tokio::time::sleep;

use super::reloader::Reloader;
use crate::config::LoadAgain;
use crate::files::RELOAD_INTERVAL;
use crate::server::admin::api_keys::ApiKeys;
use crate::service_manager::ServiceManager;

/// How often keys that expire soon are logged.
const EXPIRY_LOG_INTERVAL: Duration = Duration::from_secs(24 * 60 * 60);

/// Reloads the settings at each SIGHUP, reports it to the service manager, and replaces certificates whose files change within
/// [`RELOAD_INTERVAL`].
///
/// Signals that arrive during a reload cause one further reload, so the last content of the files always wins.
pub async fn run(
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
