//! Clients that generators make from the OpenAPI documents, with the generators' defaults: they compile, strictly, and
//! the main calls work with them. Two linters accept the documents. scripts/setup installs all of it.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use crate::common::program::{in_repository, run_well};
use crate::common::server::{ADMIN_KEY, Server};

/// The name of each plane, and its document.
const PLANES: [(&str, &str); 2] = [("admin", "openapi.json"), ("validation", "openapi-validation.json")];

/// Returns a new folder with these files of tests/openapi_clients.
fn workspace(files: &[&str]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for file in files {
        fs::copy(in_repository("tests/openapi_clients").join(file), dir.path().join(file)).unwrap();
    }
    dir
}

/// Returns a new folder with these files, where Node.js finds the packages.
fn node_workspace(files: &[&str]) -> TempDir {
    let dir = workspace(files);
    symlink(in_repository("tests/openapi_clients/node_modules"), dir.path().join("node_modules")).unwrap();
    dir
}

/// A program of the Python packages. They find one another on the PATH.
fn python(dir: &TempDir, program: &str) -> Command {
    let programs = in_repository("target/openapi/bin");
    let mut command = Command::new(programs.join(program));
    command.current_dir(dir.path()).env("PATH", format!("{}:/usr/bin:/bin", programs.display()));
    command
}

/// A program of the packages of Node.js.
fn node(dir: &TempDir, program: &str) -> Command {
    let mut command = Command::new(dir.path().join("node_modules/.bin").join(program));
    command.current_dir(dir.path());
    command
}

fn document(file: &str) -> PathBuf {
    in_repository("docs").join(file)
}

/// Runs the main calls against a new server.
fn run_calls(command: &mut Command) {
    let server = Server::start(&[]);
    run_well(
        command
            .env("ADMIN", format!("http://{}", server.admin_listen()))
            .env("VALIDATION", format!("http://{}", server.listen()))
            .env("KEY", ADMIN_KEY),
    );
}

#[test]
fn the_python_client_is_typed_and_works() {
    let dir = workspace(&["calls.py"]);
    for (_, file) in PLANES {
        let (stdout, stderr) =
            run_well(python(&dir, "openapi-python-client").args(["generate", "--path"]).arg(document(file)));
        assert!(!stdout.contains("Warning") && !stderr.contains("Warning"), "{stdout}{stderr}");
    }
    let path = "doorward-admin-plane-client:doorward-validation-plane-client";
    run_well(python(&dir, "mypy").env("MYPYPATH", path).args(["--strict", "calls.py"]));
    for plane in ["admin", "validation"] {
        let package = format!("doorward_{plane}_plane_client");
        run_well(python(&dir, "mypy").env("MYPYPATH", path).args(["--strict", "--package", &package]));
    }
    run_calls(python(&dir, "python").env("PYTHONPATH", path).arg("calls.py"));
}

#[test]
fn the_typescript_clients_compile_and_work() {
    let dir = node_workspace(&["package.json", "tsconfig.json", "calls_fetch.ts", "calls_sdk.ts"]);
    for (plane, file) in PLANES {
        let document = document(file);
        run_well(node(&dir, "openapi-typescript").arg(&document).args(["-o", &format!("{plane}.d.ts")]));
        run_well(node(&dir, "openapi-ts").arg("-i").arg(&document).args(["-o", &format!("{plane}-sdk")]));
    }
    run_well(node(&dir, "tsc").args(["-p", "."]));
    for script in ["compiled/calls_fetch.js", "compiled/calls_sdk.js"] {
        run_calls(Command::new("node").current_dir(dir.path()).arg(script));
    }
}

#[test]
fn the_linters_accept_the_documents() {
    let dir = node_workspace(&["spectral.yaml", "redocly.yaml"]);
    let documents = PLANES.map(|(_, file)| document(file));
    run_well(node(&dir, "spectral").args(["lint", "-r", "spectral.yaml", "-F", "hint"]).args(&documents));
    run_well(
        node(&dir, "redocly")
            .env("REDOCLY_TELEMETRY", "off")
            .env("REDOCLY_SUPPRESS_UPDATE_NOTICE", "true")
            .args(["lint", "--config", "redocly.yaml"])
            .args(&documents),
    );
}
