//! The settings: where they come from, and the typed [`Config`] they make.
//!
//! A flag beats an environment variable, which beats the TOML file, which beats the default. All mistakes are
//! told at once, each by the setting's name and where its value came from; secrets are never repeated.
//!
//! - `settings`: the one table of names, defaults and help
//! - `sources`, `toml_file`, `command_line`: from flags, variables and the file to texts
//! - `parse`, `checks`, `types`, `redis_url`: from texts to values
//! - `together`: what settings demand of each other
//! - `report`: what `check-config` prints

pub mod checks;
pub mod command_line;
pub mod definition;
pub mod given;
pub mod list;
pub mod mistake;
pub mod parse;
pub mod read_file;
pub mod report;
pub mod settings;
pub mod sources;
#[cfg(test)]
pub mod tests;
pub mod together;
pub mod toml_file;

pub use self::definition::{Config, LIFETIME_MS, MAX_AGE_MS, MAX_ENTRIES, Reader};
pub use self::mistake::{LoadError, Mistake, quoted};
pub(crate) use self::read_file::ReadFile;
use std::collections::BTreeMap;
use std::ffi::OsString;

use self::command_line::{CommandLine, Verb};

pub use crate::values::{
    ApiKey, Cookie, ListenAddr, LogFormat, LogLevel, Node, RedisUrl, RenewalStep, SameSite, Scope, Scopes,
    SecretString, StoreUrl, TlsPaths, Topology, TrustedProxies,
};

/// What the command line asks for.
#[derive(Debug)]
pub enum Command {
    /// Serve.
    Serve(Config),
    /// Say that the settings are good.
    CheckConfig {
        /// The settings.
        config: Config,
        /// The text to print: every setting, where it came from, secrets left out.
        report: String,
    },
    /// Ask the server with these settings whether it is ready.
    Healthcheck(Config),
    /// Read an API key from standard input and print what [`hash_key`] gives.
    HashKey,
    /// Print this: the help or the version.
    Print(String),
}

/// Makes the settings out of the command line (with the program's name first), the environment and the files
/// these name.
///
/// # Errors
/// Every mistake in them at once.
pub fn load(
    args: impl IntoIterator<Item = OsString>,
    env: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Command, LoadError> {
    load_with(args, env, &sources::read_file)
}

/// Makes the settings of a node without listeners out of the environment and the files it names. The rules are those of
/// the server, but no API key is needed.
///
/// # Errors
/// Every mistake in them at once.
pub fn load_node(env: impl IntoIterator<Item = (OsString, OsString)>) -> Result<Config, LoadError> {
    load_node_with(env, &sources::read_file)
}

fn load_node_with(
    env: impl IntoIterator<Item = (OsString, OsString)>,
    read_file: ReadFile<'_>,
) -> Result<Config, LoadError> {
    let mut mistakes = Vec::new();
    let values = sources::gather(BTreeMap::new(), env, read_file, &mut mistakes);
    let config = Config::from_values(&values, &mut mistakes);
    if is_file_whole(&mistakes) {
        config.check_together(&values, &mut mistakes);
    }
    if mistakes.is_empty() { Ok(config) } else { Err(LoadError { mistakes }) }
}

/// [`load`] with a reader of files, for tests and fuzz targets.
///
/// # Errors
/// As [`load`].
pub fn load_with(
    args: impl IntoIterator<Item = OsString>,
    env: impl IntoIterator<Item = (OsString, OsString)>,
    read_file: ReadFile<'_>,
) -> Result<Command, LoadError> {
    let mut mistakes = Vec::new();
    let (verb, flags, is_whole) = match command_line::parse(args, &mut mistakes) {
        CommandLine::Print(text) => return Ok(Command::Print(text)),
        CommandLine::Run { verb, flags, is_whole } => (verb, flags, is_whole),
    };
    // Whoever makes the first key has no settings yet.
    if verb == Verb::HashKey && mistakes.is_empty() {
        return Ok(Command::HashKey);
    }
    let values = sources::gather(flags, env, read_file, &mut mistakes);
    let are_sources_whole = is_whole && is_file_whole(&mistakes);
    let config = Config::from_values(&values, &mut mistakes);
    if are_sources_whole {
        config.token_keys(&values, &mut mistakes);
        config.check_together(&values, &mut mistakes);
    }
    if !mistakes.is_empty() {
        return Err(LoadError { mistakes });
    }
    Ok(match verb {
        Verb::Serve => Command::Serve(config),
        Verb::CheckConfig => {
            let report = report::report(&values, &config);
            Command::CheckConfig { config, report }
        }
        Verb::Healthcheck => Command::Healthcheck(config),
        Verb::HashKey => Command::HashKey,
    })
}

/// Whether the file could be read. With a source in pieces, what is missing or clashes may be right in the rest of it.
fn is_file_whole(mistakes: &[Mistake]) -> bool {
    // What is wrong with the file as a whole has its setting's name.
    mistakes.iter().all(|mistake| mistake.name != settings::CONFIG.name)
}

/// The hash of an API key, as `api-keys` takes it. A newline after the key is left out.
///
/// # Errors
/// When the text cannot be an API key, with a sentence that does not repeat it.
pub fn hash_key(text: &str) -> Result<String, String> {
    let key = parse::api_key_text(text.trim_end_matches(['\r', '\n']));
    let key = key.map_err(|problem| format!("the text on standard input {problem}"))?;
    Ok(blake3::Hash::from_bytes(ApiKey::hash_of(key.as_bytes())).to_hex().to_string())
}
