//! Single values: texts, decimals, MessagePack.

use redis::Value;
use serde::{Deserialize, Serialize};

use crate::store::error::StoreError;
use crate::token_string::TokenId;

/// The error for a malformed field. A corrupt record is never "not found": an operator has to look.
pub(crate) fn corrupt(id: TokenId, field: &str) -> StoreError {
    StoreError::Corrupt { key: id.to_string(), reason: format!("field {field}") }
}

pub(crate) fn bytes(value: &Value) -> Option<&[u8]> {
    match value {
        Value::BulkString(bytes) => Some(bytes),
        _ => None,
    }
}

/// Names and values of fields as the arguments of a script.
pub(crate) fn field_args<'a>(fields: &'a [(&'static str, Vec<u8>)]) -> impl Iterator<Item = &'a [u8]> {
    fields.iter().flat_map(|(name, value)| [name.as_bytes(), value])
}

pub(crate) fn text(field: Option<&[u8]>) -> Option<&str> {
    std::str::from_utf8(field?).ok()
}

pub(crate) fn number(field: Option<&[u8]>) -> Option<u64> {
    let digits = field?;
    // More than 19 digits might overflow; a time has 13.
    if digits.is_empty() || digits.len() > 19 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(digits.iter().fold(0, |number, digit| number * 10 + u64::from(digit - b'0')))
}

pub(crate) fn decimal(number: u64) -> Vec<u8> {
    number.to_string().into_bytes()
}

pub(crate) fn pack<T: Serialize>(value: &T) -> Vec<u8> {
    // Fails only for maps of unknown length and failing writers, neither of which occurs.
    rmp_serde::to_vec(value).unwrap_or_default()
}

/// Encodes a struct with the names of its fields, as scripts read their arguments.
pub(crate) fn pack_named(value: &impl Serialize) -> Vec<u8> {
    rmp_serde::to_vec_named(value).unwrap_or_default()
}

pub(crate) fn unpack<'a, T: Deserialize<'a>>(field: Option<&'a [u8]>) -> Option<T> {
    rmp_serde::from_slice(field?).ok()
}
