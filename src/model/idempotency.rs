//! Requests with `Idempotency-Key`: a repeat makes no second token.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::token_string::HashTag;

/// How long a request is remembered.
pub const REMEMBERED_MS: u64 = 600_000;
/// The longest answer that is kept for a repeat. Only imports have answers without secrets.
pub const MAX_KEPT_ANSWER: usize = 256 * 1024;

const REQUEST_CONTEXT: &str = "doorward 2026-11 name of an idempotent request";

/// The name of a request: a hash of its `Idempotency-Key`, of its method and path, and of the API key's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RequestName([u8; 16]);

impl RequestName {
    /// Names a request. Requests with other API keys, methods or paths are other requests.
    pub fn of(api_key: &str, method: &str, path: &str, idempotency_key: &[u8]) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key(REQUEST_CONTEXT);
        // None of the parts has a control character, so the separator is unambiguous.
        for part in [api_key.as_bytes(), method.as_bytes(), path.as_bytes(), idempotency_key] {
            hasher.update(part).update(b"\0");
        }
        Self(half(hasher.finalize()))
    }

    /// Returns 22 characters of base64url.
    pub fn text(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    /// Spreads requests over the slots as users are spread.
    pub fn hash_tag(&self) -> HashTag {
        HashTag::of_user(&self.text())
    }
}

/// The hash of a request's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyDigest([u8; 16]);

impl BodyDigest {
    /// The length in bytes.
    pub const BYTES: usize = 16;

    /// Hashes a body.
    pub fn of(body: &[u8]) -> Self {
        Self(half(blake3::hash(body)))
    }

    /// Returns the hash.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// A request with `Idempotency-Key`.
#[derive(Clone, Copy, Debug)]
pub struct IdempotentRequest {
    /// Its name.
    pub name: RequestName,
    /// Its body.
    pub body: BodyDigest,
}

fn half(hash: blake3::Hash) -> [u8; 16] {
    let mut half = [0; 16];
    half.copy_from_slice(&hash.as_bytes()[..16]);
    half
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_names_the_request() {
        let name = |parts: [&str; 4]| RequestName::of(parts[0], parts[1], parts[2], parts[3].as_bytes());
        let one = ["admin", "POST", "/v1/tokens", "key"];
        assert_eq!(name(one), name(one));
        for place in 0..4 {
            let mut other = one;
            other[place] = "other";
            assert_ne!(name(one), name(other), "{place}");
        }
        assert_ne!(name(["ab", "c", "", ""]), name(["a", "bc", "", ""]));
        assert_eq!(name(one).text().len(), 22);
    }
}
