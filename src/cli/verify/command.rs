//! Runs the verification, and decides its exit code.

use std::process::ExitCode;

use super::args::VerifyArgs;
use super::{display, output};
use crate::cli::output::{FAILURE, fail, print};
use crate::cli::runtime::{StopSignals, run_to_end};
use crate::clock::Clock;
use crate::config::{Config, LoadError};
use crate::node::start_up::open_store;
use crate::store::Store;
use crate::store::redis::RedisStore;
use crate::store::redis::verification::progress::{VerifyOptions, VerifyProgress};
use crate::store::redis::verification::report::VerificationReport;
use crate::store::report::FaultKind;

/// The exit code if not all keys were checked.
const INCOMPLETE: u8 = 2;

const EMBEDDED: &str = "verify: the embedded store has no indexes that could be damaged: set redis-url";

/// Verifies the store of these settings.
pub(crate) fn verify(config: &Config, args: &VerifyArgs) -> ExitCode {
    let clock = Clock::system();
    let store = match open_store(config, &clock) {
        Ok(Store::Memory(_)) => return fail(&EMBEDDED, LoadError::EXIT_CODE),
        Ok(Store::Redis(store)) => store,
        Err(error) => return fail(&error, LoadError::EXIT_CODE),
    };
    run_to_end(async {
        match run(&store, &clock, args).await {
            Ok(report) => {
                let printed = print(&output::text(&report, args));
                match exit_code(&report) {
                    0 => printed,
                    code => ExitCode::from(code),
                }
            }
            Err(error) => fail(&format!("verify: {error}"), INCOMPLETE),
        }
    })
}

/// Damage that is left counts more than keys that were left out.
fn exit_code(report: &VerificationReport) -> u8 {
    match (report.damage_left(), report.incomplete.is_empty()) {
        (1.., _) => FAILURE,
        (0, false) => INCOMPLETE,
        (0, true) => 0,
    }
}

async fn run(store: &RedisStore, clock: &Clock, args: &VerifyArgs) -> Result<VerificationReport, String> {
    // Changes nothing, and learns the store's time.
    let examined = store.examine_thoroughly().await;
    // A store that may evict can be verified all the same.
    let mut faults = examined.faults.iter().filter(|fault| fault.kind.is_fatal());
    if let Some(fault) = faults.find(|fault| fault.kind != FaultKind::Eviction) {
        return Err(format!(
            "{}: {}: {}\n  fix: {}",
            fault.server,
            fault.kind.message(),
            fault.cause,
            fault.fix
        ));
    }
    let options = VerifyOptions { repairs: args.repair, rate: args.rate, shows_users: args.show_users };
    let progress = VerifyProgress::default();
    let outcome = tokio::select! {
        outcome = store.verify(options, &progress, clock.now_ms()) => outcome,
        never = display::show(&progress) => match never {},
        never = stop_at_signal(&progress) => match never? {},
    };
    outcome.map_err(|error| error.to_string())
}

/// Stops the run at the first SIGINT or SIGTERM: what was seen is reported. A second signal ends the process at once.
async fn stop_at_signal(progress: &VerifyProgress) -> Result<std::convert::Infallible, String> {
    let mut signals = StopSignals::catch().map_err(|error| error.to_string())?;
    loop {
        signals.next().await;
        if progress.is_stopped() {
            std::process::exit(INCOMPLETE.into());
        }
        progress.stop();
    }
}
