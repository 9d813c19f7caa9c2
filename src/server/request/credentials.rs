//! Where a request carries its token: the Authorization header, else the cookie.

use hyper::header::{AUTHORIZATION, COOKIE};

use super::headers::RequestHeaders;
use crate::model::token::Transport;

/// The token a request carries.
#[derive(Debug, PartialEq, Eq)]
pub enum Presented<'a> {
    /// None, or only credentials of a scheme that is not ours.
    Absent,
    /// Something that can be no login: two Authorization lines, or two different cookies.
    Ambiguous(Transport),
    /// This string, to be judged.
    Token(&'a [u8], Transport),
}

/// Finds the token of a request. A Bearer header decides, also when it is worthless; another scheme (a staging
/// site's Basic) is not ours, so the cookie is tried.
pub fn presented<'a>(headers: &'a (impl RequestHeaders + ?Sized), cookie_name: &str) -> Presented<'a> {
    let mut lines = headers.values(&AUTHORIZATION);
    match (lines.next(), lines.next()) {
        (None, _) => from_cookie(headers, cookie_name),
        (Some(line), None) => match bearer(line) {
            Some(token) => Presented::Token(token, Transport::Header),
            None => from_cookie(headers, cookie_name),
        },
        (Some(_), Some(_)) => Presented::Ambiguous(Transport::Header),
    }
}

/// What follows the scheme `Bearer`; `None` for another scheme.
pub fn bearer(line: &[u8]) -> Option<&[u8]> {
    after_scheme(b"Bearer", line)
}

/// What follows a scheme, in any case (RFC 9110, section 11.1); `None` for another scheme.
pub fn after_scheme<'a>(wanted: &[u8], line: &'a [u8]) -> Option<&'a [u8]> {
    let (scheme, rest) = line.split_at_checked(wanted.len())?;
    let is_wanted = scheme.eq_ignore_ascii_case(wanted) && rest.first().is_none_or(|c| *c == b' ');
    is_wanted.then(|| rest.trim_ascii())
}

fn from_cookie<'a>(headers: &'a (impl RequestHeaders + ?Sized), name: &str) -> Presented<'a> {
    let mut found: Option<&[u8]> = None;
    for line in headers.values(&COOKIE) {
        for pair in line.split(|c| *c == b';') {
            let Some(value) = cookie_value(pair.trim_ascii(), name.as_bytes()) else { continue };
            if found.is_some_and(|other| other != value) {
                return Presented::Ambiguous(Transport::Cookie);
            }
            found = Some(value);
        }
    }
    match found {
        // A cleared cookie is no login, not a failed one.
        None | Some(b"") => Presented::Absent,
        Some(value) => Presented::Token(value, Transport::Cookie),
    }
}

/// The value of `name=value`, without the quotes that RFC 6265, section 4.1.1, allows around it.
fn cookie_value<'a>(pair: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let value = pair.strip_prefix(name)?.strip_prefix(b"=")?;
    Some(value.strip_prefix(b"\"").and_then(|v| v.strip_suffix(b"\"")).unwrap_or(value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::{HeaderMap, HeaderName};

    fn find(lines: &[(&str, &str)]) -> String {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        }
        match presented(&headers, "dw") {
            Presented::Absent => "absent".into(),
            Presented::Ambiguous(via) => format!("ambiguous {via:?}"),
            Presented::Token(token, via) => format!("{via:?} {}", String::from_utf8_lossy(token)),
        }
    }

    #[test]
    fn the_header_decides_when_it_is_ours() {
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
    fn a_cookie_counts_by_its_exact_name_and_one_value() {
        assert_eq!(find(&[("cookie", "a=1; dw=abc;b=2")]), "Cookie abc");
        assert_eq!(find(&[("cookie", "dw=\"abc\"")]), "Cookie abc");
        assert_eq!(find(&[("cookie", "xdw=1; DW=2; dwx=3; dw =4; dw")]), "absent");
        assert_eq!(find(&[("cookie", "dw=abc; dw=abc"), ("cookie", "dw=abc")]), "Cookie abc");
        assert_eq!(find(&[("cookie", "dw=abc"), ("cookie", "dw=abd")]), "ambiguous Cookie");
        assert_eq!(find(&[("cookie", "dw=; dw=abd")]), "ambiguous Cookie");
        assert_eq!(find(&[("cookie", "dw=")]), "absent");
    }
}
