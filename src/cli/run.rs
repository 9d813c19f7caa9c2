//! Runs the command of a command line.

use std::ffi::OsString;
use std::io::{self, Read as _};
use std::process::ExitCode;

use super::healthcheck::request_readiness;
use super::output::{FAILURE, fail, print};
use super::serve::serve;
use crate::clock::Clock;
use crate::config::{Command, Config, LoadError, Sources, hash_key};
use crate::server::check_tls_files;
use crate::values::ApiKey;

/// An API key has at most 256 characters.
const MAX_INPUT_BYTES: u64 = 4096;

/// Runs a command line to its end.
pub fn run(
    args: impl IntoIterator<Item = OsString>,
    env: impl IntoIterator<Item = (OsString, OsString)>,
) -> ExitCode {
    let sources = Sources::new(args, env);
    match sources.load() {
        Ok(Command::Serve(config)) => serve(config, sources),
        Ok(Command::CheckConfig { config, report }) => match check_tls_files(&config) {
            Ok(()) => print(&(report + &expiry_warnings(&config, Clock::system().now_ms()))),
            Err(error) => fail(&error, LoadError::EXIT_CODE),
        },
        Ok(Command::Healthcheck(config)) => healthcheck(&config),
        Ok(Command::HashKey) => hash_key_on_stdin(),
        Ok(Command::Print(text)) => print(&text),
        Err(error) => fail(&error, LoadError::EXIT_CODE),
    }
}

fn healthcheck(config: &Config) -> ExitCode {
    match request_readiness(config) {
        Ok(status) if status.starts_with("HTTP/1.1 200") => ExitCode::SUCCESS,
        Ok(status) => fail(&format!("not ready: {}", status.trim_end()), FAILURE),
        Err(error) => fail(&format!("not reachable: {error}"), FAILURE),
    }
}

/// Returns a line for each API key that has expired or expires soon.
fn expiry_warnings(config: &Config, now_ms: u64) -> String {
    let warning = |key: &ApiKey| Some(format!("WARNING: {}: {key}\n", key.expiry_warning(now_ms)?));
    config.all_api_keys().iter().filter_map(warning).collect()
}

fn hash_key_on_stdin() -> ExitCode {
    let mut text = String::new();
    if let Err(error) = io::stdin().lock().take(MAX_INPUT_BYTES).read_to_string(&mut text) {
        return fail(&error, FAILURE);
    }
    match hash_key(&text) {
        Ok(hash) => print(&hash),
        Err(error) => fail(&error, LoadError::EXIT_CODE),
    }
}
