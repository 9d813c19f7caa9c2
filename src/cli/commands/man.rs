//! `doorward man`.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;

use clap_mangen::Man;

use crate::cli::output::{FAILURE, fail, print};

/// Writes the page of each command into a directory, or prints the page of the program.
pub(crate) fn run(directory: Option<&Path>, command: clap::Command) -> ExitCode {
    let mut command = command.disable_help_subcommand(true);
    command.build();
    let Some(directory) = directory else {
        return match page(command) {
            Ok((_, page)) => print(&String::from_utf8_lossy(&page)),
            Err(error) => fail(&error, FAILURE),
        };
    };
    match write_all(&command, directory) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&format!("pages not written: {}: {error}", directory.display()), FAILURE),
    }
}

fn write_all(command: &clap::Command, directory: &Path) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    for nested in command.get_subcommands() {
        write_all(nested, directory)?;
    }
    let (name, page) = page(command.clone())?;
    fs::write(directory.join(name), page)
}

/// Returns the file name of a command's page, and the page. The synopsis is the line of `--help`; clap_mangen's own would
/// list every setting. clap_mangen omits the text of a flag that the short help leaves out, and calls the last section EXTRA.
fn page(command: clap::Command) -> io::Result<(String, Vec<u8>)> {
    let mut command = command.mut_args(|arg| arg.hide_short_help(false));
    let usage = command.render_usage().to_string().replace('-', "\\-");
    let usage = usage.trim_start_matches("Usage: ");
    let has_verbs = command.has_subcommands();
    let man = Man::new(command).source(concat!("doorward ", env!("CARGO_PKG_VERSION")));
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    writeln!(page, ".SH SYNOPSIS\n{usage}")?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if has_verbs {
        man.render_subcommands_section(&mut page)?;
    }
    let mut notes = Vec::new();
    man.render_extra_section(&mut notes)?;
    page.write_all(String::from_utf8_lossy(&notes).replace(".SH EXTRA", ".SH NOTES").as_bytes())?;
    Ok((man.get_filename(), page))
}
