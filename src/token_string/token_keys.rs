//! The token keys: secrets that sign token strings, set by the operator or kept by the store.

use std::fmt;
use std::ops::RangeInclusive;

use constant_time_eq::constant_time_eq_n;

use super::format::{CHECKED_BYTES, MAC_BYTES, TokenKind};

/// The most token keys that may be set. Each costs time whenever a string is forged.
pub const MAX_TOKEN_KEYS: usize = 8;
/// The lengths of a token key, in characters. A key made by a node has 43 characters: 32 bytes in base64url.
pub const TOKEN_KEY_CHARS: RangeInclusive<usize> = 32..=1024;

const TOKEN_KEY_CONTEXT: &str = "doorward 2026-11 check key of tokens";
const MARK_KEY_CONTEXT: &str = "doorward 2026-11 key of marks in memory";

/// Checks that a text can be a token key.
///
/// # Errors
/// The mistake in it, without the text: the rest of a sentence that starts with the key.
pub fn check_token_key(text: &str) -> Result<(), String> {
    let (least, most) = (TOKEN_KEY_CHARS.start(), TOKEN_KEY_CHARS.end());
    if !TOKEN_KEY_CHARS.contains(&text.chars().count()) {
        return Err(format!("is not {least} to {most} characters long"));
    }
    if text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err("has white space or a control character in it".into());
    }
    Ok(())
}

/// The keys of the MAC: the first signs, all verify, so that they can be rotated.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenKeys {
    keys: Vec<[u8; 32]>,
    /// The key of the marks that verified strings leave: [`VerifiedMark`](super::verified_mark::VerifiedMark).
    pub(crate) mark_key: [u8; 16],
    /// Whether there may be another key that is not known here.
    may_lack_one: bool,
}

impl TokenKeys {
    /// Derives the keys from secrets, the one that signs first. `None` without a secret. Secrets beyond [`MAX_TOKEN_KEYS`]
    /// and the store's are ignored.
    pub fn from_secrets<'a>(secrets: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        let keys: Vec<_> = secrets
            .into_iter()
            .take(MAX_TOKEN_KEYS + 1)
            .map(|secret| blake3::derive_key(TOKEN_KEY_CONTEXT, secret.as_bytes()))
            .collect();
        let mut mark_key = [0; 16];
        mark_key.copy_from_slice(&blake3::derive_key(MARK_KEY_CONTEXT, keys.as_flattened())[..16]);
        (!keys.is_empty()).then_some(Self { keys, mark_key, may_lack_one: false })
    }

    /// Marks these keys as incomplete: the node does not know yet whether the store keeps another key.
    pub fn lacking_the_stores(self) -> Self {
        Self { may_lack_one: true, ..self }
    }

    /// Whether a string that none of these keys verifies may have been signed by a key that is not known here yet.
    pub fn may_lack_one(&self) -> bool {
        self.may_lack_one
    }

    /// Computes the MAC with the key that signs.
    pub(crate) fn sign(&self, kind: TokenKind, checked: &[u8; CHECKED_BYTES]) -> [u8; MAC_BYTES] {
        Self::mac(&self.keys[0], kind, checked)
    }

    fn mac(key: &[u8; 32], kind: TokenKind, checked: &[u8; CHECKED_BYTES]) -> [u8; MAC_BYTES] {
        // One buffer and one call: the incremental hasher costs half as much again.
        let prefix = kind.prefix().as_bytes();
        let mut message = [0; CHECKED_BYTES + 4];
        message[..prefix.len()].copy_from_slice(prefix);
        message[prefix.len()..prefix.len() + CHECKED_BYTES].copy_from_slice(checked);
        let hash = blake3::keyed_hash(key, &message[..prefix.len() + CHECKED_BYTES]);
        let mut mac = [0; MAC_BYTES];
        mac.copy_from_slice(&hash.as_bytes()[..MAC_BYTES]);
        mac
    }

    pub(crate) fn verifies(
        &self,
        kind: TokenKind,
        checked: &[u8; CHECKED_BYTES],
        mac: &[u8; MAC_BYTES],
    ) -> bool {
        self.keys.iter().any(|key| constant_time_eq_n(&Self::mac(key, kind, checked), mac))
    }
}

impl fmt::Debug for TokenKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenKeys({} keys)", self.keys.len())
    }
}
