//! Answers to auth subrequests as bytes: the same that hyper would write.

use std::time::{Duration, UNIX_EPOCH};

use super::auth::Verdict;
use super::identity::Identity;

/// What an answer ends with, before its date.
const LENGTH_AND_DATE: &[u8] = b"\r\ncontent-length: 0\r\ndate: ";
const LAST_LENGTH_AND_DATE: &[u8] = b"\r\nconnection: close\r\ncontent-length: 0\r\ndate: ";
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
pub fn write(verdict: &Verdict, now_ms: u64, date: &mut DateText, is_last: bool, out: &mut Vec<u8>) {
    match verdict {
        Verdict::Allowed(credential, judged_ms) => {
            let Identity { user, actor, token_id, slug, backend, device } =
                Identity::of(credential, *judged_ms);
            let expires_in = credential.expires_at_ms.saturating_sub(*judged_ms) / 1000;
            let mut text = itoa::Buffer::new();
            for part in [
                b"HTTP/1.1 200 OK\r\ncache-control: no-store\r\nx-auth-user: ",
                user.as_bytes(),
                b"\r\nx-auth-actor: ",
                actor.as_bytes(),
                b"\r\nx-auth-token-id: ",
                token_id.as_bytes(),
                b"\r\nx-auth-slug: ",
                slug.as_bytes(),
                b"\r\nx-auth-backend: ",
                backend.as_bytes(),
                b"\r\nx-auth-device: ",
                device.as_bytes(),
                b"\r\nx-auth-expires-in: ",
                text.format(expires_in).as_bytes(),
            ] {
                out.extend_from_slice(part);
            }
        }
        Verdict::Anonymous => out.extend_from_slice(
            b"HTTP/1.1 200 OK\r\ncache-control: no-store\r\nx-auth-user: -\r\nx-auth-actor: -\r\n\
              x-auth-token-id: -\r\nx-auth-slug: -\r\nx-auth-backend: -\r\nx-auth-device: -\r\n\
              x-auth-expires-in: 0",
        ),
        Verdict::Refused(refusal) => {
            out.extend_from_slice(
                b"HTTP/1.1 401 Unauthorized\r\ncache-control: no-store\r\nwww-authenticate: ",
            );
            out.extend_from_slice(refusal.challenge().as_bytes());
        }
        Verdict::Forbidden => {
            out.extend_from_slice(b"HTTP/1.1 403 Forbidden\r\ncache-control: no-store");
        }
        Verdict::Unavailable => out.extend_from_slice(
            b"HTTP/1.1 503 Service Unavailable\r\ncache-control: no-store\r\nretry-after: 1",
        ),
    }
    out.extend_from_slice(if is_last { LAST_LENGTH_AND_DATE } else { LENGTH_AND_DATE });
    out.extend_from_slice(date.at(now_ms));
    out.extend_from_slice(b"\r\n\r\n");
}
