//! The secrets that tables name by their files: the secrets of foreign forms and of further cookies.

use std::path::{Path, PathBuf};

use super::given::MergedTexts;
use super::mistake::Mistake;
use super::parse::list::LINE_ENDS;
use super::settings::Config;
use super::text_file::ReadTextFile;
use crate::foreign::form::MAX_SECRETS;
use crate::values::SecretString;

/// A table that may name a file with secrets.
struct Place<'a> {
    setting: &'static str,
    name: &'a str,
    file: Option<&'a Path>,
    secrets: &'a mut Vec<SecretString>,
}

impl Config {
    /// Returns the secret files of all tables, each with the setting that names it.
    pub(crate) fn secret_files(&self) -> impl Iterator<Item = (&'static str, PathBuf)> {
        let of_forms = self.foreign.iter().map(|form| ("foreign", &form.secret_file));
        let of_cookies = self.further_cookies.iter().map(|cookie| ("further-cookies", &cookie.secret_file));
        of_forms.chain(of_cookies).filter_map(|(setting, file)| Some((setting, file.clone()?)))
    }

    /// Reads the secret file of each table. Mistakes do not repeat the path: the secret itself may stand in its
    /// place.
    pub(crate) fn read_secret_files(
        &mut self,
        texts: &MergedTexts,
        read_file: ReadTextFile<'_>,
        mistakes: &mut Vec<Mistake>,
    ) {
        for Place { setting, name, file, secrets } in self.places_of_secrets() {
            let Some(path) = file else { continue };
            match secrets_in(path, read_file) {
                Ok(read) => *secrets = read,
                Err(problem) => {
                    let problem = format!("has a mistake in the secret-file of {name}: {problem}");
                    mistakes.push(Mistake::new(setting, texts.origin(setting), problem));
                }
            }
        }
    }

    fn places_of_secrets(&mut self) -> impl Iterator<Item = Place<'_>> {
        let of_forms = self.foreign.iter_mut().map(|form| Place {
            setting: "foreign",
            name: &form.name,
            file: form.secret_file.as_deref(),
            secrets: &mut form.secrets,
        });
        let of_cookies = self.further_cookies.iter_mut().map(|cookie| Place {
            setting: "further-cookies",
            name: &cookie.name,
            file: cookie.secret_file.as_deref(),
            secrets: &mut cookie.secrets,
        });
        of_forms.chain(of_cookies)
    }
}

/// Returns the secrets of a file, one per line, without blank lines. Other white space is part of a secret.
fn secrets_in(path: &Path, read_file: ReadTextFile<'_>) -> Result<Vec<SecretString>, String> {
    let content = read_file(path).map_err(|error| format!("cannot read the file it names: {error}"))?;
    // An editor's byte order mark is not part of a secret.
    let lines = content.strip_prefix('\u{feff}').unwrap_or(&content).split(LINE_ENDS);
    let secrets: Vec<_> = lines.filter(|line| !line.trim().is_empty()).map(SecretString::new).collect();
    match secrets.len() {
        0 => Err("the file it names is empty".into()),
        count if count > MAX_SECRETS => Err(format!("the file it names has more than {MAX_SECRETS} secrets")),
        _ => Ok(secrets),
    }
}
