//! The commands. A new command is a variant here and an arm in `cli/run.rs`.

use std::path::PathBuf;

use clap::{CommandFactory as _, Parser, Subcommand};

use crate::cli::admin::{AdminFlags, WithAdmin};
use crate::cli::commands::completions::CompletionShell;
use crate::cli::commands::cutoff::CutoffCommand;
use crate::cli::commands::device::DeviceCommand;
use crate::cli::commands::events::FollowEvents;
use crate::cli::commands::import::ImportSessions;
use crate::cli::commands::new_key::NewKey;
use crate::cli::commands::stats::ShowStats;
use crate::cli::commands::takeover::TakeoverCommand;
use crate::cli::commands::token::TokenCommand;
use crate::cli::commands::user::UserCommand;
use crate::cli::verify::args::VerifyArgs;
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
    Client(Box<ClientVerb>),
}

/// A command that works with the settings of a server. It takes all of them as flags.
#[derive(Debug, PartialEq, Eq, Subcommand)]
pub enum ServerVerb {
    /// Serve until a signal arrives; the same as no command
    Serve,
    /// Check all settings and print them without secrets
    CheckConfig,
    /// Ask the running server whether it is ready
    Healthcheck {
        /// Process id of the server: ask with the flags and variables that it was started with. Ignored if this is not the
        /// process of a server, as with an init process in a container
        #[arg(long, value_name = "PID")]
        pid: Option<u32>,
    },
    /// Compare the indexes in Redis with the records, and repair them
    ///
    /// Reads every key of every master by SCAN, at a pace that leaves room for traffic. Without --repair, it changes
    /// nothing. Exit codes: 0 no damage, or all of it repaired; 1 damage is left; 2 not all keys could be checked; 78 a
    /// mistake in the settings, or no Redis.
    Verify(VerifyArgs),
    /// Check the store, files, addresses and limits, and say what to do about each fault
    Doctor {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// A command that needs no settings of a server.
#[derive(Debug, Subcommand)]
pub enum ClientVerb {
    /// Issue, show, revoke and rotate tokens
    Token(WithAdmin<TokenCommand>),
    /// List, revoke and erase what a user has
    User(WithAdmin<UserCommand>),
    /// Give a device key a new login token
    Device(WithAdmin<DeviceCommand>),
    /// Start and end takeovers
    Takeover(WithAdmin<TakeoverCommand>),
    /// Set, remove and list cut-offs: refuse all tokens issued before a time
    Cutoff(WithAdmin<CutoffCommand>),
    /// Follow the events of all users as they happen
    Events(FollowEvents),
    /// Import the sessions of another system
    ///
    /// Reads one JSON object per line from standard input: the records of POST /v1/import. Plaintext tokens are hashed
    /// here and never sent. Importing again is safe: after an interruption, repeat the command, or go on with the line
    /// that it names.
    Import(ImportSessions),
    /// Show a node at a glance: figures, masters, faults
    Stats(ShowStats),
    /// List all nodes of the store: state, faults, figures
    Nodes {
        #[command(flatten)]
        #[allow(missing_docs)] // as above
        admin: AdminFlags,
    },
    /// Read an API key from standard input and print its hash
    HashKey,
    /// Make a random key and the line for api-keys
    NewKey(NewKey),
    /// Print the completions of a shell
    Completions {
        /// Shell
        shell: CompletionShell,
    },
    /// Print the manual page
    Man {
        /// Write the pages of all commands into this directory
        #[arg(long, value_name = "PATH")]
        dir: Option<PathBuf>,
    },
}

const AFTER_HELP: &str = "--help lists all settings. `doorward help COMMAND` describes a command.";

/// The flags of the commands that are no server's.
const EXIT_CODES: &str = "Exit codes: 0 done; 1 failed: refused, not found or unreachable, as standard error says;\n\
                          78 wrong usage or configuration: nothing was sent.";

/// Returns the whole command line for clap.
pub fn command() -> clap::Command {
    let command = CommandLine::command().mut_subcommands(|verb| {
        if ServerVerb::has_subcommand(verb.get_name()) { SettingFlags::add_to(verb) } else { client(verb) }
    });
    SettingFlags::add_to(command).after_help(AFTER_HELP)
}

/// Adds what all commands of the client have.
fn client(verb: clap::Command) -> clap::Command {
    verb.arg_required_else_help(false).after_long_help(EXIT_CODES).mut_subcommands(client)
}
