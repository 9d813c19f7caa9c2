//! Where credentials stand: the header, its schemes, and further cookies.

use std::path::PathBuf;

use http::header::{
    CONNECTION, CONTENT_LENGTH, COOKIE, EXPECT, HOST, HeaderName, ORIGIN, TE, TRAILER, TRANSFER_ENCODING,
    UPGRADE,
};
use percent_encoding::percent_decode_str;

use super::cookie::cookie_name;
use super::list::parse_items;
use super::origins::header_name;
use super::scalar::{Parsed, choice};
use super::tables::{parse_tables, set_each};
use crate::values::{CookieDecoding, CredentialHeader, FurtherCookie, HeaderScheme};

const MAX_SCHEMES: usize = 8;
const MAX_FURTHER_COOKIES: usize = 8;

/// The headers with another meaning for every request.
const TAKEN: [HeaderName; 10] =
    [CONNECTION, CONTENT_LENGTH, COOKIE, EXPECT, HOST, ORIGIN, TE, TRAILER, TRANSFER_ENCODING, UPGRADE];
/// How the names of headers start that proxies or browsers set, or that carry the identity to the application.
const TAKEN_PREFIXES: [&str; 5] = ["x-auth-", "x-forwarded-", "x-original-", "sec-", "proxy-"];

/// Parses the name of the header that carries credentials.
pub(crate) fn credential_header(text: &str) -> Parsed<CredentialHeader> {
    let name = header_name(text)?.ok_or("is empty")?;
    let has_other_meaning =
        TAKEN.contains(&name) || TAKEN_PREFIXES.iter().any(|prefix| name.as_str().starts_with(prefix));
    match has_other_meaning {
        true => Err("is a header with another meaning".into()),
        false => Ok(CredentialHeader(name)),
    }
}

/// Parses the schemes of the header, each given once.
pub(crate) fn header_schemes(text: &str) -> Parsed<Vec<HeaderScheme>> {
    let schemes = parse_items(text, MAX_SCHEMES, "scheme", header_scheme)?;
    let is_repeated = |(at, scheme): (usize, &HeaderScheme)| schemes[..at].iter().any(|s| s.is_like(scheme));
    if schemes.iter().enumerate().any(is_repeated) {
        return Err("has a scheme twice".into());
    }
    if schemes.is_empty() { Err("names no scheme".into()) } else { Ok(schemes) }
}

/// Parses further cookies, each with its own name.
pub(crate) fn further_cookies(text: &str) -> Parsed<Vec<FurtherCookie>> {
    parse_tables(text, MAX_FURTHER_COOKIES, "cookie", further_cookie, |cookie| &cookie.name)
}

fn further_cookie(item: &str) -> Parsed<FurtherCookie> {
    let (name, _) = item.split_once(':').unwrap_or((item, ""));
    let name = percent_decode_str(name).decode_utf8().map_err(|_| "its name is not UTF-8")?;
    let name = cookie_name(&name).map_err(|problem| format!("its name {problem}"))?;
    let (mut decoding, mut secret_file) = (CookieDecoding::default(), None);
    set_each(item, &[], |key, value| {
        match key {
            "decoding" => decoding = choice(&CookieDecoding::CHOICES)(value)?,
            "secret-file" if value.is_empty() => return Err("is empty".into()),
            "secret-file" => secret_file = Some(PathBuf::from(value)),
            _ => return Err("is neither decoding nor secret-file".into()),
        }
        Ok(())
    })?;
    match (decoding == CookieDecoding::Express, &secret_file) {
        (true, None) => Err("it has no secret-file, which express needs: its secrets, one per line".into()),
        (false, Some(_)) => Err("it has a secret-file, which only express uses".into()),
        _ => Ok(FurtherCookie { name, decoding, secret_file, secrets: Vec::new() }),
    }
}

/// Longer than every registered scheme.
const MAX_SCHEME_CHARS: usize = 32;

