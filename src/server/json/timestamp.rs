//! TimestampWriter: RFC 3339 in UTC with milliseconds.

use chrono::{DateTime, SecondsFormat, Utc};

/// Formats a Unix time in milliseconds.
pub fn timestamp(ms: u64) -> String {
    utc(ms).to_rfc3339_opts(SecondsFormat::Millis, true)
}

fn utc(ms: u64) -> DateTime<Utc> {
    i64::try_from(ms).ok().and_then(DateTime::from_timestamp_millis).unwrap_or(DateTime::UNIX_EPOCH)
}

/// Writes timestamps for batches, where chrono's formatting would cost as much as all the rest. Most timestamps of a batch
/// have the same date, so its text is kept.
#[derive(Default)]
pub struct TimestampWriter {
    day: u64,
    /// The date and the `T` after it, by chrono. Empty at first.
    date: String,
}

impl TimestampWriter {
    const DAY_MS: u64 = 24 * 60 * 60 * 1000;

    /// Appends the same text as [`timestamp`].
    pub(crate) fn write(&mut self, ms: u64, out: &mut Vec<u8>) {
        let day = ms / Self::DAY_MS;
        if day != self.day || self.date.is_empty() {
            (self.day, self.date) = (day, utc(ms).format("%Y-%m-%dT").to_string());
        }
        // Less than a day's milliseconds.
        let ms_of_day = (ms % Self::DAY_MS) as u32;
        let (seconds, milli) = (ms_of_day / 1000, ms_of_day % 1000);
        let [h1, h2] = two_digits(seconds / 3600);
        let [m1, m2] = two_digits(seconds / 60 % 60);
        let [s1, s2] = two_digits(seconds % 60);
        let ([_, f1], [f2, f3]) = (two_digits(milli / 100), two_digits(milli));
        out.extend_from_slice(self.date.as_bytes());
        out.extend_from_slice(&[h1, h2, b':', m1, m2, b':', s1, s2, b'.', f1, f2, f3, b'Z']);
    }
}

/// The last two digits.
fn two_digits(number: u32) -> [u8; 2] {
    [number / 10, number].map(|number| b'0' + (number % 10) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_have_milliseconds_and_a_z() {
        assert_eq!(timestamp(1_800_000_000_007), "2027-01-15T08:00:00.007Z");
        assert_eq!(timestamp(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(timestamp(4_102_444_799_999), "2099-12-31T23:59:59.999Z");
        assert_eq!(timestamp(253_402_300_800_000), "+10000-01-01T00:00:00.000Z");
    }

    #[test]
    fn the_writer_and_chrono_agree() {
        let mut timestamps = TimestampWriter::default();
        for ms in [
            86_399_999,
            86_400_000,
            1_800_000_000_007,
            1_800_000_000_008,
            1_800_086_400_000,
            253_402_300_800_000,
            0,
        ] {
            let mut text = Vec::new();
            timestamps.write(ms, &mut text);
            assert_eq!(String::from_utf8(text).unwrap(), timestamp(ms));
        }
    }
}
