//! The commands. A new command is a variant here and an arm in `cli/run.rs`.

use clap::{Args, CommandFactory as _, Parser, Subcommand};

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
    /// Compare the indexes in Redis with the records, and repair them
    ///
    /// Reads every key of every master by SCAN, at a pace that leaves room for traffic. Without --repair, it changes
    /// nothing. Exit codes: 0 no damage, or all of it repaired; 1 damage is left; 2 not all keys could be checked; 78 a
    /// mistake in the settings, or no Redis.
    Verify(VerifyArgs),
}

/// The options of `verify`.
#[derive(Args, Debug, PartialEq, Eq)]
pub struct VerifyArgs {
    /// Repair what is found
    #[arg(long)]
    pub repair: bool,
    /// Most keys and members to look at in a second
    #[arg(long, value_name = "N", default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    pub rate: u64,
    /// Show user names in examples
    #[arg(long)]
    pub show_users: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
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
