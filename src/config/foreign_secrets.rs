//! The secrets of the forms of foreign token strings, from their files.

use std::path::Path;

use super::given::MergedTexts;
use super::mistake::Mistake;
use super::parse::list::LINE_ENDS;
use super::settings::Config;
use super::text_file::ReadTextFile;
use crate::foreign::form::MAX_SECRETS;
use crate::values::SecretString;

impl Config {
    /// Reads the secret file of each form. Mistakes do not repeat the path: somebody may have written the secret itself in
    /// its place.
    pub(crate) fn read_foreign_secrets(
        &mut self,
        texts: &MergedTexts,
        read_file: ReadTextFile<'_>,
        mistakes: &mut Vec<Mistake>,
    ) {
        for form in &mut self.foreign {
            let Some(path) = &form.secret_file else { continue };
            match secrets(path, read_file) {
                Ok(secrets) => form.secrets = secrets,
                Err(problem) => {
                    let problem = format!("has a mistake in the secret-file of {}: {problem}", form.name);
                    mistakes.push(Mistake::new("foreign", texts.origin("foreign"), problem));
                }
            }
        }
    }
}

/// Returns the secrets of a file, one per line, without blank lines. Other white space is part of a secret.
fn secrets(path: &Path, read_file: ReadTextFile<'_>) -> Result<Vec<SecretString>, String> {
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
