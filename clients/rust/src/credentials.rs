//! Finds the token of a request by the rules of the validation plane.

use http::HeaderMap;
use http::header::{AUTHORIZATION, COOKIE};

use crate::identity::Via;

/// Finds the token in `Authorization: Bearer`, which decides alone, or else in the cookie of that name. An ambiguous or
/// unreadable request gets an empty token, which is never valid.
pub(crate) fn find_token<'a>(headers: &'a HeaderMap, cookie_name: &str) -> Option<(&'a str, Via)> {
    let mut lines = headers.get_all(AUTHORIZATION).iter();
    if let Some(line) = lines.next() {
        let refused = Some(("", Via::Header));
        let Ok(line) = line.to_str() else { return refused };
        if lines.next().is_some() {
            return refused;
        }
        let (scheme, token) = line.trim().split_once(' ').unwrap_or((line.trim(), ""));
        if scheme.eq_ignore_ascii_case("bearer") {
            return Some((token.trim(), Via::Header));
        }
    }
    let mut values = headers.get_all(COOKIE).iter().flat_map(|line| cookies(line.as_bytes(), cookie_name));
    let first = values.next()?;
    if !values.all(|value| value == first) {
        return Some(("", Via::Cookie));
    }
    // An empty cookie is the absence of a login.
    let token = std::str::from_utf8(first).unwrap_or("-");
    (!token.is_empty()).then_some((token, Via::Cookie))
}

/// Returns the values of the cookies of a name in one header line.
fn cookies<'a>(line: &'a [u8], name: &str) -> impl Iterator<Item = &'a [u8]> {
    line.split(|byte| *byte == b';').filter_map(move |pair| {
        let value = pair.trim_ascii().strip_prefix(name.as_bytes())?.strip_prefix(b"=")?;
        let unquoted = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\""));
        Some(unquoted.unwrap_or(value))
    })
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn find(headers: &[(HeaderName, &'static str)]) -> Option<(String, Via)> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name, HeaderValue::from_static(value));
        }
        find_token(&map, "doorward").map(|(token, via)| (token.to_owned(), via))
    }

    #[test]
    fn a_bearer_header_decides_alone() {
        let cookie = || (COOKIE, "other=1; doorward=c");
        let found = |token: &str, via| Some((token.to_owned(), via));
        assert_eq!(find(&[(AUTHORIZATION, "bearer  t "), cookie()]), found("t", Via::Header));
        assert_eq!(find(&[(AUTHORIZATION, "Bearer"), cookie()]), found("", Via::Header));
        assert_eq!(find(&[(AUTHORIZATION, "Basic YTpi"), cookie()]), found("c", Via::Cookie));
        let twice = [(AUTHORIZATION, "Basic YTpi"), (AUTHORIZATION, "Bearer t"), cookie()];
        assert_eq!(find(&twice), found("", Via::Header));
    }

    #[test]
    fn only_one_value_of_the_cookie_counts() {
        let token_of = |line| find(&[(COOKIE, line)]).map(|(token, _)| token);
        for line in ["", "other=1", "xdoorward=t", "doorward", "doorward=", "doorward=\"\"", "Doorward=t"] {
            assert_eq!(token_of(line), None, "{line}");
        }
        for line in ["doorward=t", " a=b;\tdoorward=\"t\" ; c", "doorward=t; doorward=t"] {
            assert_eq!(token_of(line).as_deref(), Some("t"), "{line}");
        }
        for line in ["doorward=t; doorward=u", "doorward=; doorward=t"] {
            assert_eq!(token_of(line).as_deref(), Some(""), "{line}");
        }
        let lines = [(COOKIE, "doorward=t"), (COOKIE, "doorward=u")];
        assert_eq!(find(&lines), Some((String::new(), Via::Cookie)));
    }
}
