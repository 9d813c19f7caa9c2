//! Answers to auth subrequests as bytes: the same bytes that hyper would write.

use crate::request_check::decision::Decision;
use crate::server::auth::identity_headers::IdentityHeaders;
use crate::server::transport::date::DateText;

const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncache-control: no-store\r\n";
/// Most answers are shorter.
const USUAL_BYTES: usize = 512;
/// The last lines of an answer, up to its date.
const LENGTH_AND_DATE: &[u8] = b"content-length: 0\r\ndate: ";
const LAST_LENGTH_AND_DATE: &[u8] = b"connection: close\r\ncontent-length: 0\r\ndate: ";

/// Appends an answer that is dated `now_ms`. With `is_last`, it says that the connection ends.
pub(crate) fn write(
    decision: &Decision<'_>,
    now_ms: u64,
    date: &mut DateText,
    is_last: bool,
    out: &mut Vec<u8>,
) {
    // One allocation instead of one for each piece.
    out.reserve(USUAL_BYTES);
    match decision {
        Decision::Allowed(record, judged_ms, via) => {
            out.extend_from_slice(OK);
            IdentityHeaders::of(record, *judged_ms, *via).write(out);
        }
        Decision::Anonymous => {
            out.extend_from_slice(OK);
            IdentityHeaders::anonymous().write(out);
        }
        Decision::Refused(refusal) => {
            out.extend_from_slice(
                b"HTTP/1.1 401 Unauthorized\r\ncache-control: no-store\r\nwww-authenticate: ",
            );
            out.extend_from_slice(refusal.challenge().as_bytes());
            out.extend_from_slice(b"\r\n");
        }
        Decision::Forbidden(reason, _) => {
            out.extend_from_slice(b"HTTP/1.1 403 Forbidden\r\ncache-control: no-store\r\nx-auth-reason: ");
            out.extend_from_slice(reason.name().as_bytes());
            out.extend_from_slice(b"\r\n");
        }
        Decision::Unavailable => out.extend_from_slice(
            b"HTTP/1.1 503 Service Unavailable\r\ncache-control: no-store\r\nretry-after: 1\r\n",
        ),
    }
    out.extend_from_slice(if is_last { LAST_LENGTH_AND_DATE } else { LENGTH_AND_DATE });
    out.extend_from_slice(date.at(now_ms));
    out.extend_from_slice(b"\r\n\r\n");
}
