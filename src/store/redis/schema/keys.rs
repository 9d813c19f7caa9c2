//! The whole key schema. Everything of a user carries the shard tag as its hash tag, so it is in one slot.
//!
//! | key | type | what |
//! |---|---|---|
//! | `dw:t:{s}:<locator>` | hash | a token; the only prefix under client tracking |
//! | `dw:u:{s}:<user>` | sorted set | the user's tokens by expiry, their last accesses and their order (lua/prelude.lua) |
//! | `dw:o:{s}:<locator>` | hash | a token's takeovers (codec/takeover.rs) |
//! | `dw:v:{s}:<user>` | sorted set | who took this user over, by the time until which that is kept; a hint (lua/hints.lua) |
//! | `dw:e:{s}:<user>` | list | what happened to the user, newest first (codec/event.rs) |
//! | `dw:d:{s}:<locator>` | hash | a device key (codec/device.rs) |
//! | `dw:k:{s}:<user>` | hash | the user's device keys by uuid (lua/devices.lua) |
//! | `dw:r:{o}:<object>` | sorted set | the tokens of a related object, by their latest end; a hint (lua/hints.lua) |
//! | `dw:m:check-key` | string | the check key all nodes share |
//! | `dw:m:schema` | string | the version of this schema |
//! | `dw:events:<db>` | channel | the same events of all users, as they happen; channels are not divided by database |

use crate::model::device_key::DeviceId;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::model::token::RelatedObject;
use crate::token_string::{HashTag, TokenId};

/// The version of what is written under these keys; a node refuses to work on another.
pub const SCHEMA_VERSION: &str = "5";

const OBJECT_CONTEXT: &str = "doorward 2026-11 name of a related object";

/// A related object as its key has it: hashed, because two texts of 355 bytes are long for a key.
pub struct ObjectName {
    /// Spreads objects over the slots as users are spread.
    pub shard: HashTag,
    /// 22 characters of base64url.
    pub name: String,
}

impl ObjectName {
    /// The name of this object.
    pub fn of(object: &RelatedObject) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key(OBJECT_CONTEXT);
        // Neither text has control characters.
        hasher.update(object.content_type.as_bytes()).update(b"\0").update(object.object_id.as_bytes());
        let name = URL_SAFE_NO_PAD.encode(&hasher.finalize().as_bytes()[..16]);
        Self { shard: HashTag::of_user(&name), name }
    }
}

/// Makes keys with the prefix of the setting `key-prefix`.
#[derive(Clone, Debug)]
pub struct Keys {
    prefix: String,
}

impl Keys {
    /// `prefix` has no braces; the settings see to that.
    pub fn new(prefix: &str) -> Self {
        Self { prefix: prefix.to_owned() }
    }

    /// What all keys and channels start with.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The token's hash.
    pub fn token(&self, id: TokenId) -> String {
        // Written for every look-up, so without formatting.
        let parts = [&self.prefix, "t:{", &id.hash_tag().text(), "}:", &id.locator_text()];
        let mut key = String::with_capacity(parts.iter().map(|part| part.len()).sum());
        parts.iter().for_each(|part| key.push_str(part));
        key
    }

    /// What all token keys have in common: what client tracking listens to.
    pub fn all_tokens_prefix(&self) -> String {
        format!("{}t:", self.prefix)
    }

    /// The id of the token under this key; `None` when it is no token's.
    pub fn token_id(&self, key: &[u8]) -> Option<TokenId> {
        let rest = std::str::from_utf8(key).ok()?.strip_prefix(&self.prefix)?.strip_prefix("t:{")?;
        let (shard, locator) = rest.split_once("}:")?;
        TokenId::from_locator(HashTag::parse(shard)?, locator)
    }

    /// The user's index.
    pub fn index(&self, user: &str) -> String {
        self.key('u', HashTag::of_user(user), user)
    }

    /// The token's takeovers.
    pub fn takeovers(&self, token: TokenId) -> String {
        self.key('o', token.hash_tag(), &token.locator())
    }

    /// Who took this user over.
    pub fn taken_over(&self, user: &str) -> String {
        self.key('v', HashTag::of_user(user), user)
    }

