//! The form of every list, in flags, variables and files.

use super::scalar::Parsed;

/// The characters that end a line, alone or together.
pub(crate) const LINE_ENDS: [char; 2] = ['\n', '\r'];

/// Returns the items of a list, trimmed; none for a blank text.
///
/// Commas and line ends separate items. A `#` at the start of a line or after white space starts a comment. In a text of
/// several lines, each line may end with a comma. Any other empty item is kept, and then rejected by the item's parser.
pub(crate) fn items(text: &str) -> Vec<&str> {
    let has_lines = text.trim().contains(LINE_ENDS);
    text.split(LINE_ENDS)
        .map(|line| without_comment(line).trim())
        .filter(|line| !line.is_empty())
        .map(|line| line.strip_suffix(',').filter(|_| has_lines).unwrap_or(line))
        .flat_map(|line| line.split(',').map(str::trim))
        .collect()
}

/// Parses each item of a list. An error names the item by its number, because its text may be a secret.
pub(crate) fn parse_items<T>(
    text: &str,
    max: usize,
    noun: &str,
    parse: impl Fn(&str) -> Parsed<T>,
) -> Parsed<Vec<T>> {
    let items = items(text);
    if items.len() > max {
        return Err(format!("has more than {max} {noun}s"));
    }
    let numbered = items.into_iter().enumerate();
    let parsed = numbered.map(|(at, item)| {
        parse(item).map_err(|problem| format!("has a mistake in its {noun} {}: {problem}", at + 1))
    });
    parsed.collect()
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