/// Parses a scheme; `none` is a value without one. A scheme is a `token` (RFC 9110, sections 5.6.2 and 11.1).
pub(crate) fn header_scheme(text: &str) -> Parsed<HeaderScheme> {
    let is_token_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    match text {
        "none" => Ok(HeaderScheme::None),
        "" => Err("is empty: write none for a value without a scheme".into()),
        _ if text.len() <= MAX_SCHEME_CHARS && text.bytes().all(is_token_byte) => {
            Ok(HeaderScheme::Named(text.into()))
        }
        _ => Err("is not a scheme: 1 to 32 of A-Z a-z 0-9 and !#$%&'*+-.^_`|~, or none".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_header_has_no_other_meaning() {
        assert_eq!(credential_header("Authorization"), Ok(CredentialHeader::default()));
        assert_eq!(credential_header("X-Api-Token").unwrap().0.as_str(), "x-api-token");
        for text in
            ["", "a b", "Cookie", "HOST", "x-auth-user", "X-Forwarded-For", "Sec-Fetch-Site", "Origin"]
        {
            assert!(credential_header(text).is_err(), "{text}");
        }
    }

    #[test]
    fn schemes_are_given_once() {
        let token = HeaderScheme::Named("Token".into());
        assert_eq!(
            header_schemes("Bearer, Token,none"),
            Ok(vec![HeaderScheme::bearer(), token, HeaderScheme::None])
        );
        for (text, told) in [
            ("", "names no scheme"),
            ("Bearer,bearer", "has a scheme twice"),
            ("none,none", "has a scheme twice"),
            ("Bearer,a b", "in its scheme 2: is not a scheme"),
            ("a,b,c,d,e,f,g,h,i", "more than 8 schemes"),
        ] {
            let problem = header_schemes(text).unwrap_err();
            assert!(problem.contains(told), "{text}: {problem}");
        }
    }

    #[test]
    fn a_further_cookie_has_a_name_and_a_decoding() {
        let cookie = |name: &str, decoding, secret_file: Option<&str>| FurtherCookie {
            name: name.into(),
            decoding,
            secret_file: secret_file.map(Into::into),
            secrets: Vec::new(),
        };
        let text =
            "sid:decoding=percent,connect.sid:decoding=express+secret-file=/run/s,a%2Bb:decoding=base64,x";
        let expected = [
            cookie("sid", CookieDecoding::Percent, None),
            cookie("connect.sid", CookieDecoding::Express, Some("/run/s")),
            cookie("a+b", CookieDecoding::Base64, None),
            cookie("x", CookieDecoding::Plain, None),
        ];
        assert_eq!(further_cookies(text).unwrap(), expected);
        assert_eq!(further_cookies(" "), Ok(vec![]));
        for (text, told) in [
            ("a b", "its cookie 1: its name is not a cookie name"),
            ("a%ff", "its name is not UTF-8"),
            (
                "a,b:decoding=hex",
                "its cookie 2: in b, its decoding is none of plain, percent, base64 and express",
            ),
            ("a:decoding=express", "it has no secret-file, which express needs"),
            ("a:secret-file=/x", "it has a secret-file, which only express uses"),
            ("a:decoding=express+secret-file=", "its secret-file is empty"),
            ("a:path=/", "its path is neither decoding nor secret-file"),
            ("a,a", "has the name a twice"),
            ("a,b,c,d,e,f,g,h,i", "more than 8 cookies"),
        ] {
            let problem = further_cookies(text).unwrap_err();
            assert!(problem.contains(told), "{text}: {problem}");
        }
    }

    #[test]
    fn a_scheme_is_a_token_or_none() {
        assert_eq!(header_scheme("Token"), Ok(HeaderScheme::Named("Token".into())));
        assert_eq!(header_scheme("none"), Ok(HeaderScheme::None));
        for text in ["", "a b", "a:b", "é", "Bearer ", &"x".repeat(33)] {
            assert!(header_scheme(text).is_err(), "{text}");
        }
    }
}
