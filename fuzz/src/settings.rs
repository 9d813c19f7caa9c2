//! Settings from any file, flags and variables: accepted ones print and parse back, and no secret is shown.

use std::ffi::OsString;
use std::io;
use std::path::Path;

use doorward::internals::cli::command_line::{Invocation, ServerVerb, read_with};
use doorward::internals::config::{LoadError, Loaded};

const FILE: &str = "d.toml";
/// The content of the file `secret`, which no report and no error may show.
const SECRET: &str = "hunter2-hunter2-hunter2-hunter2-hunter2";

/// Checks the bytes: parts between NUL characters, of which the first is the TOML file. Further parts are variables, if
/// they start with `DOORWARD_`, or arguments.
pub fn check(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let mut parts = text.split('\0');
    let file = parts.next().unwrap_or_default();
    let (variables, arguments): (Vec<_>, Vec<_>) = parts.partition(|part| part.starts_with("DOORWARD_"));
    let variables: Vec<_> = variables.iter().filter_map(|part| part.split_once('=')).collect();
    let outcome = load(file, &arguments, &variables);
    let shown = match &outcome {
        Ok(Some(loaded)) => loaded.report(),
        Ok(None) => return,
        Err(error) => error.to_string(),
    };
    assert!(!shown.is_empty());
    assert!(text.contains("hunter2") || !shown.contains("hunter2"), "{shown}");
    if let Ok(Some(loaded)) = outcome
        && is_complete(&shown)
    {
        let lines = shown.split_once('\n').unwrap_or_default().1;
        match load(lines, &[], &[]) {
            Ok(Some(read)) => assert_eq!(read.config, loaded.config, "{shown}"),
            other => panic!("{other:?}\n{shown}"),
        }
    }
}

/// Returns the settings; `None` if the arguments ask for something else, such as the help.
fn load(file: &str, arguments: &[&str], variables: &[(&str, &str)]) -> Result<Option<Loaded>, LoadError> {
    let read_file = |path: &Path| match path.to_str() {
        Some(FILE) => Ok(file.to_owned()),
        Some("secret") => Ok(SECRET.to_owned()),
        _ => Err(io::Error::from(io::ErrorKind::NotFound)),
    };
    let arguments =
        ["doorward", "check-config", "--config", FILE].iter().chain(arguments).map(OsString::from);
    let variables = variables.iter().map(|(name, value)| (name.into(), value.into()));
    match read_with(arguments, variables, &read_file)? {
        Invocation::Server(ServerVerb::CheckConfig, loaded) => Ok(Some(*loaded)),
        _ => Ok(None),
    }
}

/// Whether a report holds every value: no secret is left out, and quotes are escaped as in TOML.
fn is_complete(report: &str) -> bool {
    !report.contains("***") && !report.contains("\\u{")
}
