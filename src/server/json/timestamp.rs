//! Timestamps in the JSON of the admin plane.

use chrono::{DateTime, Datelike as _, SecondsFormat, Utc};

/// RFC 3339, UTC, milliseconds.
pub fn timestamp(ms: u64) -> String {
    let time = time_of(ms);
    if time.year() > 9999 {
        return time.to_rfc3339_opts(SecondsFormat::Millis, true);
    }
    let mut text = Vec::with_capacity(24);
    Timestamps::default().push(ms, &mut text);
    String::from_utf8(text).unwrap_or_default()
}

pub fn time_of(ms: u64) -> DateTime<Utc> {
    i64::try_from(ms).ok().and_then(DateTime::from_timestamp_millis).unwrap_or(DateTime::UNIX_EPOCH)
}

/// Writes the same for times before the year 10,000. Every token of a batch has one, and chrono's own formatting costs as
/// much as all the rest of it. Most are of one day, whose date is kept.
pub struct Timestamps {
    day: u64,
    /// With the `T` behind it.
    date: [u8; 11],
}

impl Default for Timestamps {
    fn default() -> Self {
        Self { day: 0, date: *b"1970-01-01T" }
    }
}

impl Timestamps {
    const DAY_MS: u64 = 24 * 60 * 60 * 1000;

    /// Appends this time.
    pub(crate) fn push(&mut self, ms: u64, out: &mut Vec<u8>) {
        let day = ms / Self::DAY_MS;
        if day != self.day {
            (self.day, self.date) = (day, date_text(time_of(ms)));
        }
        // Below a day's milliseconds.
        let ms_of_day = (ms % Self::DAY_MS) as u32;
        let (seconds, milli) = (ms_of_day / 1000, ms_of_day % 1000);
        let [h1, h2] = two_digits(seconds / 3600);
        let [mi1, mi2] = two_digits(seconds / 60 % 60);
        let [s1, s2] = two_digits(seconds % 60);
        let ([_, m1], [m2, m3]) = (two_digits(milli / 100), two_digits(milli));
        let [y1, y2, y3, y4, _, mo1, mo2, _, d1, d2, _] = self.date;
        out.extend_from_slice(&[
            y1, y2, y3, y4, b'-', mo1, mo2, b'-', d1, d2, b'T', h1, h2, b':', mi1, mi2, b':', s1, s2, b'.',
            m1, m2, m3, b'Z',
        ]);
    }
}

pub fn date_text(time: DateTime<Utc>) -> [u8; 11] {
    let year = time.year().unsigned_abs();
    let ([y1, y2], [y3, y4]) = (two_digits(year / 100), two_digits(year));
    let ([mo1, mo2], [d1, d2]) = (two_digits(time.month()), two_digits(time.day()));
    [y1, y2, y3, y4, b'-', mo1, mo2, b'-', d1, d2, b'T']
}

/// The last two.
pub fn two_digits(number: u32) -> [u8; 2] {
    [number / 10, number].map(|number| b'0' + (number % 10) as u8)
}
