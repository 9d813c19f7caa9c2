//! The schemes: which systems' tokens can be imported, and what each system stores of a token string.

use std::fmt;

use arrayvec::ArrayVec;
use ring::digest::{SHA256, SHA512, digest};
use ring::hmac;

use crate::named_enum::named_enum;

/// Bytes of the longest source digest: SHA-512.
const MAX_DIGEST_BYTES: usize = 64;

named_enum! {
    /// A scheme: how one system made its tokens and what it stores of them.
    #[derive(Hash)]
    pub enum Scheme {
        /// django-auth-token 0.0.26 and later, which stores an HMAC-SHA256.
        DjangoAuthToken => "django-auth-token",
        /// django-auth-token up to 0.0.25, which stores the string.
        DjangoAuthTokenPlain => "django-auth-token-plain",
        /// The tokens of Django REST framework (`rest_framework.authtoken`), which stores the string.
        Drf => "drf",
        /// django-rest-knox, which stores the SHA-512.
        Knox => "knox",
        /// Laravel Sanctum, which stores the SHA-256 of the part after `|`.
        Sanctum => "sanctum",
        /// express-session, whose cookie signs the session id that its store has as a key.
        ExpressSession => "express-session",
        /// Any other system: the SHA-256 of a string, or the string.
        Sha256 => "sha256",
    }
}

/// The bytes that a system stores of a token string: a SHA-256, an HMAC-SHA256 or a SHA-512. For a system that stores the
/// string itself, the SHA-256 of it. No secret as such, but an attacker with the key may test guesses against it.
#[derive(Clone, PartialEq, Eq)]
pub struct SourceDigest(ArrayVec<u8, MAX_DIGEST_BYTES>);

impl Scheme {
    /// How many bytes its source digests have.
    pub const fn digest_bytes(self) -> usize {
        match self {
            Self::Knox => 64,
            _ => 32,
        }
    }

    /// Computes the source digest of what the system knows as its token: for `sanctum` the part after `|`, for
    /// `express-session` the session id, otherwise the whole string. `django-auth-token` needs the key of its HMAC
    /// ([`django_auth_token_key`]), and yields `None` without one.
    pub fn digest(self, token: &[u8], key: Option<&hmac::Key>) -> Option<SourceDigest> {
        let bytes = match self {
            Self::DjangoAuthToken => hmac::sign(key?, token).as_ref().iter().copied().collect(),
            Self::Knox => digest(&SHA512, token).as_ref().iter().copied().collect(),
            _ => digest(&SHA256, token).as_ref().iter().copied().collect(),
        };
        Some(SourceDigest(bytes))
    }
}

impl SourceDigest {
    /// Parses the hex digits of a source digest of this scheme, in either case; `None` for any other text.
    pub fn parse_hex(scheme: Scheme, hex: &str) -> Option<Self> {
        let digits = hex.as_bytes();
        if digits.len() != 2 * scheme.digest_bytes() || !digits.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
        digits.chunks_exact(2).map(byte).collect::<Option<_>>().map(Self)
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for SourceDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SourceDigest(…)")
    }
}

/// Derives the key of django-auth-token's HMAC for tokens, whose salt is empty, from Django's `SECRET_KEY`.
pub fn django_auth_token_key(secret_key: &[u8]) -> hmac::Key {
    let text = [b"django.auth.token|".as_slice(), secret_key].concat();
    hmac::Key::new(hmac::HMAC_SHA256, digest(&SHA256, &text).as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(digest: &SourceDigest) -> String {
        digest.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Python's hashlib and hmac made the values.
    #[test]
    fn source_digests_equal_the_systems_own() {
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(hex(&Scheme::Drf.digest(b"abc", None).unwrap()), abc);
        assert!(
            hex(&Scheme::Knox.digest(b"abc", None).unwrap()).starts_with("ddaf35a193617abacc417349ae204131")
        );
        let key = django_auth_token_key(b"s3cret");
        let digest = Scheme::DjangoAuthToken.digest(b"abc", Some(&key)).unwrap();
        assert_eq!(hex(&digest), "516efe03f9441424de9a50bfe2bebd7283fd930c00f8a4c89dd9e28b494f8ed2");
        assert_eq!(Scheme::DjangoAuthToken.digest(b"abc", None), None);
    }

    #[test]
    fn source_digests_are_parsed_from_hex_of_the_right_length() {
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015AD";
        assert_eq!(SourceDigest::parse_hex(Scheme::Sha256, abc), Scheme::Sha256.digest(b"abc", None));
        assert_eq!(SourceDigest::parse_hex(Scheme::Knox, abc), None);
        assert_eq!(SourceDigest::parse_hex(Scheme::Sha256, &abc.replace('b', "g")), None);
        assert_eq!(SourceDigest::parse_hex(Scheme::Sha256, &"é".repeat(32)), None);
    }
}
