//! Texts of the node's answers.

use serde_json::Value;

/// Returns a value as one text: `-` for null, JSON for lists and objects.
pub fn text(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) if text.is_empty() => "-".to_owned(),
        Value::String(text) => printable(text),
        other => printable(&other.to_string()),
    }
}

/// Escapes characters that would move the cursor, change the text's direction or do worse on a terminal.
pub fn printable(text: &str) -> String {
    let is_harmful = |c: char| {
        c.is_control()
            || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}')
    };
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if is_harmful(c) { shown.extend(c.escape_unicode()) } else { shown.push(c) }
    }
    shown
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_one_harmless_text() {
        assert_eq!(text(&json!(null)), "-");
        assert_eq!(text(&json!("a\u{1b}[2Jb\nü")), "a\\u{1b}[2Jb\\u{a}ü");
        assert_eq!(text(&json!([1, "x"])), r#"[1,"x"]"#);
        assert_eq!(text(&json!("a\u{202e}b")), "a\\u{202e}b");
    }
}
