//! The endings in the messages of the event feed.

use redis::Value;
use serde::Deserialize;

use super::entries::{CutoffSetting, Ending, EndingKey, HeardEnding, RememberedRevocation};
use crate::model::event::EventKind;
use crate::model::revoke_reason::RevokeReason;
use crate::store::redis::schema::codec::event::split_message;
use crate::token_string::{HashTag, TokenId};

/// The parts of an event that tell an ending; lua/shared/events.lua names them.
#[derive(Deserialize)]
struct PackedEnding<'a> {
    #[serde(rename = "k")]
    kind: &'a str,
    #[serde(rename = "t")]
    at_ms: u64,
    #[serde(rename = "l", default)]
    token: Option<&'a str>,
    #[serde(rename = "o", default)]
    takeover: Option<&'a str>,
    #[serde(rename = "w", default)]
    reason: Option<&'a str>,
    #[serde(rename = "c", default)]
    cutoff: Option<&'a str>,
    #[serde(rename = "x", default)]
    before_ms: Option<u64>,
    #[serde(rename = "y", default)]
    device: Option<&'a str>,
    /// The version in which the device key was deactivated; absent if it was removed.
    #[serde(rename = "m", default)]
    version_ms: Option<u64>,
}

/// Decodes a message of the feed; `None` if it tells no ending, or is garbled.
pub(crate) fn heard_ending(payload: &Value) -> Option<HeardEnding> {
    let (hash_tag, user, packed) = split_message(payload)?;
    ending(hash_tag, user, rmp_serde::from_slice(packed).ok()?)
}

fn ending(hash_tag: HashTag, user: &str, event: PackedEnding<'_>) -> Option<HeardEnding> {
    let kind = EventKind::named(event.kind)?;
    let id = |locator: Option<&str>| TokenId::from_locator(hash_tag, locator?);
    let at_ms = event.at_ms;
    let other = |key, ending| Some(HeardEnding::Other(key, ending));
    match kind {
        EventKind::TokenRevoked => {
            let reason = event.reason.and_then(RevokeReason::named);
            Some(HeardEnding::Token(id(event.token)?, RememberedRevocation { at_ms, reason }))
        }
        EventKind::TakeoverEnded => {
            let token = id(event.token)?;
            other(EndingKey::Takeover(id(event.takeover)?), Ending::Takeover { token, at_ms })
        }
        EventKind::DeviceEnded => {
            let ending = match event.version_ms {
                Some(version_ms) => Ending::DeviceDeactivated { version_ms },
                None => Ending::DeviceRemoved,
            };
            other(EndingKey::Device(id(event.device)?), ending)
        }
        EventKind::UserLocked | EventKind::UserUnlocked => {
            let is_locked = kind == EventKind::UserLocked;
            other(EndingKey::Lock(user.into()), Ending::Lock { is_locked, at_ms })
        }
        EventKind::UserErased => other(EndingKey::Erasure(user.into()), Ending::Erasure { at_ms }),
        EventKind::CutoffSet => {
            let set = Some(CutoffSetting { before_ms: event.before_ms?, at_ms });
            other(EndingKey::Cutoff(event.cutoff?.into()), Ending::Cutoff { set, removed_at_ms: None })
        }
        EventKind::CutoffRemoved => {
            let removed_at_ms = Some(at_ms);
            other(EndingKey::Cutoff(event.cutoff?.into()), Ending::Cutoff { set: None, removed_at_ms })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn heard(user: &str, event: &serde_json::Value) -> Option<HeardEnding> {
        let head = [HashTag::of_user(user).to_string().as_bytes(), user.as_bytes(), b"\0"].concat();
        heard_ending(&Value::BulkString([head, rmp_serde::to_vec(event).unwrap()].concat()))
    }

    #[test]
    fn endings_are_heard_and_other_events_are_not() {
        let tag = HashTag::of_user("alice");
        let id = TokenId::from_locator(tag, "YRgw02QaaPlKaQ").unwrap();
        let locator = "YRgw02QaaPlKaQ";
        let other = |key, ending| Some(HeardEnding::Other(key, ending));
        for (event, ending) in [
            (
                json!({"k": "token.revoked", "t": 7, "a": "x", "l": locator, "w": "logout", "i": [1]}),
                Some(HeardEnding::Token(
                    id,
                    RememberedRevocation { at_ms: 7, reason: Some(RevokeReason::Logout) },
                )),
            ),
            (
                json!({"k": "takeover.ended", "t": 7, "a": "x", "l": locator, "o": locator, "u": "bob"}),
                other(EndingKey::Takeover(id), Ending::Takeover { token: id, at_ms: 7 }),
            ),
            (
                json!({"k": "device.ended", "t": 7, "a": "x", "d": "phone", "y": locator, "m": 9}),
                other(EndingKey::Device(id), Ending::DeviceDeactivated { version_ms: 9 }),
            ),
            (
                json!({"k": "device.ended", "t": 7, "a": "x", "d": "phone", "y": locator}),
                other(EndingKey::Device(id), Ending::DeviceRemoved),
            ),
            (
                json!({"k": "user.unlocked", "t": 7, "a": "x"}),
                other(EndingKey::Lock("alice".into()), Ending::Lock { is_locked: false, at_ms: 7 }),
            ),
            (
                json!({"k": "user.erased", "t": 7, "a": "x"}),
                other(EndingKey::Erasure("alice".into()), Ending::Erasure { at_ms: 7 }),
            ),
            (
                json!({"k": "cutoff.set", "t": 7, "a": "x", "c": "all", "x": 5}),
                other(
                    EndingKey::Cutoff("all".into()),
                    Ending::Cutoff {
                        set: Some(CutoffSetting { before_ms: 5, at_ms: 7 }),
                        removed_at_ms: None,
                    },
                ),
            ),
            (json!({"k": "token.issued", "t": 7, "a": "x", "l": locator}), None),
            (json!({"k": "token.revoked", "t": 7, "a": "x"}), None),
            (json!({"k": "token.from_the_future", "t": 7}), None),
        ] {
            assert_eq!(heard("alice", &event), ending, "{event}");
        }
    }
}
