//! The binary: settings in, exit code out.

use std::process::ExitCode;

fn main() -> ExitCode {
    doorward::cli::run(std::env::args_os(), std::env::vars_os())
}
