//! Doorward's timestamps: RFC 3339 in UTC, `2026-11-27T08:30:00.125Z`.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

/// A timestamp in JSON.
#[derive(Deserialize)]
#[serde(transparent)]
struct Timestamp(#[serde(deserialize_with = "required")] SystemTime);

/// Reads a timestamp of an answer.
pub(crate) fn required<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SystemTime, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse(&text).ok_or_else(|| D::Error::custom("not a timestamp in UTC"))
}

/// Reads a timestamp, or `null`.
pub(crate) fn optional<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SystemTime>, D::Error> {
    Ok(Option::<Timestamp>::deserialize(deserializer)?.map(|timestamp| timestamp.0))
}

fn parse(text: &str) -> Option<SystemTime> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let [year, month, day] = numbers(date, '-')?;
    let [hour, minute, second] = numbers(time, ':')?;
    let is_valid = (1970..=9999).contains(&year)
        && (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && (hour < 24 && minute < 60 && second <= 60)
        && (1..=9).contains(&fraction.len());
    if !is_valid {
        return None;
    }
    let nanoseconds = digits(fraction)? * 10_u64.pow(9 - fraction.len() as u32);
    let seconds = ((days_since_1970(year, month, day) * 24 + hour) * 60 + minute) * 60 + second;
    UNIX_EPOCH.checked_add(Duration::from_secs(seconds) + Duration::from_nanos(nanoseconds))
}

fn numbers(text: &str, separator: char) -> Option<[u64; 3]> {
    let mut parts = text.split(separator);
    let numbers = [digits(parts.next()?)?, digits(parts.next()?)?, digits(parts.next()?)?];
    parts.next().is_none().then_some(numbers)
}

fn digits(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

/// Returns the days from 1970-01-01 to a date of the Gregorian calendar. Years count from March, so that the leap day is
/// the last of its year.
fn days_since_1970(year: u64, month: u64, day: u64) -> u64 {
    let year = if month > 2 { year } else { year - 1 };
    let months_since_march = (month + 9) % 12;
    let days_since_march = (153 * months_since_march + 2) / 5;
    // 719,469 days from 0000-03-01 to 1970-01-01, counted with `day` starting at 1.
    365 * year + year / 4 - year / 100 + year / 400 + days_since_march + day - 719_469
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_are_seconds_since_1970() {
        for (text, milliseconds) in [
            ("1970-01-01T00:00:00Z", 0),
            ("1970-01-01T00:00:00.001Z", 1),
            ("1999-12-31T23:59:59.999Z", 946_684_799_999),
            ("2000-02-29T12:00:00.000Z", 951_825_600_000),
            ("2026-11-27T00:16:38.250Z", 1_795_738_598_250),
            ("2100-03-01T00:00:00.5Z", 4_107_542_400_500),
        ] {
            assert_eq!(parse(text), Some(UNIX_EPOCH + Duration::from_millis(milliseconds)), "{text}");
        }
    }

    #[test]
    fn other_texts_are_no_timestamps() {
        for text in [
            "",
            "Z",
            "2026-11-27",
            "2026-11-27T00:16:38",
            "2026-11-27T00:16:38+01:00",
            "2026-13-01T00:00:00Z",
            "2026-01-00T00:00:00Z",
            "2026-01-01T24:00:00Z",
            "2026-01-01T00:00:00.Z",
            "2026-01-01T00:00:00.0000000001Z",
            "+026-01-01T00:00:00Z",
            "2026-01-01-01T00:00:00Z",
            "99999999999999999999-01-01T00:00:00Z",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
