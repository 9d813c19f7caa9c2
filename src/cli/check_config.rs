//! `doorward check-config`.

use std::process::ExitCode;

use super::output::{fail, print};
use crate::clock::Clock;
use crate::config::{Config, LoadError, Loaded};
use crate::server::check_tls_files;
use crate::values::ApiKey;

/// Checks the files that the settings name, and prints the settings with warnings.
pub(crate) fn check_config(loaded: &Loaded) -> ExitCode {
    match check_tls_files(&loaded.config) {
        Ok(()) => print(&(loaded.report() + &expiry_warnings(&loaded.config, Clock::system().now_ms()))),
        Err(error) => fail(&error, LoadError::EXIT_CODE),
    }
}

/// Returns a line for each API key that has expired or expires soon.
fn expiry_warnings(config: &Config, now_ms: u64) -> String {
    let warning = |key: &ApiKey| Some(format!("WARNING: {}: {key}\n", key.expiry_warning(now_ms)?));
    config.all_api_keys().iter().filter_map(warning).collect()
}
