//! Parses and verifies token strings.

use super::format::{CHECKED_BYTES, Kind, MAC_BYTES, TOKEN_STRING_BYTES, TOKEN_STRING_CHARS};
use super::id::{ID_BYTES, TokenId};
use super::secret_hash::SecretHash;
use super::token_keys::TokenKeys;
use super::verified_mark::VerifiedMark;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use constant_time_eq::constant_time_eq_n;
use siphasher::sip::SipHasher24;

/// A string that carries a right check tag: it was once ours. Whether it still is, the store knows.
#[derive(Clone, Copy, Debug)]
pub struct Presented {
    /// The token it names.
    pub id: TokenId,
    /// The hash of the secret it carries.
    pub hash: SecretHash,
}

/// A string that has the form of ours. Whether it is, its check tag tells.
#[derive(Clone, Copy)]
pub struct Claim {
    kind: Kind,
    pub(crate) checked: [u8; CHECKED_BYTES],
    pub(crate) tag: [u8; MAC_BYTES],
}

/// The secret of a record that is known here, and the mark of the string that last proved it.
#[derive(Clone, Copy)]
pub struct KnownSecret<'a> {
    /// The hash of the record's secret.
    pub secret_hash: &'a SecretHash,
    /// The mark beside the record.
    pub verified: &'a VerifiedMark,
}

impl Claim {
    /// Reads a token string; `None` when it has not the form.
    pub fn read(kind: Kind, token_string: &[u8]) -> Option<Self> {
        let encoded = token_string.strip_prefix(kind.prefix().as_bytes())?;
        if encoded.len() != TOKEN_STRING_CHARS {
            return None;
        }
        let mut bytes = [0; TOKEN_STRING_BYTES];
        URL_SAFE_NO_PAD.decode_slice(encoded, &mut bytes).ok()?;
        let (checked, tag) = bytes.split_first_chunk::<CHECKED_BYTES>()?;
        Some(Self { kind, checked: *checked, tag: tag.try_into().ok()? })
    }

    /// The token it names.
    pub fn id(&self) -> TokenId {
        let mut id = [0; ID_BYTES];
        id.copy_from_slice(&self.checked[..ID_BYTES]);
        TokenId(id)
    }

    /// What it presents; `None` when its check tag is wrong, so that it was never ours.
    pub fn verify(&self, keys: &TokenKeys) -> Option<Presented> {
        keys.verifies(self.kind, &self.checked, &self.tag)
            .then(|| Presented { id: self.id(), hash: SecretHash::of(&self.checked) })
    }

    /// The same with the help of the record it names, if that is known: a string that was verified left its mark there,
    /// and the mark is made anew in a fourth of the time that both hashes take. Any other string goes the full way.
    pub fn verify_known(&self, keys: &TokenKeys, known: Option<KnownSecret<'_>>) -> Option<Presented> {
        let Some(known) = known else { return self.verify(keys) };
        let mark = self.mark(keys, known.secret_hash);
        if constant_time_eq_n(&known.verified.get().to_le_bytes(), &mark.to_le_bytes()) {
            return Some(Presented { id: self.id(), hash: *known.secret_hash });
        }
        let presented = self.verify(keys)?;
        if presented.hash == *known.secret_hash {
            known.verified.set(mark);
        }
        Some(presented)
    }

    /// SipHash-2-4, a MAC by design (Aumasson and Bernstein, 2012), under a key that only who has the check keys knows:
    /// to guess a mark takes as many tries as to guess a check tag. Bound to the hash of the record's secret, so that it
    /// is worth nothing once there is another secret. Never 0.
    fn mark(&self, keys: &TokenKeys, secret_hash: &SecretHash) -> u64 {
        let mut message = [0; TOKEN_STRING_BYTES];
        message[..CHECKED_BYTES].copy_from_slice(&self.checked);
        message[CHECKED_BYTES..].copy_from_slice(&self.tag);
        let bound_to = secret_hash.as_bytes().first_chunk().copied().map_or(0, u64::from_le_bytes);
        (SipHasher24::new_with_key(&keys.mark_key).hash(&message) ^ bound_to).max(1)
    }
}

/// Takes a token string apart; `None` when it was never ours. Touches no store.
pub fn parse(kind: Kind, keys: &TokenKeys, token_string: &[u8]) -> Option<Presented> {
    Claim::read(kind, token_string)?.verify(keys)
}
