//! Makes a [`Config`] from the command line, the environment and the files that these name.

use std::collections::BTreeMap;
use std::ffi::OsString;

use super::command_line::{self, CommandLine, Verb};
use super::mistake::{LoadError, Mistake};
use super::report::report;
use super::setting;
use super::settings::Config;
use super::sources;
use super::text_file::{ReadTextFile, read_text_file};

/// The command of the command line, with the settings that it needs.
#[derive(Debug)]
pub enum Command {
    /// Serve.
    Serve(Config),
    /// Check the settings and print them.
    CheckConfig {
        /// The settings.
        config: Config,
        /// The text to print: every setting and its origin, without secrets.
        report: String,
    },
    /// Ask the server with these settings whether it is ready.
    Healthcheck(Config),
    /// Read an API key from standard input and print its hash: [`hash_key`](super::hash_key).
    HashKey,
    /// Print this text: the help or the version.
    Print(String),
}

/// Loads the settings of a server. `args` starts with the program's name.
///
/// # Errors
/// All mistakes at once.
pub fn load(
    args: impl IntoIterator<Item = OsString>,
    env: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Command, LoadError> {
    load_with(args, env, &read_text_file)
}

/// [`load`] with another way to read files, for tests and fuzz targets.
///
/// # Errors
/// See [`load`].
pub fn load_with(
    args: impl IntoIterator<Item = OsString>,
    env: impl IntoIterator<Item = (OsString, OsString)>,
    read_file: ReadTextFile<'_>,
) -> Result<Command, LoadError> {
    let mut mistakes = Vec::new();
    let (verb, flags, is_complete) = match command_line::parse(args, &mut mistakes) {
        CommandLine::Print(text) => return Ok(Command::Print(text)),
        CommandLine::Run { verb, flags, is_complete } => (verb, flags, is_complete),
    };
    // The first key is made before there are any settings.
    if verb == Verb::HashKey && mistakes.is_empty() {
        return Ok(Command::HashKey);
    }
    let texts = sources::merge(flags, env, read_file, &mut mistakes);
    let are_sources_complete = is_complete && is_file_complete(&mistakes);
    let config = Config::from_texts(&texts, &mut mistakes);
    if are_sources_complete {
        config.require_api_key(&texts, &mut mistakes);
        config.check_consistency(&texts, &mut mistakes);
    }
    if !mistakes.is_empty() {
        return Err(LoadError { mistakes });
    }
    Ok(match verb {
        Verb::Serve => Command::Serve(config),
        Verb::CheckConfig => Command::CheckConfig { report: report(&texts, &config), config },
        Verb::Healthcheck => Command::Healthcheck(config),
        Verb::HashKey => Command::HashKey,
    })
}

/// Loads the settings of a node in process, from environment variables and the files that they name. The rules are those
/// of the server, but no API key is required. Variables without the prefix `DOORWARD_` are ignored.
///
/// # Errors
/// All mistakes at once.
pub fn load_node(env: impl IntoIterator<Item = (OsString, OsString)>) -> Result<Config, LoadError> {
    let mut mistakes = Vec::new();
    let texts = sources::merge(BTreeMap::new(), env, &read_text_file, &mut mistakes);
    let is_complete = is_file_complete(&mistakes);
    let config = Config::from_texts(&texts, &mut mistakes);
    if is_complete {
        config.check_consistency(&texts, &mut mistakes);
    }
    if mistakes.is_empty() { Ok(config) } else { Err(LoadError { mistakes }) }
}

/// Returns whether the TOML file could be read: only then can a setting be called missing or inconsistent. A mistake about
/// the whole file has the name of its setting.
fn is_file_complete(mistakes: &[Mistake]) -> bool {
    mistakes.iter().all(|mistake| mistake.name != setting::CONFIG.name)
}
