//! Points in time as RFC 3339 texts.

use chrono::{DateTime, NaiveDate, NaiveTime, SecondsFormat};

/// Formats a Unix time in milliseconds as RFC 3339 in UTC, without the fraction of its second.
pub(crate) fn timestamp_seconds(ms: u64) -> String {
    let utc = i64::try_from(ms).ok().and_then(DateTime::from_timestamp_millis);
    utc.unwrap_or(DateTime::UNIX_EPOCH).to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// Parses an RFC 3339 date-time. Returns the Unix time in milliseconds; `None` for another text, and for a time before 1970.
pub(crate) fn parse_date_time(text: &str) -> Option<u64> {
    let time = DateTime::parse_from_rfc3339(text).ok()?;
    u64::try_from(time.timestamp_millis()).ok()
}

/// Parses an RFC 3339 date-time, or a date, which means its first moment in UTC. Returns the Unix time in milliseconds;
/// `None` for another text, and for a time before 1970.
pub(crate) fn parse_time(text: &str) -> Option<u64> {
    let time = match NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        // The library also reads dates with fewer digits.
        Ok(date) if text.len() == "2027-01-31".len() => date.and_time(NaiveTime::MIN).and_utc(),
        _ => return parse_date_time(text),
    };
    u64::try_from(time.timestamp_millis()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_date_times_are_times() {
        let first_ms = 1_801_353_600_000;
        for text in
            ["2027-01-31", "2027-01-31T00:00:00Z", "2027-01-31T02:00:00+02:00", "2027-01-31T00:00:00.000Z"]
        {
            assert_eq!(parse_time(text), Some(first_ms), "{text}");
        }
        assert_eq!(timestamp_seconds(first_ms + 999), "2027-01-31T00:00:00Z");
        assert_eq!(
            (parse_date_time("2027-01-31"), parse_date_time("2027-01-31T00:00:00Z")),
            (None, Some(first_ms))
        );
        for text in [
            "",
            "2027",
            "2027-1-31",
            "2027-02-30",
            "31.01.2027",
            "2027-01-31T00:00:00",
            "2027-01-31T25:00:00Z",
            "1969-12-31",
            "+2027-01-31",
            "2027-01-31x",
            "never",
        ] {
            assert_eq!(parse_time(text), None, "{text}");
        }
    }
}
