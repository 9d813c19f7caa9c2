//! Whole numbers, booleans and words out of a few.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

/// The result of every parser. The error is the rest of a sentence that starts with the value.
pub(crate) type Parsed<T> = Result<T, String>;

/// Returns the problem of a value that needs a feature of this crate that the build does not have.
pub(crate) fn missing_feature(feature: &str) -> String {
    format!("needs the feature `{feature}` of the crate doorward")
}

/// Returns whether the text has only `A-Z a-z 0-9 _ -`.
pub(crate) fn is_word(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}

/// Parses a whole number in decimal digits.
pub(crate) fn number<T: FromStr + PartialOrd + Display>(
    range: RangeInclusive<T>,
) -> impl Fn(&str) -> Parsed<T> {
    move |text| {
        // `parse` alone would accept a leading plus.
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        let number = text.parse().ok().filter(|number| digits && range.contains(number));
        number.ok_or_else(|| format!("is not a whole number from {} to {}", range.start(), range.end()))
    }
}

/// Parses `true` or `false`.
pub(crate) fn boolean(text: &str) -> Parsed<bool> {
    text.parse().map_err(|_| "is neither true nor false".into())
}

/// Parses one of a few words, each of which stands for a value.
pub(crate) fn choice<T: Copy>(choices: &[(&str, T)]) -> impl Fn(&str) -> Parsed<T> {
    move |text| {
        let chosen = choices.iter().find(|(word, _)| *word == text);
        chosen.map(|(_, value)| *value).ok_or_else(|| {
            let words: Vec<_> = choices.iter().map(|(word, _)| *word).collect();
            match &words[..] {
                [one, other] => format!("is neither {one} nor {other}"),
                [first @ .., last] => format!("is none of {} and {last}", first.join(", ")),
                [] => "has no valid value".into(),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_digits_within_its_range() {
        assert_eq!(number(0..=256_usize)("256"), Ok(256));
        for text in ["", "257", "-1", "+1", "1.0", "1_0", " 1", "0x1", "99999999999999999999999"] {
            assert_eq!(number(0..=256_usize)(text).unwrap_err(), "is not a whole number from 0 to 256");
        }
    }

    #[test]
    fn a_boolean_is_true_or_false() {
        assert_eq!((boolean("true"), boolean("false")), (Ok(true), Ok(false)));
        assert!(boolean("yes").is_err() && boolean("").is_err());
    }

    #[test]
    fn a_wrong_choice_is_answered_with_all_choices() {
        let two = [("on", 1), ("off", 0)];
        assert_eq!(choice(&two)("off"), Ok(0));
        assert_eq!(choice(&two)("On").unwrap_err(), "is neither on nor off");
        let three = [("a", 1), ("b", 2), ("c", 3)];
        assert_eq!(choice(&three)("").unwrap_err(), "is none of a, b and c");
    }
}
