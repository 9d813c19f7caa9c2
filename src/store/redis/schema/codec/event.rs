//! An event, as an entry of its user's history, `dw:e:{s}:<user>`, and as a message of the live feed: a MessagePack map with
//! one-letter names, made by lua/shared/events.lua.
//!
//! A message of the feed is the four hex digits of the user's hash tag, the user, a zero byte, and the event.

use std::net::IpAddr;

use redis::Value;
use serde::{Deserialize, Serialize};

use super::primitives::{bytes, pack_named};
use super::user_agent::{expand, shorten};
use crate::model::event::{Actor, CutoffEvent, Event, EventFacts, EventKind, cut_user_agent};
use crate::model::revoke_reason::RevokeReason;
use crate::model::token::Token;
use crate::token_string::{HashTag, TokenId};

/// The facts of a new token for its events, as lua/shared/events.lua takes them.
#[derive(Serialize)]
pub(crate) struct PackedFacts {
    #[serde(rename = "i")]
    ip: Option<IpAddr>,
    #[serde(rename = "g")]
    user_agent: Option<String>,
    #[serde(rename = "s")]
    auth_slug: Option<String>,
    #[serde(rename = "b")]
    backend: Option<String>,
}

impl PackedFacts {
    /// Returns what the events of a new token tell.
    pub(crate) fn of(token: &Token) -> Self {
        let EventFacts { ip, user_agent, auth_slug, backend } = EventFacts::of(token);
        let user_agent = user_agent.as_deref().map(shorten);
        Self { ip, user_agent, auth_slug, backend }
    }
}

/// The event of a new token.
#[derive(Serialize)]
struct PackedIssue<'a> {
    #[serde(rename = "k")]
    kind: &'static str,
    #[serde(rename = "t")]
    at_ms: u64,
    #[serde(rename = "a")]
    actor: String,
    #[serde(rename = "l")]
    token: String,
    #[serde(rename = "d", skip_serializing_if = "Option::is_none")]
    device: Option<&'a str>,
    #[serde(rename = "i")]
    ip: IpAddr,
    #[serde(rename = "g", skip_serializing_if = "Option::is_none")]
    user_agent: Option<String>,
    #[serde(rename = "s", skip_serializing_if = "Option::is_none")]
    auth_slug: Option<&'a str>,
    #[serde(rename = "b", skip_serializing_if = "Option::is_none")]
    backend: Option<&'a str>,
}

/// Encodes the event that a token was issued.
pub(crate) fn issued(token: &Token, at_ms: u64, actor: Actor<'_>) -> Vec<u8> {
    pack_named(&PackedIssue {
        kind: EventKind::TokenIssued.name(),
        at_ms,
        actor: actor.to_string(),
        token: token.record.id.locator(),
        device: token.record.device(),
        ip: token.details.ip,
        user_agent: EventFacts::of_attempt(token).user_agent.as_deref().map(shorten),
        auth_slug: token.record.auth_slug(),
        backend: token.record.backend(),
    })
}

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
    // Events of earlier versions do not have these.
    #[serde(rename = "i", default)]
    ip: Option<IpAddr>,
    #[serde(rename = "g", default)]
    user_agent: Option<String>,
    #[serde(rename = "s", default)]
    auth_slug: Option<String>,
    #[serde(rename = "b", default)]
    backend: Option<String>,
    #[serde(rename = "c", default)]
    cutoff: Option<String>,
    #[serde(rename = "x", default)]
    before_ms: Option<u64>,
}

/// Decodes an event of a user with this hash tag; `None` if its kind is of a later version, or it is garbled.
pub fn event(hash_tag: HashTag, packed: &[u8]) -> Option<Event> {
    let packed: PackedEvent<'_> = rmp_serde::from_slice(packed).ok()?;
    let id = |locator| TokenId::from_locator(hash_tag, locator);
    Some(Event {
        kind: EventKind::named(packed.kind)?,
        at_ms: packed.at_ms,
        actor: packed.actor,
        token: packed.token.and_then(id),
        takeover: packed.takeover.and_then(id),
        taken_over: packed.taken_over,
        device: packed.device,
        reason: packed.reason.and_then(RevokeReason::named),
        cutoff: packed.cutoff.map(|name| CutoffEvent { name, before_ms: packed.before_ms }),
        facts: EventFacts {
            ip: packed.ip,
            user_agent: packed.user_agent.and_then(|stored| cut_user_agent(expand(&stored)?)),
            auth_slug: packed.auth_slug,
            backend: packed.backend,
        },
    })
}

/// Returns whether an event is well-formed, be it of a later version or not.
pub fn is_whole(packed: &[u8]) -> bool {
    rmp_serde::from_slice::<PackedEvent<'_>>(packed).is_ok()
}

/// Splits a message of the feed into the user's hash tag, the user and the packed event; `None` if it is garbled.
pub fn split_message(payload: &Value) -> Option<(HashTag, &str, &[u8])> {
    let (hash_tag, rest) = bytes(payload)?.split_at_checked(4)?;
    let hash_tag = HashTag::parse(std::str::from_utf8(hash_tag).ok()?)?;
    let end = rest.iter().position(|byte| *byte == 0)?;
    Some((hash_tag, std::str::from_utf8(&rest[..end]).ok()?, &rest[end + 1..]))
}

/// Decodes a message of the feed; `None` if it is garbled.
pub fn message(payload: &Value) -> Option<(String, Event)> {
    let (hash_tag, user, packed) = split_message(payload)?;
    Some((user.to_owned(), event(hash_tag, packed)?))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn packed(fields: &serde_json::Value, ip: Option<IpAddr>) -> Vec<u8> {
        let mut map = rmp_serde::to_vec(fields).unwrap();
        if let Some(ip) = ip {
            // One more entry of the map.
            map[0] += 1;
            map.extend(rmp_serde::to_vec(&"i").unwrap());
            map.extend(rmp_serde::to_vec(&ip).unwrap());
        }
        map
    }

    #[test]
    fn an_event_has_the_facts_of_its_token_and_an_earlier_one_has_none() {
        let tag = HashTag::of_user("alice");
        let earlier = json!({"k": "token.issued", "t": 7, "a": "holder", "l": "YRgw02QaaPlKaQ"});
        let read = event(tag, &packed(&earlier, None)).unwrap();
        assert_eq!((read.kind, read.at_ms, read.facts), (EventKind::TokenIssued, 7, EventFacts::default()));
        assert_eq!(read.token, TokenId::from_locator(tag, "YRgw02QaaPlKaQ"));

        let full = json!({"k": "token.issued", "t": 7, "a": "holder", "g": "curl", "s": "web", "b": "ldap"});
        for ip in ["203.0.113.7", "2001:db8::1"].map(|ip| ip.parse().unwrap()) {
            let expected = EventFacts {
                ip: Some(ip),
                user_agent: Some("curl".into()),
                auth_slug: Some("web".into()),
                backend: Some("ldap".into()),
            };
            assert_eq!(event(tag, &packed(&full, Some(ip))).unwrap().facts, expected);
        }
    }

    #[test]
    fn a_garbled_or_later_event_is_left_out() {
        let tag = HashTag::of_user("alice");
        let later = json!({"k": "token.from_the_future", "t": 7, "a": "holder"});
        assert_eq!(event(tag, &packed(&later, None)), None);
        let garbled = json!({"k": "token.issued", "t": 7, "a": "holder", "i": "203.0.113.7"});
        assert_eq!(event(tag, &packed(&garbled, None)), None);
        assert_eq!(event(tag, b"\xc1"), None);
    }
}
