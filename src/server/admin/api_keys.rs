//! API keys: which one a request has, and which scopes that has.

use constant_time_eq::constant_time_eq_32;
use hyper::header::{AUTHORIZATION, HeaderMap};

use super::problem::Problem;
use crate::server::request::credentials::bearer;
use crate::values::{ApiKey, Scope};

/// Returns the API key in `Authorization`.
///
/// # Errors
/// 401 without a valid key.
pub fn authenticate<'a>(keys: &'a [ApiKey], headers: &HeaderMap) -> Result<&'a ApiKey, Problem> {
    let mut lines = headers.get_all(AUTHORIZATION).iter();
    let line = lines.next().ok_or_else(Problem::api_key_missing)?;
    if lines.next().is_some() {
        return Err(Problem::api_key_invalid());
    }
    let text = bearer(line.as_bytes()).ok_or_else(Problem::api_key_missing)?;
    find(keys, text).ok_or_else(Problem::api_key_invalid)
}

/// Finds the key with this text. Every key is compared, each in constant time, so the time says nothing about the keys.
pub fn find<'a>(keys: &'a [ApiKey], text: &[u8]) -> Option<&'a ApiKey> {
    let hash = ApiKey::hash_of(text);
    keys.iter().fold(None, |found, key| if constant_time_eq_32(&key.hash, &hash) { Some(key) } else { found })
}

/// Refuses a key that lacks one of these scopes.
///
/// # Errors
/// 403, which names the first missing scope.
pub fn demand_all(key: &ApiKey, scopes: &[Scope]) -> Result<(), Problem> {
    match scopes.iter().find(|scope| !key.scopes.contains(**scope)) {
        Some(missing) => Err(Problem::insufficient_scope(lacks(&[*missing]))),
        None => Ok(()),
    }
}

/// Whether a key has one of these scopes.
pub fn has_one_of(key: &ApiKey, scopes: &[Scope]) -> bool {
    scopes.iter().any(|scope| key.scopes.contains(*scope))
}

/// The error text for a key that has none of these scopes.
pub fn lacks(scopes: &[Scope]) -> String {
    let names: Vec<_> = scopes.iter().map(|scope| scope.name()).collect();
    format!("the API key lacks the scope {}", names.join(" or "))
}
