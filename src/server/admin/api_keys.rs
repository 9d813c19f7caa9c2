//! Who may use the admin plane.

use constant_time_eq::constant_time_eq_32;
use hyper::header::{AUTHORIZATION, HeaderMap};

use super::problem::Problem;
use crate::server::request::credentials::bearer;
use crate::values::{ApiKey, Scope};

/// The key of a request, which has one of these scopes.
///
/// # Errors
/// 401 without a good key, 403 for a key without the scope.
pub fn authorize<'a>(
    keys: &'a [ApiKey],
    headers: &HeaderMap,
    scopes: &[Scope],
) -> Result<&'a ApiKey, Problem> {
    let mut lines = headers.get_all(AUTHORIZATION).iter();
    let line = lines.next().ok_or_else(Problem::api_key_missing)?;
    if lines.next().is_some() {
        return Err(Problem::api_key_invalid());
    }
    let given = bearer(line.as_bytes()).ok_or_else(Problem::api_key_missing)?;
    let key = find(keys, given).ok_or_else(Problem::api_key_invalid)?;
    if has_one_of(key, scopes) {
        return Ok(key);
    }
    Err(Problem::insufficient_scope(format!("this API key lacks the scope {}", either(scopes))))
}

/// The key that this is.
pub fn find<'a>(keys: &'a [ApiKey], given: &[u8]) -> Option<&'a ApiKey> {
    let hash = ApiKey::hash_of(given);
    // Every key is compared, each in constant time: how long it takes tells nothing.
    keys.iter().fold(None, |found, key| if constant_time_eq_32(&key.hash, &hash) { Some(key) } else { found })
}

/// Whether a key has any of these scopes.
pub fn has_one_of(key: &ApiKey, scopes: &[Scope]) -> bool {
    scopes.iter().any(|scope| key.scopes.contains(*scope))
}

/// The names of scopes of which one is enough.
pub fn either(scopes: &[Scope]) -> String {
    scopes.iter().map(|scope| scope.name()).collect::<Vec<_>>().join(" or ")
}
