//! Runs of the commands that call the admin plane.

use serde_json::Value;

use crate::common::server::{ADMIN_KEY, Server};
use crate::process::outcome::outcome;

/// The URL of a server's admin plane.
pub fn url(server: &Server) -> String {
    match server.admin_listen() {
        address if address.starts_with("unix:") => address.to_owned(),
        address => format!("http://{address}"),
    }
}

/// Runs a command against a server; returns the exit code and both outputs.
pub fn call(server: &Server, args: &[&str]) -> (i32, String, String) {
    outcome(args, &[("DOORWARD_ADMIN_URL", &url(server)), ("DOORWARD_ADMIN_KEY", ADMIN_KEY)])
}

/// The standard output of a command that must succeed.
pub fn text(server: &Server, args: &[&str]) -> String {
    let (code, stdout, stderr) = call(server, args);
    assert_eq!(code, 0, "{args:?}: {stderr}");
    stdout
}

/// The JSON of a command that must succeed.
pub fn json(server: &Server, args: &[&str]) -> Value {
    let stdout = text(server, &[args, &["--json"]].concat());
    assert_eq!(stdout.lines().count(), 1, "{stdout}");
    serde_json::from_str(&stdout).unwrap_or_else(|error| panic!("{error}: {stdout}"))
}

/// The one line on standard error of a command that must fail with this code, and prints nothing else.
pub fn failure(server: &Server, args: &[&str], code: i32) -> String {
    let (real, stdout, stderr) = call(server, args);
    assert_eq!((real, stdout.as_str()), (code, ""), "{args:?}: {stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    stderr
}
