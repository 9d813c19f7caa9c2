//! Reads the token string out of the value of a cookie.

use std::borrow::Cow;

use base64::Engine as _;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use percent_encoding::percent_decode;
use ring::hmac;

use crate::foreign::cookie_signature::signed_value;
use crate::values::{CookieDecoding, SecretString};

const WITH_OR_WITHOUT_PADDING: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const BASE64: GeneralPurpose = GeneralPurpose::new(&STANDARD, WITH_OR_WITHOUT_PADDING);
const BASE64URL: GeneralPurpose = GeneralPurpose::new(&URL_SAFE, WITH_OR_WITHOUT_PADDING);

/// Reads the token string out of the value of a cookie.
#[derive(Clone, Debug)]
pub struct CookieReader {
    decoding: CookieDecoding,
    /// The keys of the signature, for [`CookieDecoding::Express`].
    keys: Box<[hmac::Key]>,
}

impl CookieReader {
    /// A reader. Only [`CookieDecoding::Express`] has secrets, each of which may have signed a cookie.
    pub fn new(decoding: CookieDecoding, secrets: &[SecretString]) -> Self {
        let key = |secret: &SecretString| hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes());
        Self { decoding, keys: secrets.iter().map(key).collect() }
    }

    /// Returns the token string, or `None` if the value cannot be decoded or has no valid signature.
    pub fn read<'a>(&self, value: &'a [u8]) -> Option<Cow<'a, [u8]>> {
        match self.decoding {
            CookieDecoding::Plain => Some(value.into()),
            CookieDecoding::Percent => percent_decoded(value),
            // Frameworks escape the characters + / = of base64.
            CookieDecoding::Base64 => base64_decoded(&percent_decoded(value)?).map(Cow::Owned),
            CookieDecoding::Express => match percent_decoded(value)? {
                Cow::Borrowed(value) => signed_value(value, &self.keys).map(Cow::Borrowed),
                Cow::Owned(value) => {
                    signed_value(&value, &self.keys).map(|signed| Cow::Owned(signed.to_vec()))
                }
            },
        }
    }
}

/// Decodes percent-encoding (RFC 3986, section 2.1); `None` if a `%` starts no escape.
fn percent_decoded(value: &[u8]) -> Option<Cow<'_, [u8]>> {
    let is_escape =
        |at: usize| value.get(at + 1..at + 3).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit));
    let mut percents = value.iter().enumerate().filter(|(_, byte)| **byte == b'%');
    percents.all(|(at, _)| is_escape(at)).then(|| percent_decode(value).into())
}

/// Decodes base64 in either alphabet (RFC 4648, sections 4 and 5), with or without padding.
fn base64_decoded(value: &[u8]) -> Option<Vec<u8>> {
    let is_url_safe = value.iter().any(|byte| b"-_".contains(byte));
    if is_url_safe { BASE64URL.decode(value).ok() } else { BASE64.decode(value).ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(decoding: CookieDecoding, value: &str) -> Option<String> {
        let reader =
            CookieReader::new(decoding, &[SecretString::new("old"), SecretString::new("keyboard cat")]);
        reader.read(value.as_bytes()).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    #[test]
    fn each_decoding_reads_what_frameworks_write() {
        for (decoding, value, expected) in [
            (CookieDecoding::Plain, "a%2Bb", "a%2Bb"),
            (CookieDecoding::Percent, "a", "a"),
            (CookieDecoding::Percent, "a%2Bb%7c+", "a+b|+"),
            (CookieDecoding::Percent, "%ff", "\u{fffd}"),
            (CookieDecoding::Base64, "YWI/Pz4+", "ab??>>"),
            (CookieDecoding::Base64, "YWI_Pz4-", "ab??>>"),
            (CookieDecoding::Base64, "YWJj", "abc"),
            (CookieDecoding::Base64, "YQ", "a"),
            (CookieDecoding::Base64, "YQ==", "a"),
            (CookieDecoding::Base64, "YQ%3D%3D", "a"),
            (CookieDecoding::Base64, "", ""),
        ] {
            assert_eq!(read(decoding, value).as_deref(), Some(expected), "{decoding:?} {value}");
        }
    }

    /// Python's `hmac` made the signature.
    #[test]
    fn an_express_cookie_is_signed() {
        let hello = "s:hello.xz6khi6+oL1pnNhBgjk3Nr1CX2sxTjJiO9pKXaHZ33E";
        for value in [hello.to_owned(), hello.replace(':', "%3A").replace('/', "%2F").replace('+', "%2B")] {
            assert_eq!(read(CookieDecoding::Express, &value).as_deref(), Some("hello"), "{value}");
        }
    }

    #[test]
    fn what_cannot_be_decoded_is_refused() {
        for (decoding, value) in [
            (CookieDecoding::Percent, "%"),
            (CookieDecoding::Percent, "a%4"),
            (CookieDecoding::Percent, "%zz"),
            (CookieDecoding::Percent, "%%41"),
            (CookieDecoding::Base64, "Y"),
            (CookieDecoding::Base64, "YWI/Pz4-"),
            (CookieDecoding::Base64, "YQ=a"),
            (CookieDecoding::Base64, "a b"),
            (CookieDecoding::Base64, "%"),
            (CookieDecoding::Express, ""),
            (CookieDecoding::Express, "s:"),
            (CookieDecoding::Express, "s:hello"),
            (CookieDecoding::Express, "s:hello."),
            (CookieDecoding::Express, "hello.xz6khi6+oL1pnNhBgjk3Nr1CX2sxTjJiO9pKXaHZ33E"),
            (CookieDecoding::Express, "s:hellp.xz6khi6+oL1pnNhBgjk3Nr1CX2sxTjJiO9pKXaHZ33E"),
            (CookieDecoding::Express, "s:hello.xz6khi6+oL1pnNhBgjk3Nr1CX2sxTjJiO9pKXaHZ33E%"),
        ] {
            assert_eq!(read(decoding, value), None, "{decoding:?} {value}");
        }
    }
}
