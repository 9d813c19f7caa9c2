//! Standard output, standard error and exit codes of the process.

use std::fmt::Display;
use std::io::{self, Write as _};
use std::process::ExitCode;
use std::thread;

/// The exit code of every failure that is not a mistake in the settings.
pub(crate) const FAILURE: u8 = 1;

/// Prints a text on standard output. The exit code says whether all of it was written.
pub(crate) fn print(text: &str) -> ExitCode {
    let mut stdout = io::stdout().lock();
    match writeln!(stdout, "{}", text.trim_end()).and_then(|()| stdout.flush()) {
        // A reader that has closed the pipe has read enough.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            fail(&format!("output not written: {error}"), FAILURE)
        }
        _ => ExitCode::SUCCESS,
    }
}

/// Prints from a separate thread, so that a pipe without a reader cannot block the server.
pub(crate) fn print_in_background(text: String) -> io::Result<()> {
    thread::Builder::new().name("ready".into()).spawn(move || print(&text)).map(drop)
}

/// Prints an error on standard error and returns the exit code.
pub(crate) fn fail(error: &dyn Display, code: u8) -> ExitCode {
    let _ = writeln!(io::stderr(), "{error}");
    ExitCode::from(code)
}

/// Prints a warning on standard error.
pub(crate) fn warn(text: &str) {
    let _ = writeln!(io::stderr(), "warning: {text}");
}

/// Prints a remark for people on standard error.
pub(crate) fn note(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}
