//! Runs a command against the admin plane.

use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::client::AdminClient;
use super::environment::Environment;
use super::failure::Failure;
use super::flags::AdminFlags;
use crate::cli::output::fail;
use crate::cli::runtime::run_to_end;
use crate::cli::show::Output;
use crate::config::LoadError;

/// A command with sub-commands that all call the admin plane.
#[derive(Debug, Args)]
pub struct WithAdmin<T: Subcommand> {
    #[command(subcommand)]
    pub(crate) command: T,
    #[command(flatten)]
    pub(crate) admin: AdminFlags,
}

/// Runs a command to its end, and reports its failure.
pub fn run(
    flags: &AdminFlags,
    env: &Environment,
    command: impl AsyncFnOnce(&AdminClient, Output) -> Result<(), Failure>,
) -> ExitCode {
    let client = match flags.client(env) {
        Ok(client) => client,
        Err(error) => return fail(&error, LoadError::EXIT_CODE),
    };
    let output = if flags.json { Output::Json } else { Output::Text };
    run_to_end(async {
        match command(&client, output).await {
            Ok(()) => ExitCode::SUCCESS,
            Err(failure) => failure.report(flags.json),
        }
    })
}
