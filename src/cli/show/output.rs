//! Standard output.

use std::io::{self, Write as _};

use serde_json::Value;

use crate::cli::admin::failure::Failure;

/// How a command prints its results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// Tables and text for people.
    Text,
    /// One JSON value, or one on each line.
    Json,
}

impl Output {
    /// Prints a value: as JSON, or as the text that `show` makes of it.
    ///
    /// # Errors
    /// If standard output cannot be written.
    pub fn print(self, value: &Value, show: impl FnOnce(&Value) -> String) -> Result<(), Failure> {
        let text = match self {
            Self::Json => value.to_string(),
            Self::Text => show(value),
        };
        line(&text)
    }
}

/// Prints a line.
fn line(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{text}").and_then(|()| stdout.flush()).map_err(|error| Failure::output(&error))
}
