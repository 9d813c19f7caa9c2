//! The console in Chromium against real nodes on a real Redis: tests/console/cases. scripts/setup installs what it needs.

use std::path::Path;
use std::process::Command;

use crate::common::server::binary;

/// Runs a script of tests/console/package.json, which must succeed.
fn run(script: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/console");
    assert!(folder.join("node_modules").exists(), "tests/console: scripts/setup installs its packages");
    let output = Command::new("npm")
        .args(["run", "--silent", script])
        .current_dir(folder)
        .env("DOORWARD_BINARY", binary())
        .output()
        .unwrap_or_else(|error| panic!("npm: {error}; scripts/setup installs it"));
    let stdout = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{script}: {stdout}{stderr}");
}

#[test]
fn the_console_works_in_a_browser() {
    run("test");
}

#[test]
fn the_console_is_formatted() {
    run("lint");
}
