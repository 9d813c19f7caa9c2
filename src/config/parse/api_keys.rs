//! API keys and token keys. An error names a key by its number: the key itself may stand in the name's place.

use std::collections::HashSet;
use std::ops::RangeInclusive;

use super::list::parse_items;
use super::scalar::{Parsed, is_word};
use crate::token_string::{MAX_TOKEN_KEYS, check_token_key};
use crate::values::timestamp::parse_time;
use crate::values::{ApiKey, Scope, Scopes, SecretString};

/// The length of an API key in characters.
const API_KEY_CHARS: RangeInclusive<usize> = 32..=256;
const MAX_API_KEYS: usize = 100;
const API_KEY_NAME_CHARS: RangeInclusive<usize> = 1..=50;
/// The name of `admin-key` in logs.
const ADMIN_KEY_NAME: &str = "admin";

/// Returns the text if it can be an API key.
pub(crate) fn api_key_text(text: &str) -> Parsed<&str> {
    if text.len() < *API_KEY_CHARS.start() {
        return Err("is shorter than the 32 characters of an API key".into());
    }
    if text.len() > *API_KEY_CHARS.end() || !is_word(text) {
        return Err("is not an API key: 32 to 256 of A-Z a-z 0-9 _ -".into());
    }
    Ok(text)
}

/// Parses the key with all scopes; an empty text is `None`.
pub(crate) fn admin_key(text: &str) -> Parsed<Option<ApiKey>> {
    if text.is_empty() {
        return Ok(None);
    }
    let hash = ApiKey::hash_of(api_key_text(text)?.as_bytes());
    Ok(Some(ApiKey { name: ADMIN_KEY_NAME.into(), scopes: Scopes::all(), hash, expires_at_ms: None }))
}

/// Parses items of the form `NAME:SCOPE+SCOPE:HASH` or `NAME:SCOPE+SCOPE:HASH:expires=TIME`.
pub(crate) fn api_keys(text: &str) -> Parsed<Vec<ApiKey>> {
    let keys = parse_items(text, MAX_API_KEYS, "key", api_key)?;
    let (mut names, mut hashes) = (HashSet::new(), HashSet::new());
    let repeated = keys.iter().position(|key| !names.insert(&key.name) || !hashes.insert(key.hash));
    match repeated {
        Some(at) => Err(format!("has a name or a hash twice, again in its key {}", at + 1)),
        None => Ok(keys),
    }
}

fn api_key(text: &str) -> Parsed<ApiKey> {
    if text.contains(char::is_whitespace) {
        return Err("it has white space in it: is a comma or a line break missing?".into());
    }
    // The colons of a time are in the last part.
    let (name, scopes, hash, expiry) = match text.splitn(4, ':').collect::<Vec<_>>()[..] {
        [name, scopes, hash] => (name, scopes, hash, None),
        [name, scopes, hash, expiry] => (name, scopes, hash, Some(expiry)),
        _ => return Err("it is not NAME:SCOPE+SCOPE:HASH or NAME:SCOPE+SCOPE:HASH:expires=TIME".into()),
    };
    if !API_KEY_NAME_CHARS.contains(&name.len()) || !is_word(name) {
        return Err("its name is not 1 to 50 of A-Z a-z 0-9 _ -".into());
    }
    if name == ADMIN_KEY_NAME {
        return Err(format!("its name {ADMIN_KEY_NAME} is reserved for admin-key"));
    }
    let scopes =
        if scopes == "all" { Some(Scopes::all()) } else { scopes.split('+').map(Scope::named).collect() };
    let scopes = scopes.ok_or(
        "its scopes are not all, or some of tokens+takeovers+devices+introspect+metrics+events+import",
    )?;
    let hash = blake3::Hash::from_hex(hash)
        .map_err(|_| "its hash is not the 64 hex digits that `doorward hash-key` prints")?;
    let expires_at_ms = expiry.map(expiry_ms).transpose()?;
    Ok(ApiKey { name: name.into(), scopes, hash: *hash.as_bytes(), expires_at_ms })
}

fn expiry_ms(text: &str) -> Parsed<u64> {
    text.strip_prefix("expires=").and_then(parse_time).ok_or_else(|| {
        "its last part is not expires= and a date or a time such as 2027-01-31 or 2027-01-31T12:00:00Z".into()
    })
}

/// Parses the keys of the MAC.
pub(crate) fn token_keys(text: &str) -> Parsed<Vec<SecretString>> {
    parse_items(text, MAX_TOKEN_KEYS, "key", |key| match check_token_key(key) {
        Ok(()) => Ok(SecretString::new(key)),
        Err(problem) => Err(format!("it {problem}")),
    })
}

