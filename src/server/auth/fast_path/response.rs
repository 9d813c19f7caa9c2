//! Answers to auth subrequests as bytes: the same that hyper would write.

use crate::server::auth::decision::Verdict;
use crate::server::auth::identity_headers::Identity;
use crate::server::transport::date::DateText;

const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncache-control: no-store\r\n";
/// Most answers are shorter.
const USUAL_BYTES: usize = 512;
/// What an answer ends with, before its date.
const LENGTH_AND_DATE: &[u8] = b"content-length: 0\r\ndate: ";
const LAST_LENGTH_AND_DATE: &[u8] = b"connection: close\r\ncontent-length: 0\r\ndate: ";

/// Appends the answer of `now_ms`; `is_last` tells the client that the connection ends with it.
pub(crate) fn write(
    verdict: &Verdict<'_>,
    now_ms: u64,
    date: &mut DateText,
    is_last: bool,
    out: &mut Vec<u8>,
) {
    // At once, not piece by piece.
    out.reserve(USUAL_BYTES);
    match verdict {
        Verdict::Allowed(record, judged_ms) => {
            out.extend_from_slice(OK);
            Identity::of(record, *judged_ms).write(out);
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
        Verdict::Forbidden(objection) => {
            out.extend_from_slice(b"HTTP/1.1 403 Forbidden\r\ncache-control: no-store\r\nx-auth-reason: ");
            out.extend_from_slice(objection.name().as_bytes());
            out.extend_from_slice(b"\r\n");
        }
        Verdict::Unavailable => out.extend_from_slice(
            b"HTTP/1.1 503 Service Unavailable\r\ncache-control: no-store\r\nretry-after: 1\r\n",
        ),
    }
    out.extend_from_slice(if is_last { LAST_LENGTH_AND_DATE } else { LENGTH_AND_DATE });
    out.extend_from_slice(date.at(now_ms));
    out.extend_from_slice(b"\r\n\r\n");
}
