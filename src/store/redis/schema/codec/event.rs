//! An event, as an entry of its user's history, `dw:e:{s}:<user>`, and as a message of the live feed: a MessagePack map with
//! one-letter names, made by lua/shared/events.lua.
//!
//! A message of the feed is the four hex digits of the user's hash tag, the user, a zero byte, and the event.

use redis::Value;
use serde::Deserialize;

use super::primitives::bytes;
use crate::model::event::{Event, EventKind, RevokeReason};
use crate::token_string::{HashTag, TokenId};

#[derive(Deserialize)]
struct PackedEvent<'a> {
    #[serde(rename = "k")]
    kind: &'a str,
    #[serde(rename = "t")]
    at_ms: u64,
    #[serde(rename = "a")]
    actor: String,
    #[serde(rename = "l", default)]
    token: Option<&'a str>,
    #[serde(rename = "o", default)]
    takeover: Option<&'a str>,
    #[serde(rename = "u", default)]
    taken_over: Option<String>,
    #[serde(rename = "d", default)]
    device: Option<String>,
    #[serde(rename = "w", default)]
    reason: Option<&'a str>,
}

/// Decodes an event of a user with this hash tag; `None` if its kind is of a later version, or it is garbled.
pub fn event(hash_tag: HashTag, packed: &[u8]) -> Option<Event> {
    let packed: PackedEvent<'_> = rmp_serde::from_slice(packed).ok()?;
    let id = |locator| TokenId::from_locator(hash_tag, locator);
    Some(Event {
        kind: EventKind::ALL.into_iter().find(|kind| kind.name() == packed.kind)?,
        at_ms: packed.at_ms,
        actor: packed.actor,
        token: packed.token.and_then(id),
        takeover: packed.takeover.and_then(id),
        taken_over: packed.taken_over,
        device: packed.device,
        reason: packed.reason.and_then(RevokeReason::named),
    })
}

/// Returns whether an event is well-formed, be it of a later version or not.
pub fn is_whole(packed: &[u8]) -> bool {
    rmp_serde::from_slice::<PackedEvent<'_>>(packed).is_ok()
}

/// Decodes a message of the feed; `None` if it is garbled.
pub fn message(payload: &Value) -> Option<(String, Event)> {
    let (hash_tag, rest) = bytes(payload)?.split_at_checked(4)?;
    let hash_tag = HashTag::parse(std::str::from_utf8(hash_tag).ok()?)?;
    let end = rest.iter().position(|byte| *byte == 0)?;
    let user = std::str::from_utf8(&rest[..end]).ok()?.to_owned();
    Some((user, event(hash_tag, &rest[end + 1..])?))
}
