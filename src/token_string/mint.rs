//! Makes new token strings.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::rngs::SysError;

use super::format::{CHECKED_BYTES, SECRET_BYTES, TOKEN_STRING_BYTES, TokenKind};
use super::id::{HashTag, ID_BYTES, TokenId, new_id};
use super::secret_hash::SecretHash;
use super::token_keys::TokenKeys;
use crate::entropy::Entropy;

/// A new token: the string for its holder, and what the store keeps.
pub struct Minted {
    /// The string for the holder; the only place with the secret.
    pub token_string: String,
    /// The token's id.
    pub id: TokenId,
    /// The hash of the secret, for the store.
    pub hash: SecretHash,
}

impl fmt::Debug for Minted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Minted({})", self.id)
    }
}

/// Makes a new token for a user.
///
/// # Errors
/// The operating system has no randomness to give.
pub fn mint(kind: TokenKind, keys: &TokenKeys, user: &str, entropy: &Entropy) -> Result<Minted, SysError> {
    mint_secret(kind, keys, new_id(HashTag::of_user(user), entropy)?, entropy)
}

/// Makes a new secret for an existing id.
///
/// # Errors
/// The operating system has no randomness to give.
pub fn mint_secret(
    kind: TokenKind,
    keys: &TokenKeys,
    id: TokenId,
    entropy: &Entropy,
) -> Result<Minted, SysError> {
    let mut checked = [0; CHECKED_BYTES];
    checked[..ID_BYTES].copy_from_slice(&id.0);
    checked[ID_BYTES..].copy_from_slice(&entropy.bytes::<SECRET_BYTES>()?);
    let mut bytes = [0; TOKEN_STRING_BYTES];
    bytes[..CHECKED_BYTES].copy_from_slice(&checked);
    bytes[CHECKED_BYTES..].copy_from_slice(&keys.sign(kind, &checked));
    let token_string = format!("{}{}", kind.prefix(), URL_SAFE_NO_PAD.encode(bytes));
    Ok(Minted { token_string, id, hash: SecretHash::of(&checked) })
}
