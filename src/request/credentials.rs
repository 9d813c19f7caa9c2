//! The credentials of a request: the header, or else the cookies.

use std::borrow::Cow;
use std::fmt;
use std::ops::ControlFlow;

use http::header::COOKIE;

use super::headers::{RequestHeaders, bearer};
use super::places::{CookiePlace, CredentialPlaces, MorePlaces, Rank};
use crate::foreign::FormSet;
use crate::model::token::Transport;
use crate::token_string::TokenKind;

/// A request's proof of its user.
#[derive(Debug, PartialEq, Eq)]
pub enum Credentials<'a> {
    /// Nothing, or only a header of another scheme.
    Absent,
    /// A failed login: two lines of the header, two different cookies, or a cookie that cannot be decoded.
    Invalid(Transport),
    /// A token string, which may be invalid.
    Token(TokenString<'a>, Transport),
}

/// A token string, and the forms that a foreign one may have where the request carries it.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenString<'a> {
    /// The decoded string.
    pub bytes: Cow<'a, [u8]>,
    /// The forms. A native string may stand anywhere.
    pub forms: FormSet,
}

impl TokenString<'_> {
    /// Whether the string is one of Doorward's own, by its prefix.
    pub fn is_native(&self) -> bool {
        self.bytes.starts_with(TokenKind::Session.prefix().as_bytes())
    }
}

/// Without the string, which is a secret.
impl fmt::Debug for TokenString<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenString").field("forms", &self.forms).finish_non_exhaustive()
    }
}

/// Extracts the credentials of a request. The first of these counts, even if its token is invalid:
///
/// 1. The header, with an accepted scheme. With another one (such as a staging site's Basic), the cookies count.
/// 2. The token cookie and the further cookies.
/// 3. The cookies of foreign forms.
///
/// An empty cookie is the absence of a login, not a failed one.
#[inline]
pub fn extract<'a>(
    headers: &'a (impl RequestHeaders + ?Sized),
    places: &'a CredentialPlaces,
) -> Credentials<'a> {
    match places.more() {
        None => extract_at(headers, places, None),
        Some(more) => extract_at_more(headers, places, &more),
    }
}

/// Apart, so that the code of the hot path is no larger for it.
#[inline(never)]
fn extract_at_more<'a>(
    headers: &'a (impl RequestHeaders + ?Sized),
    places: &'a CredentialPlaces,
    more: &MorePlaces,
) -> Credentials<'a> {
    extract_at(headers, places, Some(more))
}

/// Compiled twice: without `more`, nothing of it is left.
#[inline(always)]
fn extract_at<'a>(
    headers: &'a (impl RequestHeaders + ?Sized),
    places: &'a CredentialPlaces,
    more: Option<&MorePlaces>,
) -> Credentials<'a> {
    let mut lines = headers.values(&places.header);
    let line = match (lines.next(), lines.next()) {
        (line, None) => line,
        (_, Some(_)) => return Credentials::Invalid(Transport::Header),
    };
    let in_header = line.and_then(|line| match more {
        None => bearer(line).map(|token| (token, FormSet::NONE)),
        Some(more) => more.in_header(line),
    });
    if let Some((token, forms)) = in_header {
        return Credentials::Token(TokenString { bytes: token.into(), forms }, Transport::Header);
    }
    let in_cookies = match more {
        None => in_token_cookie(headers, places),
        Some(more) => in_several_cookies(headers, &more.cookies),
    };
    match in_cookies {
        Ok(None) => Credentials::Absent,
        Ok(Some(token)) => Credentials::Token(token, Transport::Cookie),
        Err(Invalid) => Credentials::Invalid(Transport::Cookie),
    }
}

/// Returns the names of the cookies besides the token cookie that may carry a token string, as far as the request has them.
pub fn other_cookies(headers: &(impl RequestHeaders + ?Sized), places: &CredentialPlaces) -> Vec<String> {
    let Some(more) = places.more() else { return Vec::new() };
    let others = more.cookies.iter().map(|place| &place.name).filter(|name| **name != places.token_cookie);
    others.filter(|name| cookie(headers, name) != CookieInRequest::Absent).cloned().collect()
}

