//! Parsers of arguments: the rules of the server's fields, so that a bad one is refused before any call. No message
//! repeats the text, which may be a secret.

use std::str::FromStr;

use crate::config::parse::duration::duration_ms;
use crate::model::field_rules as rules;
use crate::model::field_rules::MAX_AGE_SECONDS;
use crate::token_string::{ID_CHARS, TokenId};

/// Parses the id of a token.
pub(super) fn token_id(text: &str) -> Result<TokenId, String> {
    let is_token_string = text.starts_with("dw_") && text.len() > ID_CHARS;
    TokenId::parse(text).ok_or_else(|| {
        if is_token_string {
            format!("is a token string, which is a secret: give the id, the {ID_CHARS} characters after dw_")
        } else {
            format!("must be a token id of {ID_CHARS} characters (A-Z a-z 0-9 _ -)")
        }
    })
}

/// Parses a whole number of at least 1.
pub(super) fn positive<N: FromStr + From<u8> + PartialOrd>(text: &str) -> Result<N, String> {
    let number = text.parse().ok().filter(|number| *number >= N::from(1));
    number.ok_or_else(|| "must be a whole number from 1 on".to_owned())
}

/// Parses a user id.
pub(super) fn user(text: &str) -> Result<String, String> {
    rules::user(text).map(|()| text.to_owned())
}

/// Parses the uuid of a device key.
pub(super) fn device_uuid(text: &str) -> Result<String, String> {
    rules::device_uuid(text)
}

/// Parses a client's IP address.
pub(super) fn ip(text: &str) -> Result<String, String> {
    rules::ip(text).map(|ip| ip.to_string())
}

/// Parses an auth slug.
pub(super) fn auth_slug(text: &str) -> Result<String, String> {
    rules::auth_slug(text).map(|()| text.to_owned())
}

/// Parses a backend's name.
pub(super) fn backend(text: &str) -> Result<String, String> {
    rules::backend(text).map(|()| text.to_owned())
}

/// Parses one scope.
pub(super) fn scope(text: &str) -> Result<String, String> {
    rules::scopes([text]).map_err(|(_, problem)| problem)
}

/// Parses a takeover's reason.
pub(super) fn reason(text: &str) -> Result<String, String> {
    rules::reason(text).map(|()| text.to_owned())
}

/// Parses a duration of whole seconds.
pub(super) fn seconds(text: &str) -> Result<u64, String> {
    let ms = duration_ms(1000..=MAX_AGE_SECONDS * 1000)(text)?;
    if ms.is_multiple_of(1000) { Ok(ms / 1000) } else { Err("is not a number of whole seconds".into()) }
}

/// A related object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Related {
    pub(super) content_type: String,
    pub(super) object_id: String,
}

/// Parses `TYPE/ID`. The id may have further slashes.
pub(super) fn related(text: &str) -> Result<Related, String> {
    let (content_type, object_id) = text.split_once('/').ok_or("is not of the form TYPE/ID")?;
    rules::content_type(content_type).map_err(|problem| format!("has a type that {problem}"))?;
    rules::object_id(object_id).map_err(|problem| format!("has an id that {problem}"))?;
    Ok(Related { content_type: content_type.into(), object_id: object_id.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_arguments_are_refused_without_being_repeated() {
        assert!(token_id("-AAAAAAAAAAAAAA_").is_ok());
        let secret = format!("dw_{}", "hunter2-".repeat(6));
        let problem = token_id(&secret).unwrap_err();
        assert!(problem.contains("is a token string") && !problem.contains("hunter2"), "{problem}");
        assert!(token_id("hunter2").is_err_and(|problem| !problem.contains("hunter2")));
        assert_eq!((seconds("1h"), seconds("90s")), (Ok(3600), Ok(90)));
        assert!(seconds("1500ms").is_err() && seconds("0").is_err() && seconds("soon").is_err());
        let object = Related { content_type: "app.order".into(), object_id: "a/7".into() };
        assert_eq!(related("app.order/a/7"), Ok(object));
        assert!(related("app.order").is_err() && related("/7").is_err() && related("x/").is_err());
    }
}
