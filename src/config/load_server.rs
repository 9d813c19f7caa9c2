//! Makes the [`Config`] of a server from flags, the environment and the files that these name.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

use super::given::MergedTexts;
use super::load::is_file_complete;
use super::mistake::{LoadError, Mistake};
use super::report::report;
use super::setting_flags::SettingFlags;
use super::settings::Config;
use super::sources;
use super::text_file::ReadTextFile;

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

/// Loads the settings of a server. `mistakes` are the command line's; if one of them hides flags, `is_complete` is
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
