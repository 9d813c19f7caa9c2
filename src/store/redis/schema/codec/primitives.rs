//! Records as what is in Redis, one file each, and what they are made of.

use redis::Value;
use serde::{Deserialize, Serialize};

use crate::store::error::StoreError;
use crate::token_string::TokenId;

/// A corrupt record is never "not found": an operator has to look.
pub(crate) fn corrupt(id: TokenId, field: &str) -> StoreError {
    StoreError::Corrupt { key: id.to_string(), reason: format!("field {field}") }
}

pub(crate) fn bytes(value: &Value) -> Option<&[u8]> {
    match value {
        Value::BulkString(bytes) => Some(bytes),
        _ => None,
    }
}

pub(crate) fn text(field: Option<&[u8]>) -> Option<&str> {
    std::str::from_utf8(field?).ok()
}

pub(crate) fn number(field: Option<&[u8]>) -> Option<u64> {
    std::str::from_utf8(field?).ok()?.parse().ok()
}

pub(crate) fn decimal(number: u64) -> Vec<u8> {
    number.to_string().into_bytes()
}

pub(crate) fn pack<T: Serialize>(value: &T) -> Vec<u8> {
    // Fails only for maps of unknown length and for writers that fail; here is neither.
    rmp_serde::to_vec(value).unwrap_or_default()
}

pub(crate) fn unpack<'a, T: Deserialize<'a>>(field: Option<&'a [u8]>) -> Option<T> {
    rmp_serde::from_slice(field?).ok()
}
