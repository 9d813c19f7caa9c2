//! The wire form of tokens: how a token is made, recognised as ours, and taken apart.
//!
//! ```text
//! dw_ | base64url( shard tag 2 B | locator 10 B | secret 16 B | check tag 8 B )
//!       '------ token id -------'
//! ```
//!
//! The check tag is a keyed BLAKE3 over the prefix and all before it: a string without a right one was never
//! ours and is refused here, without asking any store. A device's login token is the same with `dwd_`.

pub mod claim;
pub mod mint;
pub mod secret_hash;
pub mod format;
mod id;
mod keys;

pub use crate::secret::claim::{Presented, Claim, parse};
pub use crate::secret::mint::{Minted, mint, mint_secret};
pub use crate::secret::secret_hash::{SECRET_HASH_KEY, SecretHash};
pub use crate::secret::format::{SECRET_BYTES, CHECKED_BYTES, CHECK_TAG_BYTES, WIRE_BYTES, WIRE_CHARS, Kind};


pub use self::id::{ID_CHARS, IdHasher, LOCATOR_CHARS, ShardTag, TokenId, new_id};
pub use self::keys::{CheckKeys, MAX_CHECK_KEYS, TOKEN_KEY_CHARS, check_token_key};

#[cfg(test)]
mod tests;
