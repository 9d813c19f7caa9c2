//! Asks before a change that affects all of a user.

use std::io::{self, IsTerminal as _, Write as _};

use crate::cli::admin::Failure;

/// Asks on the terminal, unless `is_confirmed`.
///
/// # Errors
/// If the answer is no, or there is no terminal to ask on.
pub(super) fn confirm(question: &str, is_confirmed: bool) -> Result<(), Failure> {
    if is_confirmed {
        return Ok(());
    }
    if !io::stdin().is_terminal() {
        return Err(Failure::usage("--yes", "is needed where no terminal can be asked"));
    }
    let mut answer = String::new();
    let mut stderr = io::stderr();
    let asked = write!(stderr, "{question} [y/N] ").and_then(|()| stderr.flush());
    asked
        .and_then(|()| io::stdin().read_line(&mut answer))
        .map_err(|error| Failure::local(error.to_string()))?;
    match answer.trim().to_ascii_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => Err(Failure::local("nothing was changed".into())),
    }
}
