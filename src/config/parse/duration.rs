//! Durations and the renewal step.

use std::ops::RangeInclusive;

use super::scalar::{Parsed, number};
use crate::values::RenewalStep;

pub(crate) const SECOND_MS: u64 = 1_000;
pub(crate) const MINUTE_MS: u64 = 60 * SECOND_MS;
pub(crate) const HOUR_MS: u64 = 60 * MINUTE_MS;
pub(crate) const DAY_MS: u64 = 24 * HOUR_MS;
/// Largest unit first.
const UNITS: [(&str, u64); 5] =
    [("d", DAY_MS), ("h", HOUR_MS), ("m", MINUTE_MS), ("s", SECOND_MS), ("ms", 1)];
/// With more than half of the idle time, a token in use could expire.
const MAX_RENEWAL_PERCENT: u8 = 50;

/// Parses a whole number with its unit, or 0, into milliseconds.
pub(crate) fn duration_ms(range: RangeInclusive<u64>) -> impl Fn(&str) -> Parsed<u64> {
    move |text| {
        let ms = any_duration_ms(text).ok_or("is not a duration such as 500ms, 10s, 1h or 14d")?;
        if range.contains(&ms) {
            return Ok(ms);
        }
        Err(format!("is not from {} to {}", show_ms(*range.start()), show_ms(*range.end())))
    }
}

fn any_duration_ms(text: &str) -> Option<u64> {
    if text == "0" {
        return Some(0);
    }
    let (number, unit) = text.split_at_checked(text.find(|c: char| !c.is_ascii_digit())?)?;
    let (_, unit_ms) = UNITS.into_iter().find(|(name, _)| *name == unit)?;
    number.parse::<u64>().ok()?.checked_mul(unit_ms)
}

/// Returns a duration as a setting may give it.
pub(crate) fn show_ms(ms: u64) -> String {
    match UNITS.into_iter().find(|(_, unit_ms)| ms.is_multiple_of(*unit_ms)) {
        Some((name, unit_ms)) if ms > 0 => format!("{}{name}", ms / unit_ms),
        _ => "0".into(),
    }
}

/// Parses a share (`10%`, `0.1`) or a duration.
pub(crate) fn renewal_step(text: &str) -> Parsed<RenewalStep> {
    let percent = if let Some(percent) = text.strip_suffix('%') {
        number(0..=u8::MAX)(percent).ok()
    } else if let Some(decimals) = text.strip_prefix("0.") {
        match *decimals.trim_end_matches('0').as_bytes() {
            [] if !decimals.is_empty() => Some(0),
            [tens @ b'0'..=b'9'] => Some((tens - b'0') * 10),
            [tens @ b'0'..=b'9', ones @ b'0'..=b'9'] => Some((tens - b'0') * 10 + ones - b'0'),
            _ => None,
        }
    } else {
        return match any_duration_ms(text) {
            Some(ms) => Ok(RenewalStep::Fixed { ms }),
            None => Err("is neither a share such as 10% or 0.1 nor a duration such as 30s".into()),
        };
    };
    let percent = percent.filter(|percent| *percent <= MAX_RENEWAL_PERCENT);
    let percent = percent.ok_or("is not a share of whole percents from 0% to 50%")?;
    Ok(RenewalStep::Share { percent })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANY_MS: RangeInclusive<u64> = 0..=u64::MAX;

    #[test]
    fn every_form_of_duration_is_read() {
        for (text, ms) in [
            ("0", 0),
            ("0s", 0),
            ("500ms", 500),
            ("10s", 10_000),
            ("007s", 7_000),
            ("3m", 180_000),
            ("1h", 3_600_000),
            ("14d", 1_209_600_000),
            ("18446744073709551615ms", u64::MAX),
        ] {
            assert_eq!(duration_ms(ANY_MS)(text), Ok(ms), "{text}");
        }
        for text in
            ["", "5", "s", "-1s", "+1s", "1.5s", "1 s", " 1s", "1S", "1w", "1h30m", "1m ", "0x1s", "１s"]
        {
            assert!(duration_ms(ANY_MS)(text).unwrap_err().contains("is not a duration such as"), "{text}");
        }
        for text in ["18446744073709551616ms", "18446744073709551615s", "999999999999999999999999d"] {
            assert!(duration_ms(ANY_MS)(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_mistake_of_a_duration_out_of_range_names_the_range() {
        let range = 10..=MINUTE_MS;
        assert_eq!(duration_ms(range.clone())("1m"), Ok(60_000));
        assert_eq!(duration_ms(range.clone())("61s").unwrap_err(), "is not from 10ms to 1m");
        assert_eq!(duration_ms(range)("0").unwrap_err(), "is not from 10ms to 1m");
        assert_eq!(duration_ms(0..=90 * MINUTE_MS)("1d").unwrap_err(), "is not from 0 to 90m");
    }

    #[test]
    fn a_renewal_step_is_a_share_or_a_duration() {
        for (text, percent) in [
            ("10%", 10),
            ("0%", 0),
            ("50%", 50),
            ("0.1", 10),
            ("0.05", 5),
            ("0.50", 50),
            ("0.0", 0),
            ("0.12", 12),
        ] {
            assert_eq!(renewal_step(text), Ok(RenewalStep::Share { percent }), "{text}");
        }
        assert_eq!(renewal_step("30s"), Ok(RenewalStep::Fixed { ms: 30_000 }));
        assert_eq!(renewal_step("0"), Ok(RenewalStep::Fixed { ms: 0 }));
        for text in
            ["", "51%", "0.51", "1%%", "%", "-1%", "0.", "0.125", "0.1s", "1", "1.0", ".1", "300%", "0.-1"]
        {
            assert!(renewal_step(text).is_err(), "{text}");
        }
    }
}
