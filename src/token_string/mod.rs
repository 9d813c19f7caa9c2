//! The token_string form of tokens: how a token is made, recognised as ours, and taken apart.
//!
//! ```text
//! dw_ | base64url( shard tag 2 B | locator 10 B | secret 16 B | check tag 8 B )
//!       '------ token id -------'
//! ```
//!
//! The check tag is a keyed BLAKE3 over the prefix and all before it: a string without a right one was never
//! ours and is refused here, without asking any store. A device's login token is the same with `dwd_`.

pub mod claim;
pub mod format;
pub mod id;
pub mod mint;
pub mod secret_hash;
#[cfg(test)]
pub mod tests;
pub mod token_keys;
pub mod verified_mark;

pub use self::claim::{Claim, Presented, parse};
pub use self::format::Kind;
pub use self::id::{HashTag, ID_CHARS, IdHasher, LOCATOR_CHARS, TokenId, new_id};
pub use self::mint::{Minted, mint, mint_secret};
pub use self::secret_hash::SecretHash;
pub use self::token_keys::{MAX_TOKEN_KEYS, TOKEN_KEY_CHARS, TokenKeys, check_token_key};
pub use self::verified_mark::VerifiedMark;
