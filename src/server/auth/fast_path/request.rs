//! Which requests are plain: an auth subrequest as nearly all proxies send it. Only these are answered without hyper;
//! anything that could be read in two ways, announces a body or wants something of the connection is not plain, and
//! what is wrong with it is hyper's to say.

use std::mem::MaybeUninit;

use httparse::{Header, Status};

/// A request with more header lines is not plain.
const MAX_LINES: usize = 48;
/// A longer head is not plain.
pub const MAX_PLAIN_BYTES: usize = 8 * 1024;

/// A plain request.
pub struct PlainRequest<'a> {
    /// Its method.
    pub method: &'a str,
    /// Its path, as it came, without the query.
    pub path: &'a str,
    /// Its header lines.
    pub headers: &'a [Header<'a>],
}

/// What stands at the start of a connection's unread bytes.
pub enum Next<T> {
    /// A plain request of so many bytes, and what was made of it.
    Plain(T, usize),
    /// Its end has not come yet.
    Partial,
    /// One that is not plain, or no request.
    Other,
}

/// Looks at the next request; `use_it` gets it if it is plain, and may still say that it is not.
pub fn next<T>(bytes: &[u8], use_it: impl FnOnce(PlainRequest<'_>) -> Option<T>) -> Next<T> {
    let mut lines = [const { MaybeUninit::uninit() }; MAX_LINES];
    let mut request = httparse::Request::new(&mut []);
    let length = match request.parse_with_uninit_headers(bytes, &mut lines) {
        Ok(Status::Complete(length)) if length <= MAX_PLAIN_BYTES => length,
        Ok(Status::Partial) if bytes.len() <= MAX_PLAIN_BYTES => return Next::Partial,
        _ => return Next::Other,
    };
    let method = request.method.filter(|method| is_plain_method(method));
    let is_plain = request.version == Some(1) && have_plain_framing(request.headers);
    let path = request.path.filter(|_| is_plain).and_then(plain_path);
    let plain =
        method.zip(path).map(|(method, path)| PlainRequest { method, path, headers: request.headers });
    plain.and_then(use_it).map_or(Next::Other, |made| Next::Plain(made, length))
}

fn is_plain_method(method: &str) -> bool {
    matches!(method, "GET" | "HEAD" | "POST" | "PUT" | "DELETE" | "PATCH" | "OPTIONS")
}

/// The path of a target in origin form (RFC 9112, section 3.2.1) of which every reader thinks the same.
fn plain_path(target: &str) -> Option<&str> {
    let is_plain = |c: u8| c.is_ascii_alphanumeric() || b"/-._~%?=&+:@!,;".contains(&c);
    if !target.starts_with('/') || !target.bytes().all(is_plain) {
        return None;
    }
    target.split('?').next()
}

/// One host, no body, nothing about the connection but that it is kept.
fn have_plain_framing(lines: &[Header<'_>]) -> bool {
    let mut hosts = 0;
    for Header { name, value } in lines {
        let is = |other: &str| name.eq_ignore_ascii_case(other);
        // By length first: nearly all names are told apart by it.
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
        match next(bytes.as_bytes(), |request| Some(request.path.to_owned())) {
            Next::Plain(path, length) => {
                assert_eq!((path.as_str(), length), ("/auth", bytes.len()));
                "plain"
            }
            Next::Partial => "partial",
            Next::Other => "other",
        }
    }

    #[test]
    fn what_proxies_send_is_plain() {
        for request in [
            "GET /auth HTTP/1.1\r\nHost: a\r\n\r\n",
            "HEAD /auth?a=b/c%20d HTTP/1.1\r\nhost: a\r\nConnection: Keep-Alive\r\n\r\n",
            "POST /auth HTTP/1.1\r\nX-A: \u{fc}\r\nHOST: a\r\nContent-Length: 0\r\n\r\n",
        ] {
            assert_eq!(kind(request), "plain", "{request}");
            for end in 0..request.len() {
                if request.is_char_boundary(end) {
                    assert_eq!(kind(&request[..end]), "partial", "{request} up to {end}");
                }
            }
        }
    }

    #[test]
    fn all_that_needs_thought_is_not() {
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
            with(&format!("X-A: {}", "a".repeat(MAX_PLAIN_BYTES))),
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
            format!("GET /auth HTTP/1.1\r\nX-A: {}", "a".repeat(MAX_PLAIN_BYTES)),
        ] {
            assert_eq!(kind(&request), "other", "{request}");
        }
    }
}
