//! Token ids, and the ids of takeovers and device keys, which are made alike. No secret.

use std::cmp::Ordering;
use std::fmt;
use std::hash::Hasher;

use arrayvec::ArrayString;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::rngs::SysError;

use crate::entropy::Entropy;

const HASH_TAG_BYTES: usize = 2;
pub(crate) const ID_BYTES: usize = 12;
/// Characters of a token id.
pub const ID_CHARS: usize = ID_BYTES / 3 * 4;
/// Characters of a locator: ten bytes.
pub const LOCATOR_CHARS: usize = ((ID_BYTES - HASH_TAG_BYTES) * 4).div_ceil(3);

const HASH_TAG_CONTEXT: &str = "doorward 2026-11 shard tag of a user id";

/// Two bytes that decide in which cluster slot a user's data lives. The derivation never changes: the tag is in every key
/// and token.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HashTag([u8; HASH_TAG_BYTES]);

impl HashTag {
    /// Derives the hash tag of a user id.
    pub fn of_user(user: &str) -> Self {
        let hash = blake3::Hasher::new_derive_key(HASH_TAG_CONTEXT).update(user.as_bytes()).finalize();
        let bytes = hash.as_bytes();
        Self([bytes[0], bytes[1]])
    }

    /// Parses four hex digits; `None` for any other text.
    pub fn parse(hex: &str) -> Option<Self> {
        let is_hex = hex.len() == 2 * HASH_TAG_BYTES && hex.bytes().all(|c| c.is_ascii_hexdigit());
        is_hex.then(|| u16::from_str_radix(hex, 16).ok()).flatten().map(|tag| Self(tag.to_be_bytes()))
    }

    /// The four hex digits.
    pub fn text(self) -> ArrayString<4> {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let [first, second] = self.0.map(usize::from);
        let digits = [first >> 4, first & 15, second >> 4, second & 15].map(|at| DIGITS[at]);
        // All ASCII.
        ArrayString::from_byte_string(&digits).unwrap_or_default()
    }

    /// The two bytes as a number below 65,536.
    pub fn index(self) -> usize {
        usize::from(u16::from_be_bytes(self.0))
    }
}

/// Four hex digits. A raw byte could be `}` and split a user's data over slots.
impl fmt::Display for HashTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

impl fmt::Debug for HashTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The public, stable id of a token: hash tag and locator, 16 characters of base64url. No secret.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenId(pub(crate) [u8; ID_BYTES]);

impl TokenId {
    /// Parses the 16 characters of an id; `None` for any other text.
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; ID_BYTES];
        (text.len() == ID_CHARS && URL_SAFE_NO_PAD.decode_slice(text, &mut bytes) == Ok(ID_BYTES))
            .then_some(Self(bytes))
    }

    /// The hash tag of the token's user.
    pub fn hash_tag(&self) -> HashTag {
        HashTag([self.0[0], self.0[1]])
    }

    /// Eight of the ten random bytes: a ready-made hash that no caller can choose.
    pub fn random_bits(&self) -> u64 {
        self.0[ID_BYTES - 8..].iter().fold(0, |bits, byte| bits << 8 | u64::from(*byte))
    }

    /// The locator alone, 14 characters: it names the token where the hash tag is known.
    pub fn locator(&self) -> String {
        self.locator_text().as_str().to_owned()
    }

    /// The locator, without an allocation.
    pub fn locator_text(&self) -> ArrayString<LOCATOR_CHARS> {
        let mut text = [0; LOCATOR_CHARS];
        // Fails only for a buffer that is too short.
        let _ = URL_SAFE_NO_PAD.encode_slice(&self.0[HASH_TAG_BYTES..], &mut text);
        // All ASCII.
        ArrayString::from_byte_string(&text).unwrap_or_default()
    }

    /// The id of this hash tag and locator; `None` if the locator is malformed.
    pub fn from_locator(tag: HashTag, locator: &str) -> Option<Self> {
        let mut bytes = [0; ID_BYTES];
        bytes[..HASH_TAG_BYTES].copy_from_slice(&tag.0);
        let decoded = URL_SAFE_NO_PAD.decode_slice(locator, &mut bytes[HASH_TAG_BYTES..]);
        (decoded == Ok(ID_BYTES - HASH_TAG_BYTES)).then_some(Self(bytes))
    }

    /// The id of this hash tag and locator.
    pub(crate) fn from_parts(tag: HashTag, locator: [u8; ID_BYTES - HASH_TAG_BYTES]) -> Self {
        let mut bytes = [0; ID_BYTES];
        bytes[..HASH_TAG_BYTES].copy_from_slice(&tag.0);
        bytes[HASH_TAG_BYTES..].copy_from_slice(&locator);
        Self(bytes)
    }

    /// The 16 characters.
    pub fn text(&self) -> ArrayString<ID_CHARS> {
        let mut text = [0; ID_CHARS];
        // Fails only for a buffer that is too short.
        let _ = URL_SAFE_NO_PAD.encode_slice(self.0, &mut text);
        // All ASCII.
        ArrayString::from_byte_string(&text).unwrap_or_default()
    }
}

/// Uses the random bits of an id as its hash; for maps whose keys are ids.
#[derive(Default)]
pub struct IdHasher(u64);

impl Hasher for IdHasher {
    fn write(&mut self, bytes: &[u8]) {
        if let Some(random) = bytes.last_chunk() {
            self.0 = u64::from_be_bytes(*random);
        }
    }

    fn write_usize(&mut self, _: usize) {
        // The length, which is constant.
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// By the text, because callers see the text; the bytes sort differently.
impl Ord for TokenId {
    fn cmp(&self, other: &Self) -> Ordering {
        self.text().cmp(&other.text())
    }
}

impl PartialOrd for TokenId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

impl fmt::Debug for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Makes a new id with this hash tag.
///
/// # Errors
/// The operating system has no randomness to give.
pub fn new_id(tag: HashTag, entropy: &Entropy) -> Result<TokenId, SysError> {
    Ok(TokenId::from_parts(tag, entropy.bytes()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_as_their_text_does() {
        let mut ids = ["aAAAAAAAAAAAAAAA", "_AAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAA", "-AAAAAAAAAAAAAAA"];
        let mut parsed = ids.map(|id| TokenId::parse(id).unwrap());
        ids.sort_unstable();
        parsed.sort_unstable();
        assert_eq!(parsed.map(|id| id.to_string()), ids);
    }
}
