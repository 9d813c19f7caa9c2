//! Device keys of django-auth-token: their login tokens, and how an imported device key is found.
//!
//! The former system looks a device up by its uuid alone, tries the login token on each user's device of this uuid, and
//! keeps a PBKDF2 hash of it. So an imported device key is found by the digest of its uuid, which several users may share.
//! After its first login the key keeps a fast hash of the login token, which is as safe: the login token is as random as a
//! key.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::digest::{ALIAS_CHARS, AliasName};
use super::shape::{Characters, Shape};
use crate::token_string::{HashTag, SecretHash, TokenId};

const UUID_CONTEXT: &str = "doorward 2026-11 digest of a foreign device's uuid";
const LOGIN_TOKEN_CONTEXT: &str = "doorward 2026-11 hash of a foreign login token";
/// Bytes of the digest that the name shows.
const NAME_BYTES: usize = 16;

/// The shortest login token. By default it has 64 characters of `[A-Za-z0-9]`, and up to django-auth-token 0.0.25 128 hex
/// digits. A shorter one might be too easy to guess from its fast hash.
pub const MIN_LOGIN_TOKEN_CHARS: usize = 32;
/// The longest login token.
pub const MAX_LOGIN_TOKEN_CHARS: usize = 128;

/// The digest of a normalized uuid. It names the device keys that were imported with the uuid.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct UuidDigest([u8; blake3::OUT_LEN]);

impl UuidDigest {
    /// Computes the digest.
    pub fn of(uuid: &str) -> Self {
        Self(blake3::derive_key(UUID_CONTEXT, uuid.as_bytes()))
    }

    /// The name in the key of the store: 22 characters of base64url.
    pub fn name(&self) -> AliasName {
        let mut text = [0; ALIAS_CHARS];
        // Fails only for a buffer that is too short.
        let _ = URL_SAFE_NO_PAD.encode_slice(&self.0[..NAME_BYTES], &mut text);
        // All ASCII.
        AliasName::from_byte_string(&text).unwrap_or_default()
    }

    /// The hash tag of the name.
    pub fn hash_tag(&self) -> HashTag {
        HashTag::of_user(&self.name())
    }

    /// The id of this user's device key of the uuid, if it is imported. Always the same one, so a repeated import finds it.
    pub fn device_id(&self, user: &str) -> TokenId {
        let hash = blake3::keyed_hash(&self.0, user.as_bytes());
        let mut locator = [0; 10];
        locator.copy_from_slice(&hash.as_bytes()[..10]);
        TokenId::from_parts(HashTag::of_user(user), locator)
    }
}

impl fmt::Debug for UuidDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}

/// Whether a string looks like a login token of django-auth-token. None of Doorward's does.
pub fn is_login_token(string: &str) -> bool {
    let length = MIN_LOGIN_TOKEN_CHARS..=MAX_LOGIN_TOKEN_CHARS;
    Shape::new(length, Characters::Alphanumeric).fits(string.as_bytes())
}

/// Computes the fast hash of the login token of the device key with this id.
pub fn login_token_hash(id: TokenId, login_token: &str) -> SecretHash {
    let mut hasher = blake3::Hasher::new_derive_key(LOGIN_TOKEN_CONTEXT);
    // Every id has the same length, so no separator is needed.
    hasher.update(id.text().as_bytes()).update(login_token.as_bytes());
    let mut hash = [0; 16];
    hasher.finalize_xof().fill(&mut hash);
    SecretHash::from_bytes(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every imported device key in a store depends on these values.
    #[test]
    fn the_derivations_are_fixed() {
        let digest = UuidDigest::of("0123456789abcdef0123456789abcdef");
        assert_eq!(digest.name().as_str(), "qVHUssg3EZtn5necC6NaDw");
        let id = digest.device_id("alice");
        assert_eq!(id.to_string(), "jE1GcImRp-BL8qVo");
        assert_ne!(id.locator(), digest.device_id("bob").locator());
        let login_token = "uSPGpGaqeaFClt3dovtNQRan0WyyLqR4I9fLIfjtVrJnoASBMXc1ynDNHf1sxGkK";
        assert_eq!(login_token_hash(id, login_token).as_bytes()[..4], [116, 196, 152, 20]);
        assert_ne!(login_token_hash(digest.device_id("bob"), login_token), login_token_hash(id, login_token));
    }

    #[test]
    fn a_login_token_has_letters_and_digits_only() {
        for fits in ["a".repeat(64), "0f".repeat(64), "Z9".repeat(16)] {
            assert!(is_login_token(&fits), "{fits}");
        }
        let native = format!("dwd_{}", "A".repeat(48));
        for other in [String::new(), "a".repeat(31), "a".repeat(129), native, "é".repeat(32)] {
            assert!(!is_login_token(&other), "{other}");
        }
    }
}
