//! Runs of the program to completion.

use crate::common::server::run;

/// Runs the program to completion; returns the exit code and both outputs.
pub fn outcome(args: &[&str], settings: &[(&str, &str)]) -> (i32, String, String) {
    let mut process = run(args, settings);
    let status = process.wait();
    (status.code().expect("not killed"), process.stdout(), process.stderr())
}
