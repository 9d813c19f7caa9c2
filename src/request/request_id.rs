//! The id of a request: `X-Request-Id`, by which its log lines on all sides are found.
//!
//! Any client can choose it, so it proves nothing.

use std::fmt;

use http::header::{HeaderName, HeaderValue};

use super::headers::RequestHeaders;
use super::places::CredentialPlaces;
use super::repeated::repeats_credential;
use crate::entropy::Entropy;
use crate::token_string::TokenKind;

/// The header that carries the id, in requests and in responses.
pub static X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The longest id that is taken over.
pub const MAX_REQUEST_ID_BYTES: usize = 128;

/// The id of a request. No character of it needs an escape in a log line, in a header or in JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId(String);

impl RequestId {
    /// Takes over the id that a request carries, or makes one if the request carries none that may be logged.
    pub fn of(
        headers: &(impl RequestHeaders + ?Sized),
        places: &CredentialPlaces,
        entropy: &Entropy,
    ) -> Self {
        match request_id_in(headers, places) {
            Some(given) => Self(given.to_owned()),
            None => Self::made(entropy),
        }
    }

    /// Makes an id of 16 random bytes in hexadecimal, like nginx's `$request_id`.
    pub fn made(entropy: &Entropy) -> Self {
        // An id only helps to search the log. If the system has no randomness, all ids are zero.
        let bytes: [u8; 16] = entropy.bytes().unwrap_or_default();
        Self(format!("{:032x}", u128::from_be_bytes(bytes)))
    }

    /// Returns the id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the id as the value of a header.
    pub fn header_value(&self) -> HeaderValue {
        // Cannot fail: all characters are visible ASCII.
        HeaderValue::from_str(&self.0).unwrap_or_else(|_| HeaderValue::from_static("-"))
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Returns the id that a request carries: one line of 1 to [`MAX_REQUEST_ID_BYTES`] letters, digits and `. _ : / + = @ -`.
/// `None` for everything else, which must not reach a log.
///
/// These are the characters of the ids that proxies and platforms make: hexadecimal digits (nginx), UUIDs (Envoy, Caddy,
/// Kong, browsers), letters, digits and `+ / = -` (Heroku), base64 (Amazon API Gateway), `:` and `_` (HAProxy's unique-id
/// format), `@` (Rails). Commas stay out: they join two lines. So do credentials that a client put here by mistake: token
/// strings, and what stands at a place for credentials of the same request.
pub fn request_id_in<'a>(
    headers: &'a (impl RequestHeaders + ?Sized),
    places: &CredentialPlaces,
) -> Option<&'a str> {
    let mut lines = headers.values(&X_REQUEST_ID);
    match (lines.next(), lines.next()) {
        (Some(line), None) if is_well_formed(line) && !repeats_credential(line, headers, places) => {
            std::str::from_utf8(line).ok()
        }
        _ => None,
    }
}

fn is_well_formed(line: &[u8]) -> bool {
    let is_allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"._:/+=@-".contains(byte);
    let is_token = [TokenKind::Session, TokenKind::DeviceLogin]
        .iter()
        .any(|kind| line.starts_with(kind.prefix().as_bytes()));
    (1..=MAX_REQUEST_ID_BYTES).contains(&line.len()) && line.iter().all(is_allowed) && !is_token
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;
    use crate::config::Config;

    fn id_of(lines: &[&str], entropy: &Entropy) -> RequestId {
        RequestId::of(&headers(lines), &CredentialPlaces::of(&Config::default()), entropy)
    }

    fn headers(lines: &[&str]) -> HeaderMap {
        lines.iter().map(|line| (X_REQUEST_ID.clone(), line.parse().unwrap())).fold(
            HeaderMap::new(),
            |mut headers, (name, value)| {
                headers.append(name, value);
                headers
            },
        )
    }

    #[test]
    fn ids_of_proxies_and_platforms_are_taken_over() {
        let longest = "a".repeat(MAX_REQUEST_ID_BYTES);
        for id in [
            "7",
            "4f1cbb6a8b8b41a1b0b3f0f0d7a0c3c5",
            "01234567-89ab-4cde-8f01-23456789abcd",
            "3F2A8C01:C0A8_7F000001:1F90_65A1B2C3_0042:1A2B",
            "Root=1-67891233-abcdef012345678912345678",
            "JKJaXFPCjJQKFgQ=",
            "host.example/k2Qw+x-000017",
            "web@1",
            &longest,
        ] {
            assert_eq!(id_of(&[id], &Entropy::seeded(1)).as_str(), id);
        }
    }

    #[test]
    fn other_ids_are_replaced() {
        let too_long = "a".repeat(MAX_REQUEST_ID_BYTES + 1);
        for lines in [
            &[][..],
            &[""],
            &["a b"],
            &["a\tb"],
            &["a,b"],
            &["a\"b"],
            &["a%0ab"],
            &["a;b"],
            &["\u{e9}"],
            &[&too_long],
            &["a", "a"],
            &["dw_jE0fuKh0wekXwO7vj4y8ug5KIyOrIFDdMHCbREaGpRpo40GF"],
        ] {
            let id = id_of(lines, &Entropy::seeded(1));
            assert_eq!(id.as_str().len(), 32, "{lines:?}");
            assert!(id.as_str().bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
            assert_eq!(id.header_value(), id.as_str());
        }
        let (one, other) = (Entropy::seeded(1), Entropy::seeded(2));
        assert_ne!(id_of(&[], &one), id_of(&[], &other));
    }
}
