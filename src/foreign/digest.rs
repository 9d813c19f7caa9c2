//! The values derived from the source digest of a foreign token: its id, the hash of its secret, its alias.

use std::fmt;

use arrayvec::ArrayString;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::scheme::{Scheme, SourceDigest};
use crate::token_string::{HashTag, SecretHash, TokenId};

const DIGEST_CONTEXT: &str = "doorward 2026-11 digest of a foreign token";
/// Bytes of the digest that the name of an alias shows.
const ALIAS_BYTES: usize = 16;
/// Characters of an alias's name.
pub const ALIAS_CHARS: usize = (ALIAS_BYTES * 4).div_ceil(3);
const LOCATOR_BYTES: usize = 10;
const SECRET_HASH_BYTES: usize = 16;

/// The name of an alias in its key: 22 characters of base64url.
pub type AliasName = ArrayString<ALIAS_CHARS>;

/// The bytes of an alias's name.
pub type AliasBytes = [u8; ALIAS_BYTES];

/// The digest of a foreign token: 42 bytes of BLAKE3 over its scheme and its source digest, in three parts, none of which
/// reveals another. The scheme is part of it, so that a scheme that is turned off ends all its tokens.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ForeignDigest([u8; ALIAS_BYTES + LOCATOR_BYTES + SECRET_HASH_BYTES]);

impl ForeignDigest {
    /// Computes the digest.
    pub fn of(scheme: Scheme, source: &SourceDigest) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key(DIGEST_CONTEXT);
        // No name of a scheme has a zero byte, so the separator is unambiguous.
        hasher.update(scheme.name().as_bytes()).update(b"\0").update(source.as_bytes());
        let mut bytes = [0; ALIAS_BYTES + LOCATOR_BYTES + SECRET_HASH_BYTES];
        hasher.finalize_xof().fill(&mut bytes);
        Self(bytes)
    }

    /// The name of the alias: where the store keeps the id.
    pub fn alias_name(&self) -> AliasName {
        let mut text = [0; ALIAS_CHARS];
        // Fails only for a buffer that is too short.
        let _ = URL_SAFE_NO_PAD.encode_slice(&self.0[..ALIAS_BYTES], &mut text);
        // All ASCII.
        ArrayString::from_byte_string(&text).unwrap_or_default()
    }

    /// The bytes of that name.
    pub fn alias_bytes(&self) -> AliasBytes {
        let mut bytes = [0; ALIAS_BYTES];
        bytes.copy_from_slice(&self.0[..ALIAS_BYTES]);
        bytes
    }

    /// The hash tag of the alias: it spreads aliases over the slots as users are spread.
    pub fn alias_hash_tag(&self) -> HashTag {
        HashTag::of_user(&self.alias_name())
    }

    /// The id of the imported token of this user.
    pub fn token_id(&self, user: &str) -> TokenId {
        let mut locator = [0; LOCATOR_BYTES];
        locator.copy_from_slice(&self.0[ALIAS_BYTES..ALIAS_BYTES + LOCATOR_BYTES]);
        TokenId::from_parts(HashTag::of_user(user), locator)
    }

    /// The hash of the imported token's secret.
    pub fn secret_hash(&self) -> SecretHash {
        let mut hash = [0; SECRET_HASH_BYTES];
        hash.copy_from_slice(&self.0[ALIAS_BYTES + LOCATOR_BYTES..]);
        SecretHash::from_bytes(hash)
    }
}

impl fmt::Debug for ForeignDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ForeignDigest(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(scheme: Scheme, token: &[u8]) -> ForeignDigest {
        ForeignDigest::of(scheme, &scheme.digest(token, None).unwrap())
    }

    /// Every alias and every imported token in a store depends on these values.
    #[test]
    fn the_derivation_is_fixed() {
        let digest = digest(Scheme::Drf, b"9944b09199c62bcf9418ad846dd0e4bbdfc6ee4b");
        assert_eq!(digest.alias_name().as_str(), "ErqXICEQ83i4Xsz02virxw");
        assert_eq!(digest.token_id("alice").to_string(), "jE02e_44mYRCYXGL");
        assert_eq!(digest.secret_hash().as_bytes()[..4], [149, 223, 182, 226]);
    }

    #[test]
    fn each_scheme_has_its_own_digests() {
        let token = b"9944b09199c62bcf9418ad846dd0e4bbdfc6ee4b";
        let (drf, plain) = (digest(Scheme::Drf, token), digest(Scheme::DjangoAuthTokenPlain, token));
        assert_ne!(drf.alias_name(), plain.alias_name());
        assert_ne!(drf.token_id("alice"), plain.token_id("alice"));
        assert_ne!(drf.token_id("alice"), drf.token_id("bob"));
    }
}
