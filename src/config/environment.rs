//! Settings from environment variables.

use std::collections::HashMap;
use std::ffi::OsString;
use std::iter;

use super::given::{GivenText, GivenTexts, value_or_path};
use super::mistake::{Mistake, did_you_mean};
use super::setting::{CLIENT_VARIABLES, CONFIG, VARIABLE_PREFIX};
use super::settings::SETTINGS;

/// Takes the settings from the variables whose names start with [`VARIABLE_PREFIX`].
pub(crate) fn read(
    env: impl IntoIterator<Item = (OsString, OsString)>,
    mistakes: &mut Vec<Mistake>,
) -> GivenTexts {
    let mut variables = own_variables(env, mistakes);
    let mut take = |name: String, is_path| {
        let text = variables.remove(&name)?;
        Some(GivenText { text, origin: name, is_path })
    };
    let mut texts = GivenTexts::new();
    for setting in iter::once(&CONFIG).chain(SETTINGS) {
        let value = take(setting.variable(), false);
        let path = setting.file_variable().and_then(|name| take(name, true));
        if let Some(given) = value_or_path(setting, value, path, mistakes) {
            texts.insert(setting.name, given);
        }
    }
    mistakes.extend(unknown_variables(variables));
    texts
}

fn own_variables(
    env: impl IntoIterator<Item = (OsString, OsString)>,
    mistakes: &mut Vec<Mistake>,
) -> HashMap<String, String> {
    let mut variables = HashMap::new();
    for (name, value) in env {
        let name = name.to_string_lossy().into_owned();
        // Compose files pass an unset variable as an empty one.
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
    variables
}

fn unknown_variables(variables: HashMap<String, String>) -> Vec<Mistake> {
    let is_known = |name: &str, value: &str| CLIENT_VARIABLES.contains(&name) || is_service_link(name, value);
    let unknown = variables.into_iter().filter(|(name, value)| !is_known(name, value));
    let mut unknown: Vec<_> = unknown.map(|(name, _)| name).collect();
    unknown.sort_unstable();
    let known = || {
        let settings = iter::once(&CONFIG).chain(SETTINGS);
        let names =
            settings.flat_map(|setting| iter::once(setting.variable()).chain(setting.file_variable()));
        names.chain(CLIENT_VARIABLES.map(str::to_owned))
    };
    let mistake = |name: String| {
        let problem = format!("is not a variable of Doorward{}", did_you_mean(&name, known()));
        Mistake::new(name.escape_debug().to_string(), "environment", problem)
    };
    unknown.into_iter().map(mistake).collect()
}

/// Returns whether Kubernetes set the variable for a Service named `doorward` or `doorward-…`. Every pod of the namespace
/// gets these: `DOORWARD_SERVICE_HOST`, `DOORWARD_PORT=tcp://…`, `DOORWARD_PORT_8080_TCP_ADDR`, ….
fn is_service_link(name: &str, value: &str) -> bool {
    let is_numbered_port = name.split_once("_PORT_").is_some_and(|(_, rest)| {
        rest.starts_with(|c: char| c.is_ascii_digit())
            && ["_TCP", "_UDP", "_SCTP"].iter().any(|p| rest.contains(p))
    });
    name.ends_with("_SERVICE_HOST")
        || name.contains("_SERVICE_PORT")
        || (name.ends_with("_PORT") && value.contains("://"))
        || is_numbered_port
}
