//! Token strings: mint, decode, verify.
//!
//! ```text
//! dw_ | base64url( hash tag 2 B | locator 10 B | secret 16 B | MAC 8 B )
//!       '------ token id -----'
//! ```
//!
//! The MAC is a keyed BLAKE3 over the prefix and all before it. Malformed strings and strings with an invalid MAC are
//! rejected here, before any store is read. A device's login token has the prefix `dwd_`.

pub mod format;
pub mod id;
pub mod mint;
pub mod secret_hash;
#[cfg(test)]
pub mod tests;
pub mod token_keys;
pub mod verified_mark;
pub mod verify;

pub use self::format::TokenKind;
pub use self::id::{HashTag, ID_CHARS, IdHasher, LOCATOR_CHARS, TokenId, new_id};
pub use self::mint::{Minted, mint, mint_secret};
pub use self::secret_hash::SecretHash;
pub use self::token_keys::{MAX_TOKEN_KEYS, TOKEN_KEY_CHARS, TokenKeys, check_token_key};
pub use self::verified_mark::VerifiedMark;
pub use self::verify::{KnownSecret, UnverifiedToken, VerifiedToken, parse};
