//! Runs the command of a command line.

use std::ffi::OsString;
use std::io::{self, Read as _};
use std::process::ExitCode;

use super::command_line::{ClientVerb, Invocation, ServerVerb, read};
use super::healthcheck::healthcheck;
use super::output::{FAILURE, fail, print};
use super::serve::serve;
use crate::config::{LoadError, Loaded, hash_key};
use crate::server::check_tls_files;

/// An API key has at most 256 characters.
const MAX_INPUT_BYTES: u64 = 4096;

/// Runs a command line to its end.
pub fn run(
    args: impl IntoIterator<Item = OsString>,
    env: impl IntoIterator<Item = (OsString, OsString)>,
) -> ExitCode {
    match read(args, env) {
        Ok(Invocation::Print(text)) => print(&text),
        Ok(Invocation::Server(verb, loaded)) => run_with_settings(verb, *loaded),
        Ok(Invocation::Client(verb)) => match verb {
            ClientVerb::HashKey => hash_key_on_stdin(),
        },
        Err(error) => fail(&error, LoadError::EXIT_CODE),
    }
}

fn run_with_settings(verb: ServerVerb, loaded: Loaded) -> ExitCode {
    match verb {
        ServerVerb::Serve => serve(loaded.config),
        ServerVerb::CheckConfig => match check_tls_files(&loaded.config) {
            Ok(()) => print(&loaded.report()),
            Err(error) => fail(&error, LoadError::EXIT_CODE),
        },
        ServerVerb::Healthcheck => healthcheck(&loaded.config),
    }
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
