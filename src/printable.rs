//! Texts from outside, made safe for a terminal.

/// Returns a text without characters that would move the cursor, change the text's direction or do worse on a terminal: they
/// are escaped, as are bytes that are not UTF-8.
pub fn printable(text: impl AsRef<[u8]>) -> String {
    let bytes = text.as_ref();
    let is_harmful = |c: char| {
        c.is_control()
            || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}')
    };
    let mut shown = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            if is_harmful(c) { shown.extend(c.escape_default()) } else { shown.push(c) }
        }
        shown.extend(chunk.invalid().escape_ascii().map(char::from));
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn harmful_characters_are_escaped() {
        assert_eq!(printable("dw:u:{8c4d}:ü\n"), "dw:u:{8c4d}:ü\\n");
        assert_eq!(printable("a\u{1b}[2Jb\u{202e}"), "a\\u{1b}[2Jb\\u{202e}");
        assert_eq!(printable(b"\xff\xfe"), "\\xff\\xfe");
    }
}
