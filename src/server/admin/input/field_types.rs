//! Readers of single fields: each turns a JSON value into its type, or says what the value must be.

use std::ops::RangeInclusive;

use serde_json::Value;

use crate::model::field_rules as rules;
use crate::model::field_rules::Checked;

/// Up to this number (2^53), a double holds every whole number exactly.
const MAX_EXACT: f64 = 9_007_199_254_740_992.0;

/// Reads a string that obeys a rule.
pub fn text(rule: impl FnOnce(&str) -> Checked) -> impl FnOnce(Value) -> Result<String, String> {
    move |value| match value {
        Value::String(text) => rule(&text).map(|()| text),
        _ => Err("must be a string".into()),
    }
}

/// Reads a string that `parse` turns into another type.
pub fn parsed<T>(parse: impl FnOnce(&str) -> Result<T, String>) -> impl FnOnce(Value) -> Result<T, String> {
    move |value| match value {
        Value::String(text) => parse(&text),
        _ => Err("must be a string".into()),
    }
}

/// Reads a user agent as the store keeps it.
pub fn user_agent(value: Value) -> Result<String, String> {
    parsed(|text| Ok(rules::user_agent(text)))(value)
}

/// Reads a list of at most `max` items.
pub fn list(max: usize) -> impl FnOnce(Value) -> Result<Vec<Value>, String> {
    move |value| match value {
        Value::Array(items) if items.len() <= max => Ok(items),
        _ => Err(format!("must be a list of at most {max}")),
    }
}

/// Reads a boolean.
pub fn boolean(value: Value) -> Result<bool, String> {
    value.as_bool().ok_or_else(|| "must be true or false".into())
}

/// Reads a whole number within bounds. `300.0` and `3e2` are whole numbers, too.
pub fn integer(range: RangeInclusive<u64>) -> impl FnOnce(Value) -> Result<u64, String> {
    let is_whole = |number: &f64| number.fract() == 0.0 && (0.0..=MAX_EXACT).contains(number);
    move |value| {
        let number = value.as_u64().or_else(|| value.as_f64().filter(is_whole).map(|number| number as u64));
        let number = number.filter(|number| range.contains(number));
        number.ok_or_else(|| format!("must be a whole number from {} to {}", range.start(), range.end()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_may_have_a_point_or_an_exponent() {
        let read = |text: &str| integer(1..=1_000)(serde_json::from_str(text).unwrap());
        for (text, number) in [("300", 300), ("300.0", 300), ("3e2", 300), ("30E+1", 300), ("3000e-1", 300)] {
            assert_eq!(read(text), Ok(number), "{text}");
        }
        for bad in ["0.0", "-1", "-1.0", "1.5", "1e300", "1001.0", "\"3\"", "true", "null"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
