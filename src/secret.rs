//! The wire form of tokens: how a token is made, recognised as ours, and taken apart.
//!
//! ```text
//! dw_ | base64url( shard tag 2 B | locator 10 B | secret 16 B | check tag 8 B )
//!       '------ token id -------'
//! ```
//!
//! The check tag is a keyed BLAKE3 over the prefix and all before it: a string without a right one was never
//! ours and is refused here, without asking any store. A device's login token is the same with `dwd_`.

mod id;
mod keys;

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use constant_time_eq::constant_time_eq_n;
use rand::rngs::SysError;
use siphasher::sip::SipHasher24;

use self::id::ID_BYTES;
pub use self::id::{ID_CHARS, IdHasher, LOCATOR_CHARS, ShardTag, TokenId, new_id};
pub use self::keys::{CheckKeys, MAX_CHECK_KEYS, TOKEN_KEY_CHARS, check_token_key};
use crate::entropy::Entropy;
use crate::token::Credential;

const SECRET_BYTES: usize = 16;
const CHECKED_BYTES: usize = ID_BYTES + SECRET_BYTES;
const CHECK_TAG_BYTES: usize = 8;
const WIRE_BYTES: usize = CHECKED_BYTES + CHECK_TAG_BYTES;
/// Characters of a token after its prefix.
const WIRE_CHARS: usize = WIRE_BYTES / 3 * 4;
/// Separates this use of BLAKE3 from every other; not a secret.
const SECRET_HASH_KEY: &[u8; 32] = b"doorward 2026-11 hash of secrets";

/// What a split token is for; told by its prefix, which the check tag covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A session token, `dw_`.
    Token,
    /// The login token of a device key, `dwd_`.
    DeviceLogin,
}

impl Kind {
    /// What every string of this kind starts with.
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Token => "dw_",
            Self::DeviceLogin => "dwd_",
        }
    }
}

/// What the store keeps of a secret: 16 bytes of BLAKE3 over the id and the secret. The secret has 128 random
/// bits, so a longer hash would not be harder to turn back, only larger in every record.
#[derive(Clone, Copy)]
pub struct SecretHash([u8; 16]);

impl SecretHash {
    fn of(id_and_secret: &[u8; CHECKED_BYTES]) -> Self {
        let hash = blake3::keyed_hash(SECRET_HASH_KEY, id_and_secret);
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&hash.as_bytes()[..16]);
        Self(bytes)
    }

    /// The bytes as the store keeps them.
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// A hash as read from the store; `None` when it has not its length.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }
}

/// In constant time.
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

/// A new token: the string its holder gets, once, and what is kept of it.
pub struct Minted {
    /// The string on the wire; the only place where the secret is.
    pub wire: String,
    /// Its public name.
    pub id: TokenId,
    /// What the store keeps of the secret.
    pub hash: SecretHash,
}

impl fmt::Debug for Minted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Minted({})", self.id)
    }
}

/// Makes a new token of a user.
///
/// # Errors
/// When the operating system has no randomness to give.
pub fn mint(kind: Kind, keys: &CheckKeys, user: &str, entropy: &Entropy) -> Result<Minted, SysError> {
    mint_secret(kind, keys, new_id(ShardTag::of_user(user), entropy)?, entropy)
}

/// Makes a new secret for an id that exists: rotation.
///
/// # Errors
/// When the operating system has no randomness to give.
pub fn mint_secret(kind: Kind, keys: &CheckKeys, id: TokenId, entropy: &Entropy) -> Result<Minted, SysError> {
    let mut checked = [0; CHECKED_BYTES];
    checked[..ID_BYTES].copy_from_slice(&id.0);
    checked[ID_BYTES..].copy_from_slice(&entropy.bytes::<SECRET_BYTES>()?);
    let mut wire_bytes = [0; WIRE_BYTES];
    wire_bytes[..CHECKED_BYTES].copy_from_slice(&checked);
    wire_bytes[CHECKED_BYTES..].copy_from_slice(&keys.sign(kind, &checked));
    let wire = format!("{}{}", kind.prefix(), URL_SAFE_NO_PAD.encode(wire_bytes));
    Ok(Minted { wire, id, hash: SecretHash::of(&checked) })
}

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
    checked: [u8; CHECKED_BYTES],
    tag: [u8; CHECK_TAG_BYTES],
}

