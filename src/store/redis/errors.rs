//! Errors of Redis as the store's errors.

use super::store_clock;
use crate::store::error::StoreError;
use crate::store::redis::inspection::denied::Denied;
use redis::RedisError;
use serde::Serialize;

/// MessagePack with the fields' names, as scripts read it.
pub fn named(value: &impl Serialize) -> Vec<u8> {
    // Fails only for maps of unknown length and for writers that fail; here is neither.
    rmp_serde::to_vec_named(value).unwrap_or_default()
}

pub fn text(bytes: Vec<u8>, what: &str) -> Result<String, StoreError> {
    String::from_utf8(bytes).map_err(|_| unexpected(what))
}

pub fn unexpected(what: &str) -> StoreError {
    StoreError::Corrupt { key: what.into(), reason: "an answer of an unexpected form".into() }
}

/// Says what went wrong without any value of ours: a missing permission, what the system says of a connection, or else
/// only the error's class and code.
pub fn describe(error: &RedisError) -> String {
    if let Some(denied) = Denied::in_error(error) {
        return denied.to_string();
    }
    if error.is_io_error() {
        return error.to_string();
    }
    format!("{} {}", error.category(), error.code().unwrap_or_default()).trim_end().to_owned()
}

/// A pipeline's error has no code of its own, but those of its commands.
pub fn first_error(error: RedisError) -> RedisError {
    match error.clone().into_server_errors().as_deref() {
        Some([(_, first), ..]) => first.clone().into(),
        _ => error,
    }
}

pub fn store_error(error: RedisError) -> StoreError {
    match error.code() {
        Some("DWCORRUPT") => StoreError::Corrupt {
            key: error.detail().unwrap_or_default().to_owned(),
            reason: "missing or malformed field".into(),
        },
        Some("DWCLOCK") => store_clock::refused(error.detail()),
        // A wrong type under one of our keys.
        Some("WRONGTYPE") => StoreError::Corrupt { key: "unknown".into(), reason: "wrong type".into() },
        _ => StoreError::Unavailable(describe(&error)),
    }
}

/// Returns the code at the start of a server's error. The rest may repeat parts of the command.
pub fn error_code(error: &str) -> &str {
    error.split(' ').next().unwrap_or_default()
}
