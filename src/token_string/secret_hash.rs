//! The hash under which a secret is stored.

use std::fmt;

use constant_time_eq::constant_time_eq_n;

use super::format::CHECKED_BYTES;

/// Separates this use of BLAKE3 from all others. Not a secret.
pub const SECRET_HASH_KEY: &[u8; 32] = b"doorward 2026-11 hash of secrets";

/// The stored hash of a secret: 16 bytes of BLAKE3 over the id and the secret. The secret has 128 random bits, so a longer
/// hash would be no harder to invert, only larger in every record.
#[derive(Clone, Copy)]
pub struct SecretHash([u8; 16]);

impl SecretHash {
    pub(crate) fn of(id_and_secret: &[u8; CHECKED_BYTES]) -> Self {
        let hash = blake3::keyed_hash(SECRET_HASH_KEY, id_and_secret);
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&hash.as_bytes()[..16]);
        Self(bytes)
    }

    /// The bytes as the store keeps them.
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// The hash of a foreign token, which is derived from what its source stores.
    pub(crate) fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// A hash read from the store; `None` if its length is wrong.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }
}

/// Compares in constant time.
impl PartialEq for SecretHash {
    fn eq(&self, other: &Self) -> bool {
        constant_time_eq_n(&self.0, &other.0)
    }
}

impl Eq for SecretHash {}

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHash(…)")
    }
}
