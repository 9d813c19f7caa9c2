//! Runs all checks.

use std::process::ExitCode;

use super::{file_checks, host_checks, output, store_checks};
use crate::cli::output::{FAILURE, print};
use crate::cli::runtime::run_to_end;
use crate::clock::Clock;
use crate::config::Loaded;

/// Checks the installation that these settings describe, and prints what was found. The exit code is 0 if nothing is at
/// fault.
pub(crate) fn doctor(loaded: &Loaded, as_json: bool) -> ExitCode {
    run_to_end(async {
        let (config, clock) = (&loaded.config, Clock::system());
        let mut checks = store_checks::run(config, &clock).await;
        checks.extend(file_checks::run(config, &clock));
        checks.extend(file_checks::of_secret_files(&loaded.secret_files()));
        checks.extend(host_checks::run(config).await);
        let printed = print(&if as_json { output::json(&checks) } else { output::text(&checks) });
        if output::is_healthy(&checks) { printed } else { ExitCode::from(FAILURE) }
    })
}