impl Claim {
    /// Reads a token string; `None` when it has not the form.
    pub fn read(kind: Kind, wire: &[u8]) -> Option<Self> {
        let encoded = wire.strip_prefix(kind.prefix().as_bytes())?;
        if encoded.len() != WIRE_CHARS {
            return None;
        }
        let mut bytes = [0; WIRE_BYTES];
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
    pub fn verify(&self, keys: &CheckKeys) -> Option<Presented> {
        keys.verifies(self.kind, &self.checked, &self.tag)
            .then(|| Presented { id: self.id(), hash: SecretHash::of(&self.checked) })
    }

    /// The same with the help of the record it names, if that is known: a string that was verified left its mark there,
    /// and the mark is made anew in a fourth of the time that both hashes take. Any other string goes the full way.
    pub fn verify_known(&self, keys: &CheckKeys, record: Option<&Arc<Credential>>) -> Option<Presented> {
        let Some(record) = record else { return self.verify(keys) };
        let mark = self.mark(keys, &record.secret_hash);
        if constant_time_eq_n(&record.verified.get().to_le_bytes(), &mark.to_le_bytes()) {
            return Some(Presented { id: self.id(), hash: record.secret_hash });
        }
        let presented = self.verify(keys)?;
        if presented.hash == record.secret_hash {
            record.verified.set(mark);
        }
        Some(presented)
    }

    /// SipHash-2-4, a MAC by design (Aumasson and Bernstein, 2012), under a key that only who has the check keys knows:
    /// to guess a mark takes as many tries as to guess a check tag. Bound to the hash of the record's secret, so that it
    /// is worth nothing once there is another secret. Never 0.
    fn mark(&self, keys: &CheckKeys, secret_hash: &SecretHash) -> u64 {
        let mut message = [0; WIRE_BYTES];
        message[..CHECKED_BYTES].copy_from_slice(&self.checked);
        message[CHECKED_BYTES..].copy_from_slice(&self.tag);
        let bound_to = secret_hash.0.first_chunk().copied().map_or(0, u64::from_le_bytes);
        (SipHasher24::new_with_key(&keys.mark_key).hash(&message) ^ bound_to).max(1)
    }
}

/// Takes a token string apart; `None` when it was never ours. Touches no store.
pub fn parse(kind: Kind, keys: &CheckKeys, wire: &[u8]) -> Option<Presented> {
    Claim::read(kind, wire)?.verify(keys)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(secrets: &[&str]) -> CheckKeys {
        CheckKeys::from_secrets(secrets.iter().copied()).unwrap()
    }

    fn minted() -> Minted {
        mint(Kind::Token, &keys(&["one"]), "alice", &Entropy::seeded(1)).unwrap()
    }

    #[test]
    fn what_is_minted_parses_and_names_itself() {
        let token = minted();
        assert_eq!(token.wire.len(), 3 + WIRE_CHARS);
        let presented = parse(Kind::Token, &keys(&["one"]), token.wire.as_bytes()).unwrap();
        assert_eq!(presented.id, token.id);
        assert_eq!(presented.hash, token.hash);
        assert_eq!(TokenId::parse(&token.id.to_string()), Some(token.id));
        assert_eq!(TokenId::from_locator(token.id.shard_tag(), &token.id.locator()), Some(token.id));
        assert_eq!(token.id.shard_tag(), ShardTag::of_user("alice"));
        assert!(token.wire[3..].starts_with(&token.id.to_string()), "the id can be read off the token");
    }

    /// A mark stands for the string that left it, under the keys of then and for the secret of then, and for nothing
    /// else.
    #[test]
    fn a_mark_opens_nothing_that_its_string_would_not() {
        let (one, other) = (keys(&["one"]), keys(&["other"]));
        let token = minted();
        let claim = Claim::read(Kind::Token, token.wire.as_bytes()).unwrap();
        let record = Credential { secret_hash: token.hash, ..crate::token::tests::credential() };
        let record = Arc::new(record);
        let is_ours = |claim: &Claim, keys: &CheckKeys| claim.verify_known(keys, Some(&record)).is_some();
        assert!(!is_ours(&claim, &other));
        assert_eq!(record.verified.get(), 0, "what was not verified is not kept");
        for _ in 0..2 {
            assert!(is_ours(&claim, &one));
            assert_ne!(record.verified.get(), 0);
            for byte in 0..WIRE_BYTES {
                let mut forged = claim;
                match byte.checked_sub(CHECKED_BYTES) {
                    Some(at) => forged.tag[at] ^= 1,
                    None => forged.checked[byte] ^= 1,
                }
                assert!(!is_ours(&forged, &one), "{byte}");
            }
            assert!(!is_ours(&claim, &other), "its key is none of ours any more");
        }
        // Another secret of the same token, as after a rotation.
        let rotated = mint_secret(Kind::Token, &one, token.id, &Entropy::seeded(2)).unwrap();
        let claim = Claim::read(Kind::Token, rotated.wire.as_bytes()).unwrap();
        let presented = claim.verify_known(&one, Some(&record)).unwrap();
        assert!(presented.hash != token.hash);
        // The record with that secret instead, changed in place: the former string goes the full way again.
        let mut changed = record;
        Arc::get_mut(&mut changed).unwrap().secret_hash = rotated.hash;
        let former = Claim::read(Kind::Token, token.wire.as_bytes()).unwrap();
        let presented = former.verify_known(&one, Some(&changed)).unwrap();
        assert!(presented.hash != rotated.hash);
    }

    #[test]
    fn the_wire_form_is_fixed() {
        // Byte-exact: a change here would make every live token look forged.
        let wire = b"dw_jE1hGDDTZBpo-UppJdH0sNrJSDJawY9t0yVkN2ERAvAVHXe4";
        let presented = parse(Kind::Token, &keys(&["one"]), wire).unwrap();
        assert_eq!(presented.id.to_string(), "jE1hGDDTZBpo-Upp");
        assert_eq!(presented.id.shard_tag(), ShardTag::of_user("alice"));
        assert_eq!(
            presented.hash.as_bytes(),
            &[31, 40, 127, 138, 172, 237, 120, 81, 11, 40, 93, 154, 132, 136, 142, 158]
        );
        assert_eq!(ShardTag::of_user("alice").to_string(), "8c4d");
    }

    #[test]
    fn every_changed_character_is_refused() {
        let wire = minted().wire.into_bytes();
        for at in 0..wire.len() {
            for other in [b'A', b'B', b'_', b'=', b' ', b'\n', 0, 0xff] {
                let mut forged = wire.clone();
                if std::mem::replace(&mut forged[at], other) != other {
                    assert!(parse(Kind::Token, &keys(&["one"]), &forged).is_none(), "{at} {other}");
                }
            }
        }
        for cut in 0..wire.len() {
            assert!(parse(Kind::Token, &keys(&["one"]), &wire[..cut]).is_none());
        }
    }

    #[test]
    fn keys_rotate_and_kinds_do_not_mix() {
        let wire = minted().wire;
        assert!(parse(Kind::Token, &keys(&["two", "one"]), wire.as_bytes()).is_some());
        assert!(parse(Kind::Token, &keys(&["two"]), wire.as_bytes()).is_none());
        let as_device = wire.replacen("dw_", "dwd_", 1);
        assert!(parse(Kind::DeviceLogin, &keys(&["one"]), as_device.as_bytes()).is_none());
    }

    #[test]
    fn rotation_keeps_the_id_and_nothing_shows_a_secret() {
        let token = minted();
        let rotated = mint_secret(Kind::Token, &keys(&["one"]), token.id, &Entropy::seeded(2)).unwrap();
        assert_eq!(rotated.id, token.id);
        assert_ne!(rotated.hash, token.hash);
        let shown = format!("{token:?} {:?} {:?}", token.hash, keys(&["one"]));
        assert!(!shown.contains(&token.wire[20..40]), "{shown}");
    }
}
