//! The form of every list, wherever its text comes from.

/// What ends a line, alone or together.
pub(crate) const LINE_ENDS: [char; 2] = ['\n', '\r'];

/// The items of a list, without the white space around them; none in a blank text.
///
/// Commas and line ends separate. A `#` at the start of a line or after white space makes the rest of the line a comment.
/// In a text of several lines each may end with a comma. Any other empty item stays one, which no parser of items takes.
pub(crate) fn items(text: &str) -> Vec<&str> {
    let has_lines = text.trim().contains(LINE_ENDS);
    text.split(LINE_ENDS)
        .map(|line| without_comment(line).trim())
        .filter(|line| !line.is_empty())
        .map(|line| line.strip_suffix(',').filter(|_| has_lines).unwrap_or(line))
        .flat_map(|line| line.split(',').map(str::trim))
        .collect()
}

fn without_comment(line: &str) -> &str {
    let is_start = |at: &usize| line[..*at].chars().next_back().is_none_or(char::is_whitespace);
    let start = line.match_indices('#').map(|(at, _)| at).find(is_start);
    &line[..start.unwrap_or(line.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_and_lines_separate_and_comments_are_left_out() {
        for (text, expected) in [
            ("", &[][..]),
            (" \t\r\n", &[]),
            ("a", &["a"]),
            (" a , b ", &["a", "b"]),
            ("a\nb\n", &["a", "b"]),
            ("a\r\nb\r\n\r\n", &["a", "b"]),
            ("a\rb", &["a", "b"]),
            ("a,\nb,c,\n", &["a", "b", "c"]),
            ("# the first, and\n\n  # the second\na # old\n\tb,c\t# x, y\n#", &["a", "b", "c"]),
            ("# a", &[]),
            ("a#b", &["a#b"]),
            ("a,#b", &["a", "#b"]),
            ("a, #b", &["a", ""]),
            ("a b", &["a b"]),
            ("a,", &["a", ""]),
            ("a,,b", &["a", "", "b"]),
            ("a,,\nb", &["a", "", "b"]),
            (",\na", &["", "a"]),
            ("é\u{a0}#ü", &["é"]),
        ] {
            assert_eq!(items(text), expected, "{text:?}");
        }
    }
}
