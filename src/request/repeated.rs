//! Texts of a request that repeat its credentials. Such a text must not be logged, nor sent on with a trace.

use std::borrow::Cow;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use http::header::AUTHORIZATION;
use percent_encoding::percent_decode;

use super::credentials::cookie_values;
use super::headers::RequestHeaders;
use super::places::CredentialPlaces;

/// A text of at most so many bytes may be a part of a credential, as a token's id is.
const MAX_PUBLIC_BYTES: usize = "dw_".len() + 16;
/// A shorter credential may be a part of a text by chance.
const MIN_CREDENTIAL_BYTES: usize = 8;

/// Of a Basic header, and of cookies that are encoded so.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Whether a text of a request is one of the request's credentials, contains one, or is a large part of one. Credentials
/// are all that stands in the header and the cookies of `places` or in `Authorization`, valid or not.
///
/// Apart, so that the code of the hot path is no larger for it.
#[inline(never)]
pub fn repeats_credential(
    text: &[u8],
    headers: &(impl RequestHeaders + ?Sized),
    places: &CredentialPlaces,
) -> bool {
    let lines = [&AUTHORIZATION, places.header()].into_iter().flat_map(|name| headers.values(name));
    let mut words = lines.flat_map(|line| line.split(|byte| matches!(byte, b' ' | b'\t' | b',')));
    words.any(|word| is_like(text, word))
        || places
            .cookie_names()
            .iter()
            .any(|name| cookie_values(headers, name).any(|value| is_like(text, value)))
}

/// Whether a text is like a credential as it is written, or as it reads when it is decoded.
fn is_like(text: &[u8], written: &[u8]) -> bool {
    let decoded = BASE64.decode(written).unwrap_or_default();
    let unescaped: Cow<'_, [u8]> = percent_decode(written).into();
    overlaps(text, written)
        || overlaps(text, &unescaped)
        // A Basic header has a name and a password.
        || decoded.split(|byte| *byte == b':').chain([&decoded[..]]).any(|part| overlaps(text, part))
}

fn overlaps(text: &[u8], credential: &[u8]) -> bool {
    let contains = |whole: &[u8], part: &[u8]| whole.windows(part.len()).any(|window| window == part);
    match (text.len(), credential.len()) {
        (0, _) | (_, 0) => false,
        (long, short) if long > short => short >= MIN_CREDENTIAL_BYTES && contains(text, credential),
        (short, long) if short < long => short > MAX_PUBLIC_BYTES && contains(credential, text),
        _ => text == credential,
    }
}

#[cfg(test)]
mod tests {
    use http::header::{HeaderMap, HeaderName};

    use super::*;
    use crate::config::Config;
    use crate::config::parse::credentials::{credential_header, further_cookies};

    const TOKEN: &str = "dw_jE0fuKh0wekXwO7vj4y8ug5KIyOrIFDdMHCbREaGpRpo40GF";
    const FOREIGN: &str = "k2hw8v0c9q4m1x7z5b3n6l0p2s4d8f1g";

    fn repeats(text: &str, lines: &[(&str, &str)]) -> bool {
        let config = Config {
            cookie_name: "dw".into(),
            further_cookies: further_cookies("old:decoding=base64").unwrap(),
            header_name: credential_header("X-Token").unwrap(),
            ..Config::default()
        };
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        }
        repeats_credential(text.as_bytes(), &headers, &CredentialPlaces::of(&config))
    }

    #[test]
    fn a_credential_is_found_wherever_it_stands() {
        let encoded = base64::engine::general_purpose::STANDARD.encode(format!("client:{FOREIGN}"));
        for (name, line) in [
            ("authorization", FOREIGN.to_owned()),
            ("authorization", format!("Bearer {FOREIGN}")),
            ("authorization", format!("Token other, {FOREIGN}")),
            ("authorization", format!("Basic {encoded}")),
            ("x-token", format!("Bearer {FOREIGN}")),
            ("cookie", format!("a=b; dw={FOREIGN}")),
            ("cookie", format!("dw=x; dw=\"{FOREIGN}\"")),
            ("cookie", format!("dw=%6b{}", &FOREIGN[1..])),
            ("cookie", format!("old={encoded}")),
        ] {
            for text in [FOREIGN.to_owned(), format!("req-{FOREIGN}"), FOREIGN[..20].to_owned()] {
                assert!(repeats(&text, &[(name, &line)]), "{text} {line}");
            }
            assert!(!repeats("4f1cbb6a8b8b41a1b0b3f0f0d7a0c3c5", &[(name, &line)]), "{line}");
        }
    }

    #[test]
    fn other_texts_are_shown() {
        let lines = [("authorization", &*format!("Bearer {TOKEN}")), ("cookie", "dw=7; trace=req-4711")];
        for text in ["", "jE0fuKh0wekXwO7v", "dw_jE0fuKh0wekXwO7v", "17", "req-4711", "Bearer-like"] {
            assert!(!repeats(text, &lines), "{text}");
        }
        assert!(repeats("7", &lines), "the whole of a credential");
        assert!(repeats(TOKEN, &lines) && repeats(&TOKEN[19..], &lines));
    }
}
