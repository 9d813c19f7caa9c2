//! Runs the command of a command line.

use std::ffi::OsString;
use std::process::ExitCode;

use super::admin::{self, Environment};
use super::check_config::check_config;
use super::command_line::{ClientVerb, Invocation, ServerVerb, command};
use super::commands::{
    completions, cutoff, device, events, hash_key, import, man, new_key, nodes, stats, takeover, token, user,
};
use super::doctor::output::doctor;
use super::healthcheck::healthcheck;
use super::output::{fail, print};
use super::serve::serve;
use super::sources::Sources;
use super::verify::command::verify;
use crate::config::{LoadError, Loaded};
use crate::entropy::Entropy;

/// Runs a command line to its end.
pub fn run(
    args: impl IntoIterator<Item = OsString>,
    env: impl IntoIterator<Item = (OsString, OsString)>,
) -> ExitCode {
    let sources = Sources::new(args, env);
    match sources.read() {
        Ok(Invocation::Print(text)) => print(&text),
        Ok(Invocation::Server(verb, loaded)) => with_settings(verb, *loaded, sources),
        Ok(Invocation::Client(verb)) => without_settings(&verb, &Environment::of(sources.into_env())),
        Err(error) => fail(&error, LoadError::EXIT_CODE),
    }
}

fn with_settings(verb: ServerVerb, loaded: Loaded, sources: Sources) -> ExitCode {
    match verb {
        ServerVerb::Serve => serve(loaded.config, sources),
        ServerVerb::CheckConfig => check_config(&loaded),
        ServerVerb::Healthcheck { pid } => {
            healthcheck(&pid.and_then(settings_of_process).unwrap_or(loaded).config)
        }
        ServerVerb::Doctor { json } => doctor(&loaded, json),
        ServerVerb::Verify(args) => verify(&loaded.config, &args),
    }
}

/// Returns the settings with which a process serves, or `None` if it is not a server whose settings can be read.
fn settings_of_process(pid: u32) -> Option<Loaded> {
    match Sources::of_process(pid).ok()?.read() {
        Ok(Invocation::Server(ServerVerb::Serve, loaded)) => Some(*loaded),
        _ => None,
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
        ClientVerb::Device(line) => admin::run(&line.admin, env, async |client, output| {
            device::run(client, output, &line.command).await
        }),
        ClientVerb::Takeover(line) => admin::run(&line.admin, env, async |client, output| {
            takeover::run(client, output, &line.command).await
        }),
        ClientVerb::Cutoff(line) => admin::run(&line.admin, env, async |client, output| {
            cutoff::run(client, output, &line.command).await
        }),
        ClientVerb::Events(which) => {
            admin::run(&which.admin, env, async |client, output| events::run(client, output, which).await)
        }
        ClientVerb::Import(sessions) => admin::run(&sessions.admin, env, async |client, output| {
            import::run(client, output, sessions).await
        }),
        ClientVerb::Stats(show) => {
            admin::run(&show.admin, env, async |client, output| stats::run(client, output, show).await)
        }
        ClientVerb::Nodes { admin } => {
            admin::run(admin, env, async |client, output| nodes::run(client, output).await)
        }
        ClientVerb::HashKey => hash_key::run(),
        ClientVerb::NewKey(new) => new_key::run(new, &Entropy::system()),
        ClientVerb::Completions { shell } => completions::run(*shell, command()),
        ClientVerb::Man { dir } => man::run(dir.as_deref(), command()),
    }
}
