//! Texts of callers in log lines.

/// The most characters of a text in a line. Only a refused call can have a longer text.
pub const MAX_TEXT_CHARS: usize = 512;

/// A longer run of letters, digits, `-` and `_` in a path may be a secret: a token string has 51, one of Django REST framework
/// 40, a UUID 36.
const MAX_WORD_BYTES: usize = 36;

/// Cuts a text that is too long for a line.
pub fn cut(text: &str) -> &str {
    let end = text.char_indices().nth(MAX_TEXT_CHARS).map_or(text.len(), |(at, _)| at);
    &text[..end]
}

/// Returns a path without its query, and with `***` in place of what may be a secret.
pub fn shown_path(path: &str) -> String {
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let mut shown = String::with_capacity(path.len().min(MAX_TEXT_CHARS));
    for part in path.split_inclusive(|c| !is_word(c)) {
        let word = part.trim_end_matches(|c| !is_word(c));
        if word.len() > MAX_WORD_BYTES {
            shown.push_str("***");
            shown.push_str(&part[word.len()..]);
        } else {
            shown.push_str(part);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_shown_without_its_query_and_without_secrets() {
        let token = "dw_jE0fuKh0wekXwO7vj4y8ug5KIyOrIFDdMHCbREaGpRpo40GF";
        let uuid = "01234567-89ab-4cde-8f01-23456789abcd";
        assert_eq!(shown_path("/auth?token=x#y"), "/auth");
        assert_eq!(shown_path(&format!("/auth/{token}/x;{token}")), "/auth/***/x;***");
        assert_eq!(shown_path(&format!("/auth/{}", "0a".repeat(20))), "/auth/***");
        assert_eq!(shown_path(&format!("/orders/{uuid}")), format!("/orders/{uuid}"));
        assert_eq!(shown_path(&format!("/d%77_{}", &token[3..])), "/d%***");
        assert_eq!(shown_path(""), "");
        assert_eq!(shown_path("/é/a"), "/é/a");
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        let long = "é".repeat(MAX_TEXT_CHARS + 1);
        assert_eq!((cut(&long).chars().count(), cut("é")), (MAX_TEXT_CHARS, "é"));
    }
}
