//! The `Date` header (RFC 9110, section 5.6.7), by the node's clock.
//!
//! hyper's own `Date` follows the system's clock and stands still when that is set back.

use std::cell::RefCell;
use std::time::{Duration, UNIX_EPOCH};

use hyper::header::HeaderValue;

/// The last second that an HTTP date can show: the end of the year 9999.
const LAST_SECOND: u64 = 253_402_300_799;

/// The text of a `Date` header, formatted once a second.
pub(crate) struct DateText {
    second: u64,
    text: String,
}

impl DateText {
    /// Creates a text of no time yet.
    pub fn new() -> Self {
        Self { second: u64::MAX, text: String::new() }
    }

    /// Returns the text for `now_ms`.
    pub fn at(&mut self, now_ms: u64) -> &[u8] {
        let second = second_of(now_ms);
        if second != self.second {
            self.text = format(second);
            self.second = second;
        }
        self.text.as_bytes()
    }
}

/// Returns the header value for `now_ms`, formatted once a second on each thread.
pub fn header_value(now_ms: u64) -> HeaderValue {
    thread_local!(static LATEST: RefCell<Option<(u64, HeaderValue)>> = const { RefCell::new(None) });
    let second = second_of(now_ms);
    LATEST.with_borrow_mut(|latest| match latest {
        Some((known, value)) if *known == second => value.clone(),
        _ => {
            // Cannot fail: a date is visible ASCII and spaces.
            let value = HeaderValue::try_from(format(second)).unwrap_or(HeaderValue::from_static(""));
            *latest = Some((second, value.clone()));
            value
        }
    })
}

fn second_of(now_ms: u64) -> u64 {
    (now_ms / 1000).min(LAST_SECOND)
}

fn format(second: u64) -> String {
    httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(second))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_show_the_time_whichever_way_it_goes() {
        let mut text = DateText::new();
        for (now_ms, shown) in [
            (784_111_777_999, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (784_111_778_000, "Sun, 06 Nov 1994 08:49:38 GMT"),
            (784_111_777_000, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (u64::MAX, "Fri, 31 Dec 9999 23:59:59 GMT"),
        ] {
            assert_eq!(text.at(now_ms), shown.as_bytes());
            assert_eq!(header_value(now_ms), shown);
        }
    }
}
