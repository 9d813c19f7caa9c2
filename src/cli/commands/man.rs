//! `doorward man`.

use std::path::Path;
use std::process::ExitCode;

use crate::cli::output::{FAILURE, fail, print};

/// Writes the page of each command into a directory, or prints that of the program.
pub(crate) fn run(directory: Option<&Path>, command: clap::Command) -> ExitCode {
    match directory {
        None => {
            let mut page = Vec::new();
            match clap_mangen::Man::new(command).render(&mut page) {
                Ok(()) => print(&String::from_utf8_lossy(&page)),
                Err(error) => fail(&error, FAILURE),
            }
        }
        Some(directory) => match clap_mangen::generate_to(command, directory) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(&format!("{}: {error}", directory.display()), FAILURE),
        },
    }
}