/// Whether the request has a token cookie that is not empty.
pub fn has_token_cookie(headers: &(impl RequestHeaders + ?Sized), places: &CredentialPlaces) -> bool {
    !matches!(cookie(headers, &places.token_cookie), CookieInRequest::Absent | CookieInRequest::Value(b""))
}

/// Two different cookies, or one that cannot be decoded.
struct Invalid;

/// Returns the token string in the token cookie, in the default form.
fn in_token_cookie<'a>(
    headers: &'a (impl RequestHeaders + ?Sized),
    places: &CredentialPlaces,
) -> Result<Option<TokenString<'a>>, Invalid> {
    match cookie(headers, &places.token_cookie) {
        CookieInRequest::Absent | CookieInRequest::Value(b"") => Ok(None),
        CookieInRequest::Ambiguous => Err(Invalid),
        CookieInRequest::Value(value) => Ok(Some(TokenString { bytes: value.into(), forms: FormSet::NONE })),
    }
}

/// Returns the token string in the cookies of the first rank that has one.
fn in_several_cookies<'a>(
    headers: &'a (impl RequestHeaders + ?Sized),
    places: &[CookiePlace],
) -> Result<Option<TokenString<'a>>, Invalid> {
    for rank in [Rank::Native, Rank::Foreign] {
        let found = of_rank(headers, places.iter().filter(|place| place.rank == rank))?;
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

/// Returns the token string that the cookies of a rank carry.
fn of_rank<'a, 'b>(
    headers: &'a (impl RequestHeaders + ?Sized),
    places: impl Iterator<Item = &'b CookiePlace>,
) -> Result<Option<TokenString<'a>>, Invalid> {
    let mut found: Option<TokenString<'a>> = None;
    for CookiePlace { name, reader, forms, .. } in places {
        let value = match cookie(headers, name) {
            CookieInRequest::Absent | CookieInRequest::Value(b"") => continue,
            CookieInRequest::Ambiguous => return Err(Invalid),
            CookieInRequest::Value(value) => value,
        };
        let bytes = reader.read(value).ok_or(Invalid)?;
        match &mut found {
            None => found = Some(TokenString { bytes, forms: *forms }),
            Some(other) if other.bytes == bytes => other.forms = other.forms.union(*forms),
            Some(_) => return Err(Invalid),
        }
    }
    Ok(found)
}

/// The values of one cookie in a request.
#[derive(PartialEq, Eq)]
enum CookieInRequest<'a> {
    Absent,
    /// One value, once or several times.
    Value(&'a [u8]),
    /// Two different values.
    Ambiguous,
}

fn cookie<'a>(headers: &'a (impl RequestHeaders + ?Sized), name: &str) -> CookieInRequest<'a> {
    // Folded: the compiler makes nested loops of it.
    let found = cookie_values(headers, name).try_fold(CookieInRequest::Absent, |found, value| match found {
        CookieInRequest::Value(other) if other != value => ControlFlow::Break(CookieInRequest::Ambiguous),
        _ => ControlFlow::Continue(CookieInRequest::Value(value)),
    });
    match found {
        ControlFlow::Continue(found) | ControlFlow::Break(found) => found,
    }
}

/// Returns the values of all cookies of that name, as they are written.
#[inline]
pub(super) fn cookie_values<'a>(
    headers: &'a (impl RequestHeaders + ?Sized),
    name: &str,
) -> impl Iterator<Item = &'a [u8]> {
    let pairs = headers.values(&COOKIE).flat_map(|line| line.split(|c| *c == b';'));
    pairs.filter_map(|pair| cookie_value(pair.trim_ascii(), name.as_bytes()))
}

/// Returns the value of `name=value`, without the quotes that RFC 6265, section 4.1.1, allows around it.
fn cookie_value<'a>(pair: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let value = pair.strip_prefix(name)?.strip_prefix(b"=")?;
    Some(value.strip_prefix(b"\"").and_then(|v| v.strip_suffix(b"\"")).unwrap_or(value))
}

