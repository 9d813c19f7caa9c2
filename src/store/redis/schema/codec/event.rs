//! An event as an entry of its user's history and as a message of the live feed: MessagePack with letters for names, made
//! by lua/prelude.lua.

use redis::Value;
use serde::Deserialize;

use super::primitives::bytes;
use crate::model::event::{Event, EventKind, RevokeReason};
use crate::token_string::{HashTag, TokenId};

#[derive(Deserialize)]
struct Packed<'a> {
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

/// An event of a user of this shard; `None` when it is of a later version's kind, or garbled.
pub fn event(shard: HashTag, packed: &[u8]) -> Option<Event> {
    let packed: Packed<'_> = rmp_serde::from_slice(packed).ok()?;
    let id = |locator| TokenId::from_locator(shard, locator);
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

/// A message of the feed: four hex digits of shard tag, the user, a zero byte, the event.
pub fn message(payload: &Value) -> Option<(String, Event)> {
    let (shard, rest) = bytes(payload)?.split_at_checked(4)?;
    let shard = HashTag::parse(std::str::from_utf8(shard).ok()?)?;
    let end = rest.iter().position(|byte| *byte == 0)?;
    let user = std::str::from_utf8(&rest[..end]).ok()?.to_owned();
    Some((user, event(shard, &rest[end + 1..])?))
}
