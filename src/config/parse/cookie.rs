//! The name and the attributes of the token cookie.

use std::ops::RangeInclusive;

use super::scalar::{Parsed, choice};
use crate::values::SameSite;

const NAME_BYTES: RangeInclusive<usize> = 1..=64;
/// No DNS name is longer (RFC 1035, section 2.3.4).
const MAX_DOMAIN_BYTES: usize = 253;
/// Browsers ignore a longer attribute (RFC 6265bis, section 5.6).
const MAX_PATH_BYTES: usize = 1024;

/// Returns whether a byte may be in a `token` (RFC 9110, section 5.6.2), which a cookie's name is (RFC 6265,
/// section 4.1.1).
fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Parses a cookie's name.
pub(crate) fn cookie_name(text: &str) -> Parsed<String> {
    if NAME_BYTES.contains(&text.len()) && text.bytes().all(is_token_byte) {
        return Ok(text.into());
    }
    Err("is not a cookie name: 1 to 64 of A-Z a-z 0-9 and !#$%&'*+-.^_`|~".into())
}

/// Parses the policy for requests from other sites.
pub(crate) fn same_site(text: &str) -> Parsed<SameSite> {
    choice(&SameSite::CHOICES)(text)
}

/// Parses a cookie's domain; an empty text is `None`.
pub(crate) fn cookie_domain(text: &str) -> Parsed<Option<String>> {
    if text.is_empty() {
        return Ok(None);
    }
    let is_label = |label: &str| {
        let good = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        (1..=63).contains(&label.len()) && label.bytes().all(good)
    };
    // Browsers reject a cookie whose domain is an IP address.
    let is_name = text.split('.').all(is_label) && text.parse::<std::net::IpAddr>().is_err();
    if is_name && text.len() <= MAX_DOMAIN_BYTES {
        return Ok(Some(text.to_ascii_lowercase()));
    }
    Err("is not a domain such as example.com, without a dot before it".into())
}

/// Parses a cookie's path.
pub(crate) fn cookie_path(text: &str) -> Parsed<String> {
    let good = |byte: u8| byte.is_ascii_graphic() && byte != b';';
    if text.starts_with('/') && text.len() <= MAX_PATH_BYTES && text.bytes().all(good) {
        return Ok(text.into());
    }
    Err("is not a path: / and visible ASCII characters without ;".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_name_is_a_token() {
        assert_eq!(cookie_name("__Host-id"), Ok("__Host-id".into()));
        for text in ["", "a=b", "a;b", "a b", "é", "\"a\"", &"x".repeat(65)] {
            assert!(cookie_name(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_domain_is_a_name_and_a_path_starts_with_a_slash() {
        assert_eq!(cookie_domain("Example.com"), Ok(Some("example.com".into())));
        for text in [".example.com", "127.0.0.1", "a b", "a..b", &"x".repeat(64)] {
            assert!(cookie_domain(text).is_err(), "{text}");
        }
        assert_eq!(cookie_path("/a"), Ok("/a".into()));
        for text in ["", "a", "/;", "/a b"] {
            assert!(cookie_path(text).is_err(), "{text}");
        }
    }
}
