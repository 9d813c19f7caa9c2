//! `doorward completions`.

use std::process::ExitCode;

use clap_complete::{Shell, generate};

use crate::cli::output::print;

/// A shell with completions.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub enum CompletionShell {
    /// bash
    Bash,
    /// zsh
    Zsh,
    /// fish
    Fish,
}

/// Prints the completions of the whole command line.
pub(crate) fn run(shell: CompletionShell, mut command: clap::Command) -> ExitCode {
    let shell = match shell {
        CompletionShell::Bash => Shell::Bash,
        CompletionShell::Zsh => Shell::Zsh,
        CompletionShell::Fish => Shell::Fish,
    };
    let mut script = Vec::new();
    generate(shell, &mut command, "doorward", &mut script);
    print(&String::from_utf8_lossy(&script))
}