    /// What happened to the user.
    pub fn events(&self, user: &str) -> String {
        self.key('e', HashTag::of_user(user), user)
    }

    /// Where events are told as they happen. Redis's channels are shared by all databases, so the name has the number.
    pub fn event_channel(&self, db: i64) -> String {
        format!("{}events:{db}", self.prefix)
    }

    /// The device key.
    pub fn device(&self, id: DeviceId) -> String {
        self.key('d', id.hash_tag(), &id.locator())
    }

    /// The user's device keys by uuid.
    pub fn devices(&self, user: &str) -> String {
        self.key('k', HashTag::of_user(user), user)
    }

    /// The tokens of a related object.
    pub fn related(&self, object: &RelatedObject) -> String {
        self.related_by_name(&ObjectName::of(object))
    }

    /// The same, by the object's name.
    pub fn related_by_name(&self, object: &ObjectName) -> String {
        self.key('r', object.shard, &object.name)
    }

    fn key(&self, kind: char, shard: HashTag, name: &str) -> String {
        format!("{}{kind}:{{{shard}}}:{name}", self.prefix)
    }

    /// The check key that the nodes share.
    pub fn token_key(&self) -> String {
        format!("{}m:check-key", self.prefix)
    }

    /// The version of the schema.
    pub fn schema(&self) -> String {
        format!("{}m:schema", self.prefix)
    }

    /// Never there: deleting it asks whether the store takes writes.
    pub fn probe(&self) -> String {
        format!("{}m:probe", self.prefix)
    }

    /// A key of each kind that is never there, for asking what may be done with such keys.
    pub fn of_each_kind(&self) -> Vec<String> {
        let tagged =
            ['t', 'u', 'o', 'v', 'e', 'd', 'k', 'r'].map(|kind| format!("{}{kind}:{{-}}:-", self.prefix));
        tagged
            .into_iter()
            .chain([self.token_key(), self.schema(), self.probe(), self.probe_at("-")])
            .collect()
    }

    /// The same in the slot of this shard tag.
    pub fn probe_at(&self, tag: &str) -> String {
        format!("{}m:probe:{{{tag}}}", self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_is_fixed() {
        let keys = Keys::new("dw:");
        let id = TokenId::parse("jE1hGDDTZBpo-Upp").unwrap();
        assert_eq!(keys.token(id), "dw:t:{8c4d}:YRgw02QaaPlKaQ");
        assert_eq!(keys.token_id(b"dw:t:{8c4d}:YRgw02QaaPlKaQ"), Some(id));
        for other in ["dw:t:{8c4d}:short", "dw:t:{8c4}:YRgw02QaaPlKaQ", "dw:u:{8c4d}:YRgw02QaaPlKaQ", "x"] {
            assert_eq!(keys.token_id(other.as_bytes()), None, "{other}");
        }
        assert_eq!(keys.index("alice"), "dw:u:{8c4d}:alice");
        assert_eq!(keys.index("a}b{c"), format!("dw:u:{{{}}}:a}}b{{c", HashTag::of_user("a}b{c")));
        assert_eq!(keys.takeovers(id), "dw:o:{8c4d}:YRgw02QaaPlKaQ");
        assert_eq!(keys.taken_over("alice"), "dw:v:{8c4d}:alice");
        assert_eq!(keys.events("alice"), "dw:e:{8c4d}:alice");
        assert_eq!(keys.event_channel(1), "dw:events:1");
        assert_eq!(keys.device(id), "dw:d:{8c4d}:YRgw02QaaPlKaQ");
        assert_eq!(keys.devices("alice"), "dw:k:{8c4d}:alice");
        let object = RelatedObject { content_type: "order".into(), object_id: "7".into() };
        assert_eq!(keys.related(&object), "dw:r:{4b90}:66O7HzmXqSJWiDp98a_klA");
        assert_eq!(keys.token_key(), "dw:m:check-key");
        assert_eq!(keys.schema(), "dw:m:schema");
        assert_eq!(keys.probe(), "dw:m:probe");
        assert_eq!(keys.probe_at("8c4d"), "dw:m:probe:{8c4d}");
    }
}
