//! Schemes of the `Authorization` header.

use super::scalar::Parsed;
use crate::values::HeaderScheme;

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
    fn a_scheme_is_a_token_or_none() {
        assert_eq!(header_scheme("Token"), Ok(HeaderScheme::Named("Token".into())));
        assert_eq!(header_scheme("none"), Ok(HeaderScheme::None));
        for text in ["", "a b", "a:b", "é", "Bearer ", &"x".repeat(33)] {
            assert!(header_scheme(text).is_err(), "{text}");
        }
    }
}
