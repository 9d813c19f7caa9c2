//! `doorward hash-key`.

use super::parse::api_keys::api_key_text;
use crate::values::ApiKey;

/// Returns the hash of an API key in the form that `api-keys` takes. A newline after the key is ignored.
///
/// # Errors
/// If the text cannot be an API key. The message does not repeat the text.
pub fn hash_key(text: &str) -> Result<String, String> {
    let key = api_key_text(text.trim_end_matches(['\r', '\n']));
    let key = key.map_err(|problem| format!("the text on standard input {problem}"))?;
    Ok(blake3::Hash::from_bytes(ApiKey::hash_of(key.as_bytes())).to_hex().to_string())
}
