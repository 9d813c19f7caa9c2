//! Decodes and verifies token strings.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use constant_time_eq::constant_time_eq_n;
use siphasher::sip::SipHasher24;

use super::format::{CHECKED_BYTES, MAC_BYTES, TOKEN_STRING_BYTES, TOKEN_STRING_CHARS, TokenKind};
use super::id::{ID_BYTES, TokenId};
use super::secret_hash::SecretHash;
use super::token_keys::TokenKeys;
use super::verified_mark::VerifiedMark;

/// A token string with a valid MAC, which Doorward has issued, or a foreign one with an alias. Only the store knows whether
/// its token is still valid.
#[derive(Clone, Copy, Debug)]
pub struct VerifiedToken {
    /// The id that the string names.
    pub id: TokenId,
    /// The hash of the secret in the string.
    pub secret_hash: SecretHash,
    /// Whether the string is a foreign one. Several devices may share it, so its reuse after a rotation proves no theft.
    pub is_foreign: bool,
}

impl VerifiedToken {
    fn native(id: TokenId, secret_hash: SecretHash) -> Self {
        Self { id, secret_hash, is_foreign: false }
    }
}

/// A well-formed token string whose MAC is not verified yet.
#[derive(Clone, Copy)]
pub struct UnverifiedToken {
    kind: TokenKind,
    pub(crate) checked: [u8; CHECKED_BYTES],
    pub(crate) mac: [u8; MAC_BYTES],
}

/// The secret of a cached record, and the mark of the string that last proved it.
#[derive(Clone, Copy)]
pub struct KnownSecret<'a> {
    /// The hash of the record's secret.
    pub secret_hash: &'a SecretHash,
    /// The mark beside the record.
    pub verified: &'a VerifiedMark,
}

impl UnverifiedToken {
    /// Decodes a token string; `None` if it is malformed.
    pub fn decode(kind: TokenKind, token_string: &[u8]) -> Option<Self> {
        let encoded = token_string.strip_prefix(kind.prefix().as_bytes())?;
        if encoded.len() != TOKEN_STRING_CHARS {
            return None;
        }
        let mut bytes = [0; TOKEN_STRING_BYTES];
        URL_SAFE_NO_PAD.decode_slice(encoded, &mut bytes).ok()?;
        let (checked, mac) = bytes.split_first_chunk::<CHECKED_BYTES>()?;
        Some(Self { kind, checked: *checked, mac: mac.try_into().ok()? })
    }

    /// The id that the string names.
    pub fn id(&self) -> TokenId {
        let mut id = [0; ID_BYTES];
        id.copy_from_slice(&self.checked[..ID_BYTES]);
        TokenId(id)
    }

    /// Verifies the MAC; `None` if it is invalid under every key.
    pub fn verify(&self, keys: &TokenKeys) -> Option<VerifiedToken> {
        keys.verifies(self.kind, &self.checked, &self.mac)
            .then(|| VerifiedToken::native(self.id(), SecretHash::of(&self.checked)))
    }

    /// Verifies the MAC with the help of the cached record that the string names, if there is one.
    ///
    /// A verified string leaves a mark beside the record. Computing the mark again takes a fourth of the time of both
    /// hashes. A string with another mark is verified in full.
    pub fn verify_known(&self, keys: &TokenKeys, known: Option<KnownSecret<'_>>) -> Option<VerifiedToken> {
        let Some(known) = known else { return self.verify(keys) };
        let mark = self.mark(keys, known.secret_hash);
        if constant_time_eq_n(&known.verified.get().to_le_bytes(), &mark.to_le_bytes()) {
            return Some(VerifiedToken::native(self.id(), *known.secret_hash));
        }
        let verified = self.verify(keys)?;
        if verified.secret_hash == *known.secret_hash {
            known.verified.set(mark);
        }
        Some(verified)
    }

    /// Computes the mark of this string. Never 0.
    ///
    /// SipHash-2-4 is a MAC by design (Aumasson and Bernstein, 2012), and its key is derived from the token keys: guessing a
    /// mark takes as many tries as guessing a MAC. The mark is bound to the hash of the record's secret, so it is worthless
    /// once the secret is replaced.
    fn mark(&self, keys: &TokenKeys, secret_hash: &SecretHash) -> u64 {
        let mut message = [0; TOKEN_STRING_BYTES];
        message[..CHECKED_BYTES].copy_from_slice(&self.checked);
        message[CHECKED_BYTES..].copy_from_slice(&self.mac);
        let bound_to = secret_hash.as_bytes().first_chunk().copied().map_or(0, u64::from_le_bytes);
        (SipHasher24::new_with_key(&keys.mark_key).hash(&message) ^ bound_to).max(1)
    }
}

/// Decodes and verifies a token string; `None` if it is malformed or forged. Reads no store.
pub fn parse(kind: TokenKind, keys: &TokenKeys, token_string: &[u8]) -> Option<VerifiedToken> {
    UnverifiedToken::decode(kind, token_string)?.verify(keys)
}
