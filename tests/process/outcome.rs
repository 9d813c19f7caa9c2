//! A run of the program to its end.

use crate::common::server::run;

/// Runs it to its end: the exit code, and both outputs.
pub fn outcome(args: &[&str], settings: &[(&str, &str)]) -> (i32, String, String) {
    let mut process = run(args, settings);
    let status = process.wait();
    (status.code().expect("not killed"), process.stdout(), process.stderr())
}
