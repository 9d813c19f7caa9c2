//! Who may use the admin plane.

use constant_time_eq::constant_time_eq_32;
use hyper::StatusCode;
use hyper::header::{AUTHORIZATION, HeaderMap};

use crate::config::{ApiKey, Scope};
use crate::http::presented::bearer;
use crate::http::problem::Problem;

/// The key of a request, which has this scope.
///
/// # Errors
/// 401 without a good key, 403 for a key without the scope.
pub fn authorize<'a>(keys: &'a [ApiKey], headers: &HeaderMap, scope: Scope) -> Result<&'a ApiKey, Problem> {
    let mut lines = headers.get_all(AUTHORIZATION).iter();
    let (Some(line), None) = (lines.next(), lines.next()) else { return Err(Problem::unauthorized()) };
    let given = bearer(line.as_bytes()).ok_or_else(Problem::unauthorized)?;
    let hash = ApiKey::hash_of(given);
    // Every key is compared, each in constant time: how long it takes tells nothing.
    let known = keys.iter().fold(
        None,
        |found, key| {
            if constant_time_eq_32(&key.hash, &hash) { Some(key) } else { found }
        },
    );
    match known {
        None => Err(Problem::unauthorized()),
        Some(key) if key.scopes.contains(scope) => Ok(key),
        Some(_) => {
            Err(Problem::new(StatusCode::FORBIDDEN, format!("this API key lacks the scope {}", scope.name())))
        }
    }
}
