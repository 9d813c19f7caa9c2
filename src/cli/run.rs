//! Runs the command of a command line.

use std::ffi::OsString;
use std::process::ExitCode;

use super::admin::{self, Environment};
use super::command_line::{ClientVerb, Invocation, ServerVerb, command, read};
use super::commands::{completions, events, hash_key, man, new_key, stats, takeover, token, user};
use super::healthcheck::healthcheck;
use super::output::{fail, print};
use super::serve::serve;
use super::show::Output;
use crate::config::{LoadError, Loaded};
use crate::entropy::Entropy;
use crate::server::check_tls_files;

/// Runs a command line to its end.
pub fn run(
    args: impl IntoIterator<Item = OsString>,
    env: impl IntoIterator<Item = (OsString, OsString)>,
) -> ExitCode {
    let env: Vec<_> = env.into_iter().collect();
    match read(args, env.iter().cloned()) {
        Ok(Invocation::Print(text)) => print(&text),
        Ok(Invocation::Server(verb, loaded)) => with_settings(verb, *loaded),
        Ok(Invocation::Client(verb)) => without_settings(&verb, &Environment::of(env)),
        Err(error) => fail(&error, LoadError::EXIT_CODE),
    }
}

fn with_settings(verb: ServerVerb, loaded: Loaded) -> ExitCode {
    match verb {
        ServerVerb::Serve => serve(loaded.config),
        ServerVerb::CheckConfig => match check_tls_files(&loaded.config) {
            Ok(()) => print(&loaded.report()),
            Err(error) => fail(&error, LoadError::EXIT_CODE),
        },
        ServerVerb::Healthcheck => healthcheck(&loaded.config),
    }
}

fn without_settings(verb: &ClientVerb, env: &Environment) -> ExitCode {
    match verb {
        ClientVerb::Token(line) => admin::run(&line.admin, env, async |client, output| {
            token::run(client, output, &line.command).await
        }),
        ClientVerb::User(line) => admin::run(&line.admin, env, async |client, output| {
            user::run(client, output, &line.command).await
        }),
        ClientVerb::Takeover(line) => admin::run(&line.admin, env, async |client, output| {
            takeover::run(client, output, &line.command).await
        }),
        ClientVerb::Events(which) => {
            admin::run(&which.admin, env, async |client, output| events::run(client, output, which).await)
        }
        ClientVerb::Stats(show) => {
            admin::run(&show.admin, env, async |client, output| stats::run(client, output, show).await)
        }
        ClientVerb::HashKey => hash_key::run(),
        ClientVerb::NewKey(new) => {
            let output = if new.json { Output::Json } else { Output::Text };
            match new_key::run(new, output, &Entropy::system()) {
                Ok(()) => ExitCode::SUCCESS,
                Err(failure) => failure.report(new.json),
            }
        }
        ClientVerb::Completions { shell } => completions::run(*shell, command()),
        ClientVerb::Man { dir } => man::run(dir.as_deref(), command()),
    }
}
