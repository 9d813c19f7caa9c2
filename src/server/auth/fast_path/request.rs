//! Finds common requests: auth subrequests as nearly all proxies send them. Every other request goes to hyper. That
//! includes every request that could be read in two ways, announces a body, or changes the connection; hyper also answers
//! malformed ones.

use std::mem::MaybeUninit;

use httparse::{Header, Status};

/// The most header lines of a common request.
const MAX_LINES: usize = 48;
/// The most bytes of a common request's head.
pub const MAX_COMMON_BYTES: usize = 8 * 1024;

/// A common request.
pub struct CommonRequest<'a> {
    /// The method.
    pub method: &'a str,
    /// The path as it arrived, without the query.
    pub path: &'a str,
    /// The header lines.
    pub headers: &'a [Header<'a>],
}

/// The start of a connection's unread bytes.
pub enum Next<T> {
    /// A common request, what was made of it, and its length.
    Common(T, usize),
    /// An incomplete request.
    Partial,
    /// Another request, or no request.
    Other,
}

/// Parses the next request. `use_it` gets a common request, and may still leave it to hyper by `None`.
pub fn parse_next<T>(bytes: &[u8], use_it: impl FnOnce(CommonRequest<'_>) -> Option<T>) -> Next<T> {
    let mut lines = [const { MaybeUninit::uninit() }; MAX_LINES];
    let mut request = httparse::Request::new(&mut []);
    let length = match request.parse_with_uninit_headers(bytes, &mut lines) {
        Ok(Status::Complete(length)) if length <= MAX_COMMON_BYTES => length,
        Ok(Status::Partial) if bytes.len() <= MAX_COMMON_BYTES => return Next::Partial,
        _ => return Next::Other,
    };
    let method = request.method.filter(|method| is_common_method(method));
    let is_common = request.version == Some(1) && have_common_framing(request.headers);
    let path = request.path.filter(|_| is_common).and_then(common_path);
    let common =
        method.zip(path).map(|(method, path)| CommonRequest { method, path, headers: request.headers });
    common.and_then(use_it).map_or(Next::Other, |made| Next::Common(made, length))
}

fn is_common_method(method: &str) -> bool {
    matches!(method, "GET" | "HEAD" | "POST" | "PUT" | "DELETE" | "PATCH" | "OPTIONS")
}

/// Returns the path of a target in origin form (RFC 9112, section 3.2.1), if every parser reads the same from it.
fn common_path(target: &str) -> Option<&str> {
    let is_unambiguous = |c: u8| c.is_ascii_alphanumeric() || b"/-._~%?=&+:@!,;".contains(&c);
    if !target.starts_with('/') || !target.bytes().all(is_unambiguous) {
        return None;
    }
    target.split('?').next()
}

/// Whether there is one host, no body, and no connection option but `keep-alive`.
fn have_common_framing(lines: &[Header<'_>]) -> bool {
    let mut hosts = 0;
    for Header { name, value } in lines {
        let is = |other: &str| name.eq_ignore_ascii_case(other);
        // By length first: nearly all names differ in it.
        match name.len() {
            4 if is("host") => hosts += 1,
            6 if is("expect") => return false,
            7 if is("upgrade") => return false,
            10 if is("connection") && !value.eq_ignore_ascii_case(b"keep-alive") => return false,
            14 if is("content-length") && *value != b"0" => return false,
            17 if is("transfer-encoding") => return false,
            _ => {}
        }
    }
    hosts == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(bytes: &str) -> &'static str {
        match parse_next(bytes.as_bytes(), |request| Some(request.path.to_owned())) {
            Next::Common(path, length) => {
                assert_eq!((path.as_str(), length), ("/auth", bytes.len()));
                "common"
            }
            Next::Partial => "partial",
            Next::Other => "other",
        }
    }

    #[test]
    fn requests_of_proxies_are_common() {
        for request in [
            "GET /auth HTTP/1.1\r\nHost: a\r\n\r\n",
            "HEAD /auth?a=b/c%20d HTTP/1.1\r\nhost: a\r\nConnection: Keep-Alive\r\n\r\n",
            "POST /auth HTTP/1.1\r\nX-A: \u{fc}\r\nHOST: a\r\nContent-Length: 0\r\n\r\n",
        ] {
            assert_eq!(kind(request), "common", "{request}");
            for end in 0..request.len() {
                if request.is_char_boundary(end) {
                    assert_eq!(kind(&request[..end]), "partial", "{request} up to {end}");
                }
            }
        }
    }

    #[test]
    fn unusual_requests_are_left_to_hyper() {
        let with = |lines: &str| format!("GET /auth HTTP/1.1\r\nHost: a\r\n{lines}\r\n\r\n");
        for request in [
            with("Content-Length: 1"),
            with("Content-Length: 00"),
            with("Content-Length: 0, 0"),
            with("Transfer-Encoding: chunked"),
            with("Expect: 100-continue"),
            with("Upgrade: h2c"),
            with("Connection: close"),
            with("Connection: keep-alive, upgrade"),
            with("Host: b"),
            with("no colon"),
            with(&format!("X-A: {}", "a".repeat(MAX_COMMON_BYTES))),
            with(&"X-A: a\r\n".repeat(MAX_LINES)),
            "GET /auth HTTP/1.0\r\nHost: a\r\n\r\n".into(),
            "GET /auth HTTP/1.1\r\n\r\n".into(),
            "CONNECT /auth HTTP/1.1\r\nHost: a\r\n\r\n".into(),
            "BREW /auth HTTP/1.1\r\nHost: a\r\n\r\n".into(),
            "GET http://a/auth HTTP/1.1\r\nHost: a\r\n\r\n".into(),
            "GET * HTTP/1.1\r\nHost: a\r\n\r\n".into(),
            "GET /auth#a HTTP/1.1\r\nHost: a\r\n\r\n".into(),
            "GET /auth?\" HTTP/1.1\r\nHost: a\r\n\r\n".into(),
            "PRI * HTTP/2.0\r\n\r\n".into(),
            "\0".into(),
            format!("GET /auth HTTP/1.1\r\nX-A: {}", "a".repeat(MAX_COMMON_BYTES)),
        ] {
            assert_eq!(kind(&request), "other", "{request}");
        }
    }
}
