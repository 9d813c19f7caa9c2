//! Settings from any file, flags and variables: accepted ones print and parse back, and no secret is shown.

use std::ffi::OsString;
use std::io;
use std::path::Path;

use doorward::internals::config::{Command, LoadError, load_with};

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
        Ok(Command::CheckConfig { report, .. }) => report.clone(),
        Ok(_) => return,
        Err(error) => error.to_string(),
    };
    assert!(!shown.is_empty());
    assert!(text.contains("hunter2") || !shown.contains("hunter2"), "{shown}");
    if let Ok(Command::CheckConfig { config, report }) = outcome
        && is_complete(&report)
    {
        let lines = report.split_once('\n').unwrap_or_default().1;
        match load(lines, &[], &[]) {
            Ok(Command::CheckConfig { config: read, .. }) => assert_eq!(read, config, "{report}"),
            other => panic!("{other:?}\n{report}"),
        }
    }
}

fn load(file: &str, arguments: &[&str], variables: &[(&str, &str)]) -> Result<Command, LoadError> {
    let read_file = |path: &Path| match path.to_str() {
        Some(FILE) => Ok(file.to_owned()),
        Some("secret") => Ok(SECRET.to_owned()),
        _ => Err(io::Error::from(io::ErrorKind::NotFound)),
    };
    let arguments =
        ["doorward", "check-config", "--config", FILE].iter().chain(arguments).map(OsString::from);
    load_with(arguments, variables.iter().map(|(name, value)| (name.into(), value.into())), &read_file)
}

/// Whether a report holds every value: no secret is left out, and all escapes of its quotes are those of TOML.
fn is_complete(report: &str) -> bool {
    !report.contains("***") && !report.contains("\\u{")
}