#[cfg(test)]
mod tests {
    use http::header::{HeaderMap, HeaderName};

    use super::*;
    use crate::config::Config;
    use crate::config::parse::credentials::{credential_header, further_cookies, header_schemes};
    use crate::config::parse::foreign::foreign_forms;

    /// Returns what the request carries, and for a foreign form its place in the settings.
    fn find_with(config: &Config, lines: &[(&str, &str)]) -> String {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        }
        match extract(&headers, &CredentialPlaces::of(config)) {
            Credentials::Absent => "absent".into(),
            Credentials::Invalid(via) => format!("invalid {via:?}"),
            Credentials::Token(TokenString { bytes, forms }, via) => {
                let forms: String = (0..4).filter(|at| forms.has(*at)).map(|at| format!(" {at}")).collect();
                format!("{via:?} {}{forms}", String::from_utf8_lossy(&bytes))
            }
        }
    }

    fn config(change: impl FnOnce(&mut Config)) -> Config {
        let mut config = Config { cookie_name: "dw".into(), ..Config::default() };
        change(&mut config);
        config
    }

    fn find(lines: &[(&str, &str)]) -> String {
        find_with(&config(|_| ()), lines)
    }

    #[test]
    fn a_bearer_header_takes_precedence_over_the_cookie() {
        assert_eq!(find(&[("authorization", "Bearer abc")]), "Header abc");
        assert_eq!(find(&[("authorization", "bEARER   abc ")]), "Header abc");
        assert_eq!(find(&[("authorization", "Bearer")]), "Header ");
        assert_eq!(find(&[("authorization", "Bearer x"), ("cookie", "dw=abc")]), "Header x");
        assert_eq!(find(&[("authorization", "Basic x"), ("cookie", "dw=abc")]), "Cookie abc");
        assert_eq!(find(&[("authorization", "Bearerx abc"), ("cookie", "dw=abc")]), "Cookie abc");
        assert_eq!(find(&[("authorization", "Bearer a"), ("authorization", "Bearer a")]), "invalid Header");
        assert_eq!(find(&[]), "absent");
    }

    #[test]
    fn only_one_cookie_value_of_the_exact_name_counts() {
        assert_eq!(find(&[("cookie", "a=1; dw=abc;b=2")]), "Cookie abc");
        assert_eq!(find(&[("cookie", "dw=\"abc\"")]), "Cookie abc");
        assert_eq!(find(&[("cookie", "xdw=1; DW=2; dwx=3; dw =4; dw")]), "absent");
        assert_eq!(find(&[("cookie", "dw=abc; dw=abc"), ("cookie", "dw=abc")]), "Cookie abc");
        assert_eq!(find(&[("cookie", "dw=abc"), ("cookie", "dw=abd")]), "invalid Cookie");
        assert_eq!(find(&[("cookie", "dw=; dw=abd")]), "invalid Cookie");
        assert_eq!(find(&[("cookie", "dw=")]), "absent");
    }

    #[test]
    fn only_the_named_header_carries_credentials() {
        let config = config(|config| config.header_name = credential_header("X-Token").unwrap());
        let find = |lines: &[(&str, &str)]| find_with(&config, lines);
        assert_eq!(find(&[("x-token", "Bearer a"), ("authorization", "Bearer b")]), "Header a");
        assert_eq!(find(&[("authorization", "Bearer b"), ("cookie", "dw=c")]), "Cookie c");
        assert_eq!(find(&[("x-token", "Bearer a"), ("x-token", "Bearer a")]), "invalid Header");
    }

    #[test]
    fn only_the_listed_schemes_are_accepted() {
        let with = |schemes| config(|config| config.header_schemes = header_schemes(schemes).unwrap());
        let cookie = ("cookie", "dw=c");
        for (schemes, line, found) in [
            ("Token", "token a", "Header a"),
            ("Token", "Bearer a", "Cookie c"),
            ("Token,Bearer", "Bearer a", "Header a"),
            ("none", "a", "Header a"),
            ("none", "Bearer", "Header Bearer"),
            ("none", "Basic YTpi", "Cookie c"),
            ("none", "Bearer a", "Cookie c"),
            ("none", "", "Cookie c"),
            ("none,Bearer", "a", "Header a"),
            ("none,Bearer", "Bearer a", "Header a"),
            ("none,Bearer", "Bearer", "Header "),
            ("none,Bearer", "Basic YTpi", "Cookie c"),
            // A proxy joins two lines so.
            ("none", "a,a", "Header a,a"),
            ("Token", "Token a,Token a", "Header a,Token a"),
        ] {
            let headers = [("authorization", line), cookie];
            assert_eq!(find_with(&with(schemes), &headers), found, "{schemes}: {line}");
        }
    }

    #[test]
    fn further_cookies_have_the_rank_of_the_token_cookie() {
        let text = "p:decoding=percent,b:decoding=base64,plain";
        let config = config(|config| config.further_cookies = further_cookies(text).unwrap());
        let find = |cookies: &str| find_with(&config, &[("cookie", cookies)]);
        assert_eq!(find("p=a%2Bb"), "Cookie a+b");
        assert_eq!(find("b=YStiPz8_+"), "invalid Cookie");
        assert_eq!(find("b=YSti"), "Cookie a+b");
        assert_eq!(find("plain=a%2Bb"), "Cookie a%2Bb");
        assert_eq!(find("dw=a+b; p=a%2Bb; b=YSti"), "Cookie a+b");
        assert_eq!(find("dw=a; p=b"), "invalid Cookie");
        assert_eq!(find("dw=a; p=%zz"), "invalid Cookie");
        assert_eq!(find("dw=a; p=; b="), "Cookie a");
        assert_eq!(find("dw=; p=a"), "Cookie a");
        assert_eq!(find("p=a; p=a%"), "invalid Cookie");
        assert_eq!(find("q=a"), "absent");
        let both = [("authorization", "Bearer x"), ("cookie", "p=%zz")];
        assert_eq!(find_with(&config, &both), "Header x");
    }

    #[test]
    fn foreign_forms_stand_only_at_their_places() {
        let text = "a:scheme=drf+header-scheme=Token,b:scheme=knox+header-scheme=Token+cookie=k,\
                    c:scheme=sha256+cookie=k+cookie=dw,d:scheme=sha256+header-scheme=none";
        let config = config(|config| config.foreign = foreign_forms(text).unwrap());
        let in_header = |line: &str| find_with(&config, &[("authorization", line), ("cookie", "dw=x")]);
        assert_eq!(in_header("Token a"), "Header a 0 1");
        assert_eq!(in_header("Bearer a"), "Header a");
        assert_eq!(in_header("a"), "Header a 3");
        assert_eq!(in_header("Basic a"), "Cookie x 2");
        let find = |cookies: &str| find_with(&config, &[("cookie", cookies)]);
        assert_eq!(find("k=a%7Cb"), "Cookie a|b 1 2");
        assert_eq!(find("dw=a%7Cb"), "Cookie a|b 2");
        assert_eq!(find("k=a; dw=b"), "Cookie b 2");
        assert_eq!(find("k=a; dw="), "Cookie a 1 2");
        assert_eq!(find("k=%zz; dw=b"), "Cookie b 2");
        assert_eq!(find("k=%zz"), "invalid Cookie");
        assert_eq!(find("k=a; k=b"), "invalid Cookie");
    }

    #[test]
    fn two_different_foreign_cookies_are_a_failed_login() {
        let text = "a:scheme=drf+cookie=a,b:scheme=knox+cookie=b";
        let config = config(|config| config.foreign = foreign_forms(text).unwrap());
        let find = |cookies: &str| find_with(&config, &[("cookie", cookies)]);
        assert_eq!(find("a=x; b=y"), "invalid Cookie");
        assert_eq!(find("a=x; b=x"), "Cookie x 0 1");
        assert_eq!(find("a=x; b=y; dw=z"), "Cookie z");
    }
}
