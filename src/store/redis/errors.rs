//! Errors of Redis, and answers of an unexpected form, as errors of the store.

use redis::RedisError;

use super::inspection::permission_error::PermissionError;
use super::store_clock::clock_refusal;
use crate::store::error::StoreError;

/// Returns the text of an answer; `what` names it in the error.
pub fn answer_text(bytes: Vec<u8>, what: &str) -> Result<String, StoreError> {
    String::from_utf8(bytes).map_err(|_| unexpected(what))
}

pub fn unexpected(what: &str) -> StoreError {
    StoreError::Corrupt { key: what.into(), reason: "an answer of an unexpected form".into() }
}

/// Describes an error without any key or value: a missing permission, the system's error of a connection, or only the
/// error's class and code.
pub fn describe(error: &RedisError) -> String {
    if let Some(denied) = PermissionError::in_error(error) {
        return denied.to_string();
    }
    if error.is_io_error() {
        return error.to_string();
    }
    format!("{} {}", error.category(), error.code().unwrap_or_default()).trim_end().to_owned()
}

/// Returns the first error of a pipeline's commands: the pipeline's own error has no code.
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
        Some("DWCLOCK") => clock_refusal(error.detail()),
        // One of our keys has another type.
        Some("WRONGTYPE") => StoreError::Corrupt { key: "unknown".into(), reason: "wrong type".into() },
        _ => StoreError::Unavailable(describe(&error)),
    }
}

/// Returns the code at the start of a server's error. The rest may repeat parts of the command.
pub fn error_code(error: &str) -> &str {
    error.split(' ').next().unwrap_or_default()
}

/// Describes an error that is handed over, for `map_err`.
pub(crate) fn described(error: RedisError) -> String {
    describe(&error)
}
