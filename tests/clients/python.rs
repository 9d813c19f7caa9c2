//! The Python client in clients/python: its own tests against this server, and its types. scripts/setup installs the
//! frameworks.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::server::binary;

/// Runs a Python module in clients/python, which must succeed.
fn run(arguments: &[&str]) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python: PathBuf = root.join("target/python-client/bin/python");
    let output = Command::new(&python)
        .args(arguments)
        .current_dir(root.join("clients/python"))
        .env("DOORWARD_BINARY", binary())
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .unwrap_or_else(|error| panic!("{}: {error}; scripts/setup installs it", python.display()));
    let stdout = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {stdout}{stderr}");
}

#[test]
fn the_tests_of_the_python_client_pass() {
    run(&["-m", "pytest", "--quiet", "--tb=short"]);
}

#[test]
fn the_python_client_is_formatted() {
    run(&["-m", "ruff", "format", "--no-cache", "--check"]);
    run(&["-m", "ruff", "check", "--no-cache"]);
}

#[test]
fn the_python_client_is_fully_typed() {
    let cache = tempfile::tempdir().unwrap();
    run(&["-m", "mypy", "--strict", "--cache-dir", cache.path().to_str().unwrap()]);
}
