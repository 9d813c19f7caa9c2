//! The texts of all settings, each from the strongest source that gives it.

use super::given::{Given, Source, either};
use std::collections::{BTreeMap, HashMap};
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::io::Read;
use std::path::Path;

use super::list::{LINE_ENDS, items};
use super::mistake::Mistake;
use super::settings::{CONFIG, SETTINGS, VARIABLE_PREFIX, did_you_mean};
use super::{ReadFile, settings, toml_file};

/// No file of ours is near this: a wrong path must not fill the memory.
pub(crate) const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// The texts of all settings; those not given have their default.
#[derive(Default)]
pub(crate) struct Values(Source);

impl Values {
    pub(crate) fn text(&self, name: &str) -> &str {
        match self.0.get(name) {
            Some(given) => &given.text,
            None => settings::find(name).map_or("", |setting| setting.default),
        }
    }

    pub(crate) fn origin(&self, name: &str) -> &str {
        self.0.get(name).map_or("default", |given| &given.origin)
    }

    /// Whether it was given something that is not empty.
    pub(crate) fn is_set(&self, name: &str) -> bool {
        self.0.get(name).is_some_and(|given| !given.text.is_empty())
    }
}

/// Collects the texts: flags before variables before the file that either names.
pub(crate) fn gather(
    flags: BTreeMap<&'static str, String>,
    env: impl IntoIterator<Item = (OsString, OsString)>,
    read_file: ReadFile<'_>,
    mistakes: &mut Vec<Mistake>,
) -> Values {
    let mut given = from_environment(env, mistakes);
    given.extend(
        flags
            .into_iter()
            .map(|(name, text)| (name, Given { text, origin: format!("--{name}"), is_path: false })),
    );
    if let Some(config) = given.remove(CONFIG.name) {
        let mut file = match read_file(Path::new(&config.text)) {
            Ok(text) => toml_file::read(&text, &config.text, mistakes),
            Err(error) => {
                let problem = format!("cannot read the file {:?}: {error}", config.text);
                mistakes.push(Mistake::new(CONFIG.name, config.origin, problem));
                Source::new()
            }
        };
        file.append(&mut given);
        given = file;
    }
    given.retain(|name, given| !given.is_path || read_value(name, given, read_file, mistakes));
    Values(given)
}

/// Puts the content of the file in the place of its path; whether that went well. The path is not repeated in
/// mistakes: someone may have written the secret itself in its place.
pub(crate) fn read_value(
    name: &str,
    given: &mut Given,
    read_file: ReadFile<'_>,
    mistakes: &mut Vec<Mistake>,
) -> bool {
    match read_file(Path::new(&given.text)) {
        Ok(content) => {
            // An editor's byte order mark is no part of the value.
            let content = content.strip_prefix('\u{feff}').unwrap_or(&content).trim_end_matches(LINE_ENDS);
            if content.is_empty() {
                mistakes.push(Mistake::new(name, &given.origin, "the file it names is empty"));
                return false;
            }
            let is_list = settings::find(name).is_some_and(|setting| setting.list);
            if is_list && items(content).is_empty() {
                mistakes.push(Mistake::new(name, &given.origin, "the file it names has only comments in it"));
                return false;
            }
            given.text = content.to_owned();
            true
        }
        Err(error) => {
            let problem = format!("cannot read the file it names: {error}");
            mistakes.push(Mistake::new(name, &given.origin, problem));
            false
        }
    }
}

/// Reads a file from the disk.
///
/// # Errors
/// When it cannot be read, is too large, or is not UTF-8.
pub(crate) fn read_file(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(MAX_FILE_BYTES + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MAX_FILE_BYTES {
        return Err(io::Error::other(format!("it is larger than {MAX_FILE_BYTES} bytes")));
    }
    Ok(text)
}

pub(crate) fn from_environment(
    env: impl IntoIterator<Item = (OsString, OsString)>,
    mistakes: &mut Vec<Mistake>,
) -> Source {
    let mut variables = HashMap::new();
    for (name, value) in env {
        let name = name.to_string_lossy().into_owned();
        // Compose files pass a variable that is not set as an empty one.
        if !name.starts_with(VARIABLE_PREFIX) || value.is_empty() {
            continue;
        }
        match value.into_string() {
            Ok(value) => drop(variables.insert(name, value)),
            Err(_) => {
                let name = name.escape_debug().to_string();
                mistakes.push(Mistake::new(name, "environment", "the value is not UTF-8"));
            }
        }
    }
    let mut take = |name: Option<String>, is_path| {
        let name = name?;
        let text = variables.remove(&name)?;
        Some(Given { text, origin: name, is_path })
    };
    let mut source = Source::new();
    for setting in std::iter::once(&CONFIG).chain(SETTINGS) {
        let direct = take(Some(setting.variable()), false);
        let path = take(setting.file_variable(), true);
        if let Some(given) = either(setting, direct, path, mistakes) {
            source.insert(setting.name, given);
        }
    }
    mistakes.extend(unknown_variables(variables));
    source
}

pub(crate) fn unknown_variables(variables: HashMap<String, String>) -> Vec<Mistake> {
    let mut unknown: Vec<_> = variables
        .into_iter()
        .filter(|(name, value)| !is_service_link(name, value))
        .map(|(name, _)| name)
        .collect();
    unknown.sort_unstable();
    let known = || {
        let settings = std::iter::once(&CONFIG).chain(SETTINGS);
        settings.flat_map(|setting| std::iter::once(setting.variable()).chain(setting.file_variable()))
    };
    let mistake = |name: String| {
        let problem = format!("is not a variable of Doorward{}", did_you_mean(&name, known()));
        Mistake::new(name.escape_debug().to_string(), "environment", problem)
    };
    unknown.into_iter().map(mistake).collect()
}

/// Whether Kubernetes set a variable because a Service is named `doorward` or `doorward-…`; every pod of the
/// namespace gets these (`DOORWARD_SERVICE_HOST`, `DOORWARD_PORT=tcp://…`, `DOORWARD_PORT_8080_TCP_ADDR`, …).
pub(crate) fn is_service_link(name: &str, value: &str) -> bool {
    let is_numbered_port = name.split_once("_PORT_").is_some_and(|(_, rest)| {
        rest.starts_with(|c: char| c.is_ascii_digit())
            && ["_TCP", "_UDP", "_SCTP"].iter().any(|p| rest.contains(p))
    });
    name.ends_with("_SERVICE_HOST")
        || name.contains("_SERVICE_PORT")
        || (name.ends_with("_PORT") && value.contains("://"))
        || is_numbered_port
}
