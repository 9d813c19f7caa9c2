//! The value of an alias: the 16 characters of the token's id.

use crate::store::error::StoreError;
use crate::token_string::TokenId;

/// Decodes the value of an alias.
///
/// # Errors
/// `Corrupt` for any other text.
pub fn decode(stored: &[u8]) -> Result<TokenId, StoreError> {
    let id = str::from_utf8(stored).ok().and_then(TokenId::parse);
    id.ok_or_else(|| StoreError::Corrupt { key: "alias".into(), reason: "not a token id".into() })
}
