//! The credentials of a request: the `Authorization` header, or else the cookie.

use hyper::header::{AUTHORIZATION, COOKIE};

use super::headers::RequestHeaders;
use crate::model::token::Transport;

/// What a request carries as proof of its user.
#[derive(Debug, PartialEq, Eq)]
pub enum Credentials<'a> {
    /// Nothing, or only an `Authorization` header of another scheme than `Bearer`.
    Absent,
    /// Two `Authorization` lines, or two different cookies: a failed login.
    Ambiguous(Transport),
    /// This token string, which may be invalid.
    Token(&'a [u8], Transport),
}

/// Extracts the credentials of a request. A Bearer header takes precedence, even if its token is invalid. With another
/// scheme (such as a staging site's Basic), the cookie counts.
pub fn extract<'a>(headers: &'a (impl RequestHeaders + ?Sized), cookie_name: &str) -> Credentials<'a> {
    let mut lines = headers.values(&AUTHORIZATION);
    match (lines.next(), lines.next()) {
        (None, _) => from_cookie(headers, cookie_name),
        (Some(line), None) => match bearer(line) {
            Some(token) => Credentials::Token(token, Transport::Header),
            None => from_cookie(headers, cookie_name),
        },
        (Some(_), Some(_)) => Credentials::Ambiguous(Transport::Header),
    }
}

/// Returns the text after the scheme `Bearer`, or `None` for another scheme.
pub fn bearer(line: &[u8]) -> Option<&[u8]> {
    after_scheme(b"Bearer", line)
}

/// Returns the text after the wanted scheme, in upper or lower case (RFC 9110, section 11.1), or `None` for another scheme.
pub fn after_scheme<'a>(wanted: &[u8], line: &'a [u8]) -> Option<&'a [u8]> {
    let (scheme, rest) = line.split_at_checked(wanted.len())?;
    let is_wanted = scheme.eq_ignore_ascii_case(wanted) && rest.first().is_none_or(|c| *c == b' ');
    is_wanted.then(|| rest.trim_ascii())
}

fn from_cookie<'a>(headers: &'a (impl RequestHeaders + ?Sized), name: &str) -> Credentials<'a> {
    let mut found: Option<&[u8]> = None;
    for line in headers.values(&COOKIE) {
        for pair in line.split(|c| *c == b';') {
            let Some(value) = cookie_value(pair.trim_ascii(), name.as_bytes()) else { continue };
            if found.is_some_and(|other| other != value) {
                return Credentials::Ambiguous(Transport::Cookie);
            }
            found = Some(value);
        }
    }
    match found {
        // A cleared cookie is the absence of a login, not a failed one.
        None | Some(b"") => Credentials::Absent,
        Some(value) => Credentials::Token(value, Transport::Cookie),
    }
}

/// Returns the value of `name=value`, without the quotes that RFC 6265, section 4.1.1, allows around it.
fn cookie_value<'a>(pair: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let value = pair.strip_prefix(name)?.strip_prefix(b"=")?;
    Some(value.strip_prefix(b"\"").and_then(|v| v.strip_suffix(b"\"")).unwrap_or(value))
}

#[cfg(test)]
mod tests {
    use hyper::header::{HeaderMap, HeaderName};

    use super::*;

    fn find(lines: &[(&str, &str)]) -> String {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        }
        match extract(&headers, "dw") {
            Credentials::Absent => "absent".into(),
            Credentials::Ambiguous(via) => format!("ambiguous {via:?}"),
            Credentials::Token(token, via) => format!("{via:?} {}", String::from_utf8_lossy(token)),
        }
    }

    #[test]
    fn a_bearer_header_takes_precedence_over_the_cookie() {
        assert_eq!(find(&[("authorization", "Bearer abc")]), "Header abc");
        assert_eq!(find(&[("authorization", "bEARER   abc ")]), "Header abc");
        assert_eq!(find(&[("authorization", "Bearer")]), "Header ");
        assert_eq!(find(&[("authorization", "Bearer x"), ("cookie", "dw=abc")]), "Header x");
        assert_eq!(find(&[("authorization", "Basic x"), ("cookie", "dw=abc")]), "Cookie abc");
        assert_eq!(find(&[("authorization", "Bearerx abc"), ("cookie", "dw=abc")]), "Cookie abc");
        assert_eq!(find(&[("authorization", "Bearer a"), ("authorization", "Bearer a")]), "ambiguous Header");
        assert_eq!(find(&[]), "absent");
    }

    #[test]
    fn only_one_cookie_value_of_the_exact_name_counts() {
        assert_eq!(find(&[("cookie", "a=1; dw=abc;b=2")]), "Cookie abc");
        assert_eq!(find(&[("cookie", "dw=\"abc\"")]), "Cookie abc");
        assert_eq!(find(&[("cookie", "xdw=1; DW=2; dwx=3; dw =4; dw")]), "absent");
        assert_eq!(find(&[("cookie", "dw=abc; dw=abc"), ("cookie", "dw=abc")]), "Cookie abc");
        assert_eq!(find(&[("cookie", "dw=abc"), ("cookie", "dw=abd")]), "ambiguous Cookie");
        assert_eq!(find(&[("cookie", "dw=; dw=abd")]), "ambiguous Cookie");
        assert_eq!(find(&[("cookie", "dw=")]), "absent");
    }
}
