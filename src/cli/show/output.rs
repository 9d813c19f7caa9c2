//! What commands print on standard output: values, and tables without lines, so that they can be cut and grepped.

use std::io::{self, Write as _};

use comfy_table::Table;
use comfy_table::presets::NOTHING;
use serde_json::Value;

use crate::cli::admin::failure::Failure;
use crate::printable::printable;

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

/// Returns a table with a header.
pub fn table(header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING).set_header(header.to_vec()).add_rows(rows);
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.trim_fmt()
}

/// Returns a value as one text: `-` for null, JSON for lists and objects.
pub fn text(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) if text.is_empty() => "-".to_owned(),
        Value::String(text) => printable(text),
        other => printable(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_one_harmless_text() {
        assert_eq!(text(&json!(null)), "-");
        assert_eq!(text(&json!("a\u{1b}[2Jb\nü")), "a\\u{1b}[2Jb\\nü");
        assert_eq!(text(&json!([1, "x"])), r#"[1,"x"]"#);
        assert_eq!(text(&json!("a\u{202e}b")), "a\\u{202e}b");
    }
}
