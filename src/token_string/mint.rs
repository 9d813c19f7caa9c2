//! Makes new token strings.

use super::format::{CHECKED_BYTES, Kind, SECRET_BYTES, TOKEN_STRING_BYTES};
use super::id::{HashTag, ID_BYTES, TokenId, new_id};
use super::secret_hash::SecretHash;
use super::token_keys::TokenKeys;
use crate::entropy::Entropy;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::rngs::SysError;
use std::fmt;

/// A new token: the string its holder gets, once, and what is kept of it.
pub struct Minted {
    /// The string on the token_string; the only place where the secret is.
    pub token_string: String,
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
pub fn mint(kind: Kind, keys: &TokenKeys, user: &str, entropy: &Entropy) -> Result<Minted, SysError> {
    mint_secret(kind, keys, new_id(HashTag::of_user(user), entropy)?, entropy)
}

/// Makes a new secret for an id that exists: rotation.
///
/// # Errors
/// When the operating system has no randomness to give.
pub fn mint_secret(kind: Kind, keys: &TokenKeys, id: TokenId, entropy: &Entropy) -> Result<Minted, SysError> {
    let mut checked = [0; CHECKED_BYTES];
    checked[..ID_BYTES].copy_from_slice(&id.0);
    checked[ID_BYTES..].copy_from_slice(&entropy.bytes::<SECRET_BYTES>()?);
    let mut wire_bytes = [0; TOKEN_STRING_BYTES];
    wire_bytes[..CHECKED_BYTES].copy_from_slice(&checked);
    wire_bytes[CHECKED_BYTES..].copy_from_slice(&keys.sign(kind, &checked));
    let token_string = format!("{}{}", kind.prefix(), URL_SAFE_NO_PAD.encode(wire_bytes));
    Ok(Minted { token_string, id, hash: SecretHash::of(&checked) })
}
