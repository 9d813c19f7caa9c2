//! The Python client in clients/python: its own tests against this server, and its types. scripts/setup installs the
//! frameworks.

use std::process::Command;

use crate::common::program::{in_repository, run_well};
use crate::common::server::binary;

/// Runs a Python module in clients/python, which must succeed.
fn run(arguments: &[&str]) {
    run_well(
        Command::new(in_repository("target/python-client/bin/python"))
            .args(arguments)
            .current_dir(in_repository("clients/python"))
            .env("DOORWARD_BINARY", binary())
            .env("PYTHONDONTWRITEBYTECODE", "1"),
    );
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
