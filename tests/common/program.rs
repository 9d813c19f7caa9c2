//! Programs that scripts/setup installs, run to their end: the tests of the clients and of the console, generators, linters.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::server::binary;

/// Returns a path in this repository.
pub fn in_repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Runs a program to its successful end, and returns both outputs. Panics with them if it fails.
pub fn run_well(command: &mut Command) -> (String, String) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}: run scripts/setup"));
    let [stdout, stderr] =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    assert!(output.status.success(), "{command:?}: {stdout}{stderr}");
    (stdout, stderr)
}

/// Runs a script of the package of Node.js in this folder, with the server's program. It must succeed.
pub fn npm_run(folder: &str, script: &str) {
    let path = in_repository(folder);
    assert!(path.join("node_modules").exists(), "{folder} lacks its packages: run scripts/setup");
    let mut npm = Command::new("npm");
    npm.args(["run", "--silent", script]).current_dir(path).env("DOORWARD_BINARY", binary());
    run_well(&mut npm);
}
