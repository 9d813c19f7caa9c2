//! The Node client in clients/node: its own tests against this server, types included. scripts/setup installs the
//! frameworks.

use std::path::Path;
use std::process::Command;

use crate::common::server::binary;

/// Runs a script of clients/node/package.json, which must succeed.
fn run(script: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/node");
    assert!(folder.join("node_modules").exists(), "clients/node: scripts/setup installs its packages");
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
fn the_tests_of_the_node_client_pass() {
    run("test");
}

#[test]
fn the_node_client_is_formatted() {
    run("lint");
}
