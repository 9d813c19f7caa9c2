//! The stored form of a user agent: phrases that most browsers send are one byte each.
//!
//! The user agent would otherwise be half of a session. A user agent has no control characters (`field_rules`), so the
//! bytes 1 to 31 stand for phrases, and all other bytes for themselves. A stored form is no longer than its text, and is
//! UTF-8 like it.

/// The phrases of the codes 1, 2, 3 and so on. Another table needs another schema version, except for new phrases at its end
/// once all nodes know them.
const PHRASES: [&str; 31] = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7",
    "Mozilla/5.0 (X11; Linux x86_64",
    "Mozilla/5.0 (Linux; Android ",
    "Mozilla/5.0 (iPhone; CPU iPhone OS ",
    "Mozilla/5.0 (iPad; CPU OS ",
    "Mozilla/5.0 (",
    ") AppleWebKit/537.36 (KHTML, like Gecko) Chrome/",
    ") AppleWebKit/537.36 (KHTML, like Gecko) ",
    " like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) ",
    ") AppleWebKit/605.1.15 (KHTML, like Gecko) ",
    ".0.0.0 Safari/537.36",
    ".0.0.0 Mobile Safari/537.36",
    " Safari/537.36",
    " Mobile Safari/537.36",
    " Mobile/15E148",
    " Safari/604.1",
    " Safari/605.1.15",
    "Version/",
    "Chrome/",
    "CriOS/",
    " Edg/",
    " OPR/",
    "SamsungBrowser/",
    ".0) Gecko/20100101 Firefox/",
    "Macintosh; Intel Mac OS X ",
    "; rv:",
    "; wv",
    ".0.0.0",
    " CFNetwork/",
    " Darwin/",
];

/// Returns the stored form of a user agent: at each place the longest phrase that is there.
pub(crate) fn shorten(user_agent: &str) -> String {
    let mut stored = String::with_capacity(user_agent.len());
    let mut rest = user_agent;
    while let Some(first) = rest.chars().next() {
        let fitting = (1u8..).zip(PHRASES).filter(|(_, phrase)| rest.starts_with(phrase));
        let longest = fitting.max_by_key(|(_, phrase)| phrase.len());
        let (stands_for, length) =
            longest.map_or((first, first.len_utf8()), |(code, phrase)| (char::from(code), phrase.len()));
        stored.push(stands_for);
        rest = &rest[length..];
    }
    stored
}

/// Returns the user agent with this stored form; `None` if one of the bytes is no code of a phrase.
pub(crate) fn expand(stored: &str) -> Option<String> {
    let mut user_agent = String::with_capacity(4 * stored.len());
    for c in stored.chars() {
        if c >= ' ' {
            user_agent.push(c);
        } else {
            user_agent.push_str(PHRASES.get((c as usize).checked_sub(1)?)?);
        }
    }
    Some(user_agent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_are_a_few_bytes() {
        let browsers = [
            (
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) \
                 Chrome/126.0.0.0 Safari/537.36",
                "\x02\x08126\x0c",
            ),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) \
                 Chrome/126.0.0.0 Safari/537.36 Edg/126.0.0.0",
                "\x01\x08126\x0c\x16126\x1d",
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) \
                 Version/17.5 Mobile/15E148 Safari/604.1",
                "\x0517_5_1\x0a\x1317.5\x10\x11",
            ),
            (
                "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) \
                 Chrome/126.0.0.0 Mobile Safari/537.36",
                "\x0410; K\x08126\x0d",
            ),
            (
                "Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0",
                "\x03\x1b127\x19127.0",
            ),
        ];
        for (user_agent, stored) in browsers {
            assert_eq!(shorten(user_agent), stored);
            assert_eq!(expand(stored).as_deref(), Some(user_agent));
        }
    }

    #[test]
    fn other_texts_stand_for_themselves() {
        for user_agent in ["", "curl/8.5.0", "é ü\u{7f}", "Mozilla/5.0", "\u{fffd}"] {
            assert_eq!(shorten(user_agent), user_agent);
            assert_eq!(expand(user_agent).as_deref(), Some(user_agent));
        }
        assert_eq!(expand("a\0b"), None);
    }

    /// Every code stands for its phrase, and the longest phrase is found where several begin alike.
    #[test]
    fn every_phrase_is_one_byte() {
        for (code, phrase) in (1u8..).zip(PHRASES) {
            assert_eq!(shorten(phrase), char::from(code).to_string(), "{phrase}");
            assert!(phrase.is_ascii());
        }
    }
}
