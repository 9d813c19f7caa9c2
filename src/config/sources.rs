//! Merges the sources: for each setting, the text of the strongest source that gives it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::given::{GivenText, GivenTexts, MergedTexts};
use super::mistake::Mistake;
use super::parse::list::{LINE_ENDS, items};
use super::setting::CONFIG;
use super::text_file::ReadTextFile;
use super::{environment, settings, toml_file};

/// Collects the texts. A flag beats a variable, which beats the TOML file that a flag or a variable names.
pub(crate) fn merge(
    flags: BTreeMap<&'static str, String>,
    env: impl IntoIterator<Item = (OsString, OsString)>,
    read_file: ReadTextFile<'_>,
    mistakes: &mut Vec<Mistake>,
) -> MergedTexts {
    let mut given = environment::read(env, mistakes);
    given.extend(flags.into_iter().map(|(name, text)| {
        let origin = format!("--{name}");
        (name, GivenText { text, origin, is_path: false })
    }));
    if let Some(config) = given.remove(CONFIG.name) {
        let mut merged = read_toml_file(config, read_file, mistakes);
        merged.append(&mut given);
        given = merged;
    }
    let with_file = given.iter().filter(|(_, given)| given.is_path);
    let files = with_file.map(|(name, given)| (*name, PathBuf::from(&given.text))).collect();
    given.retain(|name, given| !given.is_path || load_value(name, given, read_file, mistakes));
    MergedTexts::new(given, files)
}

fn read_toml_file(config: GivenText, read_file: ReadTextFile<'_>, mistakes: &mut Vec<Mistake>) -> GivenTexts {
    match read_file(Path::new(&config.text)) {
        Ok(text) => toml_file::read(&text, &config.text, mistakes),
        Err(error) => {
            let problem = format!("cannot read the file {:?}: {error}", config.text);
            mistakes.push(Mistake::new(CONFIG.name, config.origin, problem));
            GivenTexts::new()
        }
    }
}

/// Replaces a path by the content of its file, and returns whether that succeeded. Mistakes do not repeat the path:
/// the secret itself may stand in its place.
fn load_value(
    name: &str,
    given: &mut GivenText,
    read_file: ReadTextFile<'_>,
    mistakes: &mut Vec<Mistake>,
) -> bool {
    let value = read_file(Path::new(&given.text))
        .map_err(|error| format!("cannot read the file it names: {error}"))
        .and_then(|content| value_in(name, &content));
    match value {
        Ok(value) => {
            given.text = value;
            true
        }
        Err(problem) => {
            mistakes.push(Mistake::new(name, &given.origin, problem));
            false
        }
    }
}

fn value_in(name: &str, content: &str) -> Result<String, String> {
    // An editor's byte order mark is not part of the value.
    let value = content.strip_prefix('\u{feff}').unwrap_or(content).trim_end_matches(LINE_ENDS);
    let is_list = settings::find(name).is_some_and(|setting| setting.is_list);
    match value {
        "" => Err("the file it names is empty".into()),
        _ if is_list && items(value).is_empty() => Err("the file it names has only comments in it".into()),
        _ => Ok(value.to_owned()),
    }
}
