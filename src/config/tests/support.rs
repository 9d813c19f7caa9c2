//! Loads settings from flags, variables and files that exist only in the test.

use std::collections::HashMap;
use std::ffi::OsString;
use std::io;
use std::path::Path;

use crate::cli::command_line::{Invocation, ServerVerb, read_with};
use crate::config::mistake::LoadError;
use crate::config::settings::Config;

/// A valid key that must not be shown anywhere.
pub const KEY: &str = "hunter2-hunter2-hunter2-hunter2-hunter2";

/// Reads a command line.
pub fn run(args: &[&str], env: &[(&str, &str)], files: &[(&str, &str)]) -> Result<Invocation, LoadError> {
    let files: HashMap<_, _> = files.iter().map(|(path, text)| (Path::new(*path), *text)).collect();
    let read_file = |path: &Path| {
        files.get(path).map(|text| (*text).to_owned()).ok_or_else(|| io::ErrorKind::NotFound.into())
    };
    let args = ["doorward"].iter().chain(args).map(OsString::from);
    read_with(args, env.iter().map(|(name, value)| (name.into(), value.into())), &read_file)
}

/// The settings of a run that must succeed.
pub fn config(args: &[&str], env: &[(&str, &str)], files: &[(&str, &str)]) -> Config {
    match run(args, env, files) {
        Ok(Invocation::Server(ServerVerb::Serve, loaded)) => loaded.config,
        other => panic!("{other:?}"),
    }
}

/// The mistakes of a run, one per line.
pub fn mistakes(args: &[&str], env: &[(&str, &str)], files: &[(&str, &str)]) -> String {
    run(args, env, files).unwrap_err().to_string()
}

/// The mistakes of a run with this TOML file.
pub fn file_mistakes(toml: &str) -> String {
    mistakes(&["--config", "d.toml"], &[], &[("d.toml", toml)])
}

/// The settings of a run with this TOML file.
pub fn file_config(toml: &str) -> Config {
    config(&["--config", "d.toml"], &[], &[("d.toml", toml)])
}
