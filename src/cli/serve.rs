//! `doorward` without a command: serves.

use std::error::Error;
use std::process::ExitCode;
use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};

use super::output::{FAILURE, fail, print_in_background};
use super::ready_message::ready_message;
use super::runtime::StopSignals;
use super::sources::Sources;
use crate::clock::Clock;
use crate::config::{Config, LoadError};
use crate::entropy::Entropy;
use crate::service_manager::ServiceManager;
use crate::{logging, server};

/// Serves until a signal stops the process. SIGHUP reloads the settings from `sources`.
pub(crate) fn serve(config: Config, sources: Sources) -> ExitCode {
    if let Err(error) = logging::start(config.log_level, config.audit_log, config.log_format) {
        return fail(&error, FAILURE);
    }
    let outcome = serve_logged(config, sources);
    logging::flush();
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err((error, code)) => fail(&error, code),
    }
}

/// Serves until a signal arrives.
///
/// # Errors
/// The cause and the exit code.
fn serve_logged(config: Config, sources: Sources) -> Result<(), (Box<dyn Error>, u8)> {
    let failure = |error: Box<dyn Error>| (error, FAILURE);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.map_err(|error| failure(error.into()))?;
    let outcome = runtime.block_on(async {
        // Before anything else: a signal during the start must not kill the process halfway.
        let signals = StopSignals::catch().map_err(|error| failure(error.into()))?;
        let hangup = signal(SignalKind::hangup()).map_err(|error| failure(error.into()))?;
        let (log_format, clock) = (config.log_format, Clock::system());
        let variable = |name: &str| sources.variable(name);
        let manager = ServiceManager::of_environment(variable, std::process::id(), clock.clone());
        let mut server = server::start(config, clock, Entropy::system()).await.map_err(|error| {
            let code = if error.is_of_settings() { LoadError::EXIT_CODE } else { FAILURE };
            (error.into(), code)
        })?;
        print_in_background(ready_message(&server, log_format)).map_err(|error| failure(error.into()))?;
        server.report_to(manager).await;
        server.reload_at(hangup, Arc::new(move || sources.read_again()));
        server.run(stopped(signals)).await.map_err(|error| failure(error.into()))
    });
    // A DNS look-up blocks its thread for as long as the resolver takes. The end does not wait for it.
    runtime.shutdown_background();
    outcome
}

/// Resolves at the first signal. A second signal ends the process at once.
async fn stopped(mut signals: StopSignals) {
    signals.next().await;
    tracing::info!("stopping");
    tokio::spawn(async move {
        signals.next().await;
        std::process::exit(FAILURE.into());
    });
}
