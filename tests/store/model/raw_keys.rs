//! Decodes the keys of Redis for the audit, independently of the code under test.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use doorward::internals::model::token::RelatedObject;
use doorward::internals::token_string::{HashTag, TokenId};
use serde::de::DeserializeOwned;

use super::values::LIMITS;
use crate::common::store::RawKey;

/// In a user's index: the offset of a revoked token's score.
pub const REVOKED: u64 = 1 << 50;
/// The flag of a token that is not revoked.
const ACTIVE: u64 = 1;
const LOCATOR_CHARS: usize = 14;

/// The entries of an index: the name, and until when the named thing is kept.
pub type Entries = BTreeMap<String, u64>;

/// Reads an index entry, if the member is one.
pub type Read = fn(&[u8], &[u8]) -> Option<(String, u64)>;

pub fn entries(key: &RawKey, read: Read) -> Entries {
    key.entries.iter().filter_map(|(name, value)| read(name, value)).collect()
}

pub fn scored(member: &[u8], score: &[u8]) -> Option<(String, u64)> {
    Some((string(member), number(score)))
}

/// Last accesses and the creation order are not entries. A revoked token's score has an offset.
pub fn token_entry(member: &[u8], score: &[u8]) -> Option<(String, u64)> {
    let is_token = !matches!(member[0], b'@' | b'#');
    is_token.then(|| number(score)).map(|score| (string(member), score.checked_sub(REVOKED).unwrap_or(score)))
}

/// Returns uuid and locator, and until when the key is kept.
pub fn device_entry(uuid: &[u8], entry: &[u8]) -> Option<(String, u64)> {
    let (locator, expires_at_ms) = entry.split_at(LOCATOR_CHARS);
    Some((format!("{} {}", string(uuid), string(locator)), number(expires_at_ms)))
}

pub fn kept_until(token: &RawKey) -> u64 {
    match field(token, "e") {
        Some(ended_at_ms) => number(ended_at_ms) + LIMITS.revoked_retention_ms,
        None => number(field(token, "x").unwrap()),
    }
}

/// Returns the absolute end of a token.
pub fn end_of(token: &RawKey) -> u64 {
    let (_, ends_at_ms, _): (u64, u64, Option<String>) = unpack(field(token, "i").unwrap());
    ends_at_ms
}

pub fn has_flag(token: &RawKey, flag: u64) -> bool {
    number(field(token, "f").unwrap()) & flag != 0
}

pub fn is_active(token: &RawKey) -> bool {
    has_flag(token, ACTIVE)
}

/// Returns until when the takeovers of a token are kept. The names of their fields are locators.
pub fn history_kept_until(history: &RawKey) -> u64 {
    let takeovers = history.entries.iter().filter(|(name, _)| name.len() == LOCATOR_CHARS);
    takeovers.map(|(_, takeover)| takeover_kept_until(takeover)).max().unwrap_or_default()
}

pub fn takeover_kept_until(record: &[u8]) -> u64 {
    let (_, _, _, ends_at_ms): (u64, String, Option<String>, u64) = unpack(record);
    ends_at_ms + LIMITS.takeover_retention_ms
}

pub fn name_of(kind: char, shard: HashTag, rest: &str) -> String {
    format!("{kind}:{{{shard}}}:{rest}")
}

/// Computed as ARCHITECTURE.md says, independently of the code under test.
pub fn object_name(object: &RelatedObject) -> String {
    let mut hasher = blake3::Hasher::new_derive_key("doorward 2026-11 name of a related object");
    hasher.update(format!("{}\0{}", object.content_type, object.object_id).as_bytes());
    URL_SAFE_NO_PAD.encode(&hasher.finalize().as_bytes()[..16])
}

pub fn objects_of(token: &RawKey) -> Vec<RelatedObject> {
    let objects: Vec<(String, String)> = field(token, "r").map(unpack).unwrap_or_default();
    objects.into_iter().map(|(content_type, object_id)| RelatedObject { content_type, object_id }).collect()
}

pub fn token_id(token: &RawKey) -> TokenId {
    TokenId::from_locator(HashTag::parse(&token.name[3..7]).unwrap(), rest(token)).unwrap()
}

/// Returns another key of the same slot.
pub fn sibling(key: &RawKey, kind: char, rest: &str) -> String {
    name_of(kind, HashTag::parse(&key.name[3..7]).unwrap(), rest)
}

/// Returns a key's name without its kind and hash tag.
pub fn rest(key: &RawKey) -> &str {
    &key.name["t:{0000}:".len()..]
}

pub fn field<'a>(key: &'a RawKey, name: &str) -> Option<&'a [u8]> {
    key.entries.iter().find(|(field, _)| field == name.as_bytes()).map(|(_, value)| value.as_slice())
}

pub fn string(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

pub fn number(decimal: &[u8]) -> u64 {
    string(decimal).parse().unwrap()
}

pub fn unpack<T: DeserializeOwned>(bytes: &[u8]) -> T {
    rmp_serde::from_slice(bytes).unwrap()
}
