//! The commands. A new command is a variant here and an arm in `cli/run.rs`.

use clap::{CommandFactory as _, Parser, Subcommand};

use crate::config::SettingFlags;

/// Session token server.
///
/// Without a command, it serves: `doorward` and `doorward serve` are the same.
#[derive(Debug, Parser)]
#[command(name = "doorward", version)]
pub struct CommandLine {
    #[command(subcommand)]
    pub(super) verb: Option<Verb>,
}

/// A command.
#[derive(Debug, Subcommand)]
pub enum Verb {
    #[command(flatten)]
    #[allow(missing_docs)] // a doc comment would become a help text
    Server(ServerVerb),
    #[command(flatten)]
    #[allow(missing_docs)] // as above
    Client(ClientVerb),
}

/// A command that works with the settings of a server. It takes all of them as flags.
#[derive(Debug, PartialEq, Eq, Subcommand)]
pub enum ServerVerb {
    /// Serve until a signal arrives; the same as no command
    Serve,
    /// Check all settings and print them without secrets
    CheckConfig,
    /// Ask the running server whether it is ready
    Healthcheck,
}

/// A command that needs no settings of a server.
#[derive(Debug, PartialEq, Eq, Subcommand)]
pub enum ClientVerb {
    /// Read an API key from standard input and print its hash
    HashKey,
}

const AFTER_HELP: &str = "--help lists all settings. `doorward help COMMAND` describes a command.";

/// Returns the whole command line for clap.
pub fn command() -> clap::Command {
    let command = CommandLine::command().mut_subcommands(|verb| {
        if ServerVerb::has_subcommand(verb.get_name()) { SettingFlags::add_to(verb) } else { verb }
    });
    SettingFlags::add_to(command).after_help(AFTER_HELP)
}
