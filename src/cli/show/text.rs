//! Texts of the node's answers.

use serde_json::Value;

use crate::printable::printable;

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
