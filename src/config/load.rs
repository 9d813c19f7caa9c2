//! Makes a [`Config`] from flags, the environment and the files that these name.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

use super::given::MergedTexts;
use super::mistake::{LoadError, Mistake};
use super::report::report;
use super::setting;
use super::setting_flags::SettingFlags;
use super::settings::Config;
use super::sources;
use super::text_file::{ReadTextFile, read_text_file};

/// The settings of a server, and where each was given.
pub struct Loaded {
    /// The settings.
    pub config: Config,
    texts: MergedTexts,
}

/// Without the texts, which hold secrets.
impl fmt::Debug for Loaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loaded").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Loaded {
    /// Returns every setting and its origin, without secrets: the output of `check-config`.
    pub fn report(&self) -> String {
        report(&self.texts, &self.config)
    }

    /// Returns the settings of which values were read from files of their own, and these files. They hold secrets.
    pub fn secret_files(&self) -> Vec<(&'static str, PathBuf)> {
        self.texts.files().iter().cloned().chain(self.config.secret_files()).collect()
    }
}

/// Loads the settings of a server. `mistakes` are those of the command line; if one of them hides flags, `is_complete` is
/// false, and no setting is called missing or inconsistent.
///
/// # Errors
/// All mistakes at once.
pub(crate) fn load_server(
    flags: SettingFlags,
    is_complete: bool,
    mut mistakes: Vec<Mistake>,
    env: impl IntoIterator<Item = (OsString, OsString)>,
    read_file: ReadTextFile<'_>,
) -> Result<Loaded, LoadError> {
    mistakes.extend(flags.mistakes);
    let texts = sources::merge(flags.texts, env, read_file, &mut mistakes);
    let are_sources_complete = is_complete && is_file_complete(&mistakes);
    let mut config = Config::from_texts(&texts, &mut mistakes);
    config.read_secret_files(&texts, read_file, &mut mistakes);
    if are_sources_complete {
        config.require_api_key(&texts, &mut mistakes);
        config.check_consistency(&texts, &mut mistakes);
    }
    if mistakes.is_empty() { Ok(Loaded { config, texts }) } else { Err(LoadError { mistakes }) }
}

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
fn is_file_complete(mistakes: &[Mistake]) -> bool {
    mistakes.iter().all(|mistake| mistake.name != setting::CONFIG.name)
}
