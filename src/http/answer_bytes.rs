//! Answers to auth subrequests as bytes: the same that hyper would write.

use std::time::{Duration, UNIX_EPOCH};

use super::auth::Verdict;
use super::identity::Identity;

const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncache-control: no-store\r\n";
/// Most answers are shorter.
const USUAL_BYTES: usize = 512;
/// What an answer ends with, before its date.
const LENGTH_AND_DATE: &[u8] = b"content-length: 0\r\ndate: ";
const LAST_LENGTH_AND_DATE: &[u8] = b"connection: close\r\ncontent-length: 0\r\ndate: ";
/// The last second that HTTP's form of a date can show: the end of the year 9999.
const LAST_SECOND: u64 = 253_402_300_799;

/// The time as `Date` shows it (RFC 9110, section 5.6.7), formatted once a second.
pub struct DateText {
    second: u64,
    text: String,
}

impl DateText {
    /// Of no time yet.
    pub fn new() -> Self {
        Self { second: u64::MAX, text: String::new() }
    }

    fn at(&mut self, now_ms: u64) -> &[u8] {
        let second = (now_ms / 1000).min(LAST_SECOND);
        if second != self.second {
            self.text = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(second));
            self.second = second;
        }
        self.text.as_bytes()
    }
}

/// Appends the answer of `now_ms`; `is_last` tells the client that the connection ends with it.
pub fn write(verdict: &Verdict<'_>, now_ms: u64, date: &mut DateText, is_last: bool, out: &mut Vec<u8>) {
    // At once, not piece by piece.
    out.reserve(USUAL_BYTES);
    match verdict {
        Verdict::Allowed(credential, judged_ms) => {
            out.extend_from_slice(OK);
            Identity::of(credential, *judged_ms).write(out);
        }
        Verdict::Anonymous => {
            out.extend_from_slice(OK);
            Identity::nobody().write(out);
        }
        Verdict::Refused(refusal) => {
            out.extend_from_slice(
                b"HTTP/1.1 401 Unauthorized\r\ncache-control: no-store\r\nwww-authenticate: ",
            );
            out.extend_from_slice(refusal.challenge().as_bytes());
            out.extend_from_slice(b"\r\n");
        }
        Verdict::Forbidden => {
            out.extend_from_slice(b"HTTP/1.1 403 Forbidden\r\ncache-control: no-store\r\n");
        }
        Verdict::Unavailable => out.extend_from_slice(
            b"HTTP/1.1 503 Service Unavailable\r\ncache-control: no-store\r\nretry-after: 1\r\n",
        ),
    }
    out.extend_from_slice(if is_last { LAST_LENGTH_AND_DATE } else { LENGTH_AND_DATE });
    out.extend_from_slice(date.at(now_ms));
    out.extend_from_slice(b"\r\n\r\n");
}
