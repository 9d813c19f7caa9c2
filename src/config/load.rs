//! Makes the [`Config`] of a node in process from the environment and the files that it names.

use std::ffi::OsString;

use super::mistake::{LoadError, Mistake};
use super::setting;
use super::settings::Config;
use super::sources;
use super::text_file::read_text_file;

/// Loads the settings of a node in process, from environment variables and the files that they name. The rules are those
/// of the server, but no API key is required. Variables without the prefix `DOORWARD_` are ignored.
///
/// # Errors
/// All mistakes at once.
pub fn load_node(env: impl IntoIterator<Item = (OsString, OsString)>) -> Result<Config, LoadError> {
    let mut mistakes = Vec::new();
    let texts = sources::merge(Default::default(), env, &read_text_file, &mut mistakes);
    let is_complete = is_file_complete(&mistakes);
    let mut config = Config::from_texts(&texts, &mut mistakes);
    config.read_secret_files(&texts, &read_text_file, &mut mistakes);
    if is_complete {
        config.check_consistency(&texts, &mut mistakes);
    }
    if mistakes.is_empty() { Ok(config) } else { Err(LoadError { mistakes }) }
}

/// Returns whether the TOML file could be read: only then can a setting be called missing or inconsistent. A mistake about
/// the whole file has the name of its setting.
pub(super) fn is_file_complete(mistakes: &[Mistake]) -> bool {
    mistakes.iter().all(|mistake| mistake.name != setting::CONFIG.name)
}