/// Returns the hash of an API key in the form that `api-keys` takes. A newline after the key is ignored.
///
/// # Errors
/// If the text cannot be an API key. The message does not repeat the text.
pub fn hash_key(text: &str) -> Result<String, String> {
    let key = api_key_text(text.trim_end_matches(['\r', '\n']));
    let key = key.map_err(|problem| format!("the text on standard input {problem}"))?;
    Ok(blake3::Hash::from_bytes(ApiKey::hash_of(key.as_bytes())).to_hex().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn api_keys_have_a_name_scopes_and_a_hash() {
        let key = "k".repeat(32);
        let hash = blake3::hash(key.as_bytes()).to_hex();
        let other = "0".repeat(64);
        let keys = api_keys(&format!("ci:tokens+metrics:{hash}, ops:all:{other}")).unwrap();
        assert_eq!(format!("{keys:?}"), "[ApiKey(ci:tokens+metrics:***), ApiKey(ops:all:***)]");
        assert_eq!(keys[0].hash, ApiKey::hash_of(key.as_bytes()));
        assert_eq!(admin_key(&key).unwrap().unwrap().hash, keys[0].hash);
        assert_eq!((api_keys(""), admin_key("")), (Ok(vec![]), Ok(None)));
        let expiring =
            api_keys(&format!("ci:all:{hash}:expires=2027-01-31T01:00:00+01:00,b:all:{other}")).unwrap();
        assert_eq!(expiring[0].to_string(), "ci:all:***:expires=2027-01-31T00:00:00Z");
        assert!(expiring[0].has_expired(1_801_353_600_000) && !expiring[0].has_expired(1_801_353_599_999));
        assert!(!expiring[1].has_expired(u64::MAX));

        let long_name = "n".repeat(51);
        for (text, problem) in [
            (key.clone(), "NAME:SCOPE"),
            ("a:all".to_owned(), "NAME:SCOPE"),
            (format!("a:all:{hash}:"), "its last part"),
            (format!("a:all:{hash}:{key}"), "its last part"),
            (format!("a:all:{hash}:2027-01-31"), "its last part"),
            (format!("a:all:{hash}:expires=2027-02-30"), "its last part"),
            (format!("a:all:{hash}:expires=2027-01-31T12:00:00"), "its last part"),
            (format!("a:all:{hash}:expires=2027-01-31:x"), "its last part"),
            (format!("a:all:{hash},"), "key 2"),
            (format!(":all:{hash}"), "its name"),
            (format!("{long_name}:all:{hash}"), "its name"),
            (format!("a b:all:{hash}"), "key 1: it has white space"),
            (format!("a:all:{hash} b:all:{other}"), "key 1: it has white space"),
            (format!("a:all:{other}\nb:all:{hash}\tx"), "key 2: it has white space"),
            (format!("a@:all:{hash}"), "its name"),
            (format!("admin:all:{hash}"), "admin-key"),
            (format!("a::{hash}"), "its scopes"),
            (format!("a:tokens+:{hash}"), "its scopes"),
            (format!("a:tokens+all:{hash}"), "its scopes"),
            (format!("a:all:{key}"), "its hash"),
            (format!("a:all:{}", "é".repeat(32)), "its hash"),
            (format!("a:all:{hash},a:all:{other}"), "twice, again in its key 2"),
            (format!("a:all:{hash},b:all:{hash}"), "twice, again in its key 2"),
        ] {
            let error = api_keys(&text).unwrap_err();
            assert!(error.contains(problem) && !error.contains(&key), "{text}: {error}");
        }
        for bad in ["k".repeat(31), "k".repeat(257), " ".repeat(32), "é".repeat(32)] {
            assert!(admin_key(&bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn token_keys_are_a_few_long_texts() {
        let keys = token_keys(&format!("{}, {}", "a".repeat(32), "é".repeat(32))).unwrap();
        assert_eq!(keys[1].expose(), "é".repeat(32));
        assert_eq!(token_keys(""), Ok(vec![]));
        let (good, long) = ("a".repeat(32), "a".repeat(1025));
        let spaced = format!("{good} {good}");
        for (text, problem) in [
            (format!("{good},"), "key 2: it is not 32 to 1024 characters long"),
            (format!("{good}\n{}", "a".repeat(31)), "key 2: it is not 32"),
            (long, "key 1: it is not 32"),
            (format!("# keys\n{good}\n{spaced}\n"), "key 2: it has white space"),
            (format!("{good}\u{a0}{good}"), "key 1: it has white space"),
            (format!("{good}\0"), "key 1: it has white space or a control"),
            ([good.as_str(); MAX_TOKEN_KEYS + 1].join(","), "more than 8 keys"),
        ] {
            let error = token_keys(&text).unwrap_err();
            assert!(error.contains(problem) && !error.contains(&good), "{text}: {error}");
        }
    }
}
