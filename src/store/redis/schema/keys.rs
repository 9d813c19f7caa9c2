//! The names of the keys; [`super`] describes what is under them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::foreign::{ForeignDigest, UuidDigest};
use crate::model::device_key::DeviceId;
use crate::model::idempotency::RequestName;
use crate::model::token::RelatedObject;
use crate::token_string::{HashTag, TokenId};

/// The version of the schema; a node refuses to work with another one.
pub const SCHEMA_VERSION: &str = "6";

const OBJECT_CONTEXT: &str = "doorward 2026-11 name of a related object";

/// The name of a related object in its key: a hash, because its two texts may have 355 bytes together.
pub struct ObjectName {
    /// Spreads objects over the slots as users are spread.
    pub hash_tag: HashTag,
    /// 22 characters of base64url.
    pub name: String,
}

impl ObjectName {
    /// Returns the name of this object.
    pub fn of(object: &RelatedObject) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key(OBJECT_CONTEXT);
        // Neither text may contain a control character, so the separator is unambiguous.
        hasher.update(object.content_type.as_bytes()).update(b"\0").update(object.object_id.as_bytes());
        let name = URL_SAFE_NO_PAD.encode(&hasher.finalize().as_bytes()[..16]);
        Self { hash_tag: HashTag::of_user(&name), name }
    }
}

/// Makes keys with the prefix of the setting `key-prefix`.
#[derive(Clone, Debug)]
pub struct Keys {
    prefix: String,
}

impl Keys {
    /// `prefix` has no braces: the settings reject them.
    pub fn new(prefix: &str) -> Self {
        Self { prefix: prefix.to_owned() }
    }

    /// The start of all keys and channels.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The key of a token.
    pub fn token(&self, id: TokenId) -> String {
        self.token_parts(id, |parts| parts.concat())
    }

    /// Calls `join` with the parts of the key of a token: a look-up joins them where it writes its command.
    pub(crate) fn token_parts<R>(&self, id: TokenId, join: impl FnOnce([&str; 5]) -> R) -> R {
        join([&self.prefix, "t:{", &id.hash_tag().text(), "}:", &id.locator_text()])
    }

    /// The start of all keys of tokens, which client tracking listens to.
    pub fn all_tokens_prefix(&self) -> String {
        format!("{}t:", self.prefix)
    }

    /// Returns the id of the token with this key; `None` if the key is not a token's.
    pub fn token_id(&self, key: &[u8]) -> Option<TokenId> {
        let rest = std::str::from_utf8(key).ok()?.strip_prefix(&self.prefix)?.strip_prefix("t:{")?;
        let (hash_tag, locator) = rest.split_once("}:")?;
        TokenId::from_locator(HashTag::parse(hash_tag)?, locator)
    }

    /// The index of a user's tokens.
    pub fn index(&self, user: &str) -> String {
        self.key('u', HashTag::of_user(user), user)
    }

    /// The takeovers of a token.
    pub fn takeovers(&self, token: TokenId) -> String {
        self.key('o', token.hash_tag(), &token.locator())
    }

    /// The reverse index of the takeovers of this user.
    pub fn taken_over(&self, user: &str) -> String {
        self.key('v', HashTag::of_user(user), user)
    }

    /// The tokens of this user that have taken others over.
    pub fn acting(&self, user: &str) -> String {
        self.key('a', HashTag::of_user(user), user)
    }

    /// The marker of a locked user.
    pub fn lock(&self, user: &str) -> String {
        self.key('l', HashTag::of_user(user), user)
    }

    /// The events of a user.
    pub fn events(&self, user: &str) -> String {
        self.key('e', HashTag::of_user(user), user)
    }

    /// The channel of the events that only readers of the feed need. All databases share Redis's channels, so the name has the number.
    pub fn event_channel(&self, db: i64) -> String {
        format!("{}events:{db}", self.prefix)
    }

    /// The channel of the events that every node hears: endings and cut-offs.
    pub fn ending_channel(&self, db: i64) -> String {
        format!("{}events:{db}:endings", self.prefix)
    }

    /// The key of a device key.
    pub fn device(&self, id: DeviceId) -> String {
        self.key('d', id.hash_tag(), &id.locator())
    }

    /// The map of a user's device keys.
    pub fn devices(&self, user: &str) -> String {
        self.key('k', HashTag::of_user(user), user)
    }

    /// The reverse index of the tokens of a related object.
    pub fn related(&self, object: &RelatedObject) -> String {
        self.related_by_name(&ObjectName::of(object))
    }

    /// The key of [`related`](Self::related), by the object's name.
    pub fn related_by_name(&self, object: &ObjectName) -> String {
        self.key('r', object.hash_tag, &object.name)
    }

    /// The key of this kind, hash tag and name.
    pub(crate) fn key(&self, kind: char, hash_tag: HashTag, name: &str) -> String {
        format!("{}{kind}:{{{hash_tag}}}:{name}", self.prefix)
    }

    /// The alias of a foreign token: the id of the imported token.
    pub fn alias(&self, digest: &ForeignDigest) -> String {
        self.key('f', digest.alias_hash_tag(), &digest.alias_name())
    }

    /// The reverse index of the device keys that were imported with a uuid.
    pub fn imported_devices(&self, digest: &UuidDigest) -> String {
        self.key('g', digest.hash_tag(), &digest.name())
    }

    /// The body of a request that is done once, and its answer if that is kept.
    pub fn request(&self, name: RequestName) -> String {
        self.key('i', name.hash_tag(), &name.text())
    }

    /// The result of a request that is done once. In the slot of the user.
    pub fn done_request(&self, hash_tag: HashTag, name: RequestName) -> String {
        self.key('j', hash_tag, &name.text())
    }

    /// The trace of a token, takeover or device key that has ended.
    pub fn trace(&self, id: TokenId) -> String {
        self.key('q', id.hash_tag(), &id.locator())
    }

    /// The traces of a user's erasure and unlock.
    pub fn user_traces(&self, user: &str) -> String {
        self.key('y', HashTag::of_user(user), user)
    }

    /// The token key that all nodes share.
    pub fn token_key(&self) -> String {
        format!("{}m:check-key", self.prefix)
    }

    /// The version of the schema, [`SCHEMA_VERSION`].
    pub fn schema(&self) -> String {
        format!("{}m:schema", self.prefix)
    }

    /// The cut-offs.
    pub fn cutoffs(&self) -> String {
        self.key('m', Self::cutoff_tag(), "cutoffs")
    }

    /// The lease of the node that walks over all tokens. In the slot of the cut-offs.
    pub fn walk_lease(&self) -> String {
        self.key('m', Self::cutoff_tag(), "walk")
    }

    /// The hash tag of the cut-offs.
    pub fn cutoff_tag() -> HashTag {
        HashTag::of_user("cutoffs")
    }

    /// The reports of the nodes about themselves.
    pub fn node_reports(&self) -> String {
        self.key('m', Self::node_tag(), "nodes")
    }

    /// The hash tag of the nodes' reports.
    pub fn node_tag() -> HashTag {
        HashTag::of_user("nodes")
    }

    /// A key that never exists: deleting it checks that the server takes writes.
    pub fn probe(&self) -> String {
        format!("{}m:probe", self.prefix)
    }

    /// A key of each kind that never exists, for checking permissions on such keys.
    pub fn of_each_kind(&self) -> Vec<String> {
        let tagged = ['t', 'u', 'o', 'a', 'v', 'e', 'd', 'k', 'r', 'f', 'g', 'l', 'i', 'j', 'q', 'y']
            .map(|kind| format!("{}{kind}:{{-}}:-", self.prefix));
        tagged
            .into_iter()
            .chain([self.token_key(), self.schema(), self.cutoffs(), self.walk_lease(), self.node_reports()])
            .chain([self.probe(), self.probe_at("-"), self.merging_at("-")])
            .collect()
    }

    /// Returns whether a key has the form of one of Doorward's.
    pub fn is_of_a_kind(&self, key: &[u8]) -> bool {
        self.of_each_kind().iter().any(|sample| match sample.find('{') {
            // A tag that is no sample is a part of the name.
            Some(tag) if sample[tag..].starts_with("{-}") => {
                key.starts_with(sample.as_bytes().get(..=tag).unwrap_or_default())
            }
            _ => key == sample.as_bytes(),
        })
    }

    /// Such a key in the slot of this hash tag.
    pub fn probe_at(&self, tag: &str) -> String {
        format!("{}m:probe:{{{tag}}}", self.prefix)
    }

    /// The sign, in the slot of this hash tag, that a node is merging into the data of the master of that slot.
    pub fn merging_at(&self, tag: &str) -> String {
        format!("{}m:merging:{{{tag}}}", self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::foreign::Scheme;

    #[test]
    fn foreign_keys_are_recognised() {
        let keys = Keys::new("dw:");
        for own in ["dw:t:{8c4d}:YRgw02QaaPlKaQ", "dw:u:{8c4d}:a b", "dw:m:schema", "dw:m:probe:{8c4d}"] {
            assert!(keys.is_of_a_kind(own.as_bytes()), "{own}");
        }
        for foreign in ["dw:", "dw:t:8c4d", "dw:x:{8c4d}:a", "dw:m:schema2", "dw:session:1", "t:{8c4d}:a"] {
            assert!(!keys.is_of_a_kind(foreign.as_bytes()), "{foreign}");
        }
    }

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
        assert_eq!(keys.lock("alice"), "dw:l:{8c4d}:alice");
        assert_eq!(keys.trace(id), "dw:q:{8c4d}:YRgw02QaaPlKaQ");
        assert_eq!(keys.user_traces("alice"), "dw:y:{8c4d}:alice");
        assert_eq!(keys.event_channel(1), "dw:events:1");
        assert_eq!(keys.ending_channel(1), "dw:events:1:endings");
        assert_eq!(keys.device(id), "dw:d:{8c4d}:YRgw02QaaPlKaQ");
        assert_eq!(keys.devices("alice"), "dw:k:{8c4d}:alice");
        let object = RelatedObject { content_type: "order".into(), object_id: "7".into() };
        assert_eq!(keys.related(&object), "dw:r:{4b90}:66O7HzmXqSJWiDp98a_klA");
        let scheme = Scheme::Drf;
        let digest = ForeignDigest::of(scheme, &scheme.digest(b"9944b091", None).unwrap());
        assert_eq!(keys.alias(&digest), "dw:f:{97ec}:U2OSuTa6qPQZ0QIXa7Qr5A");
        assert_eq!(keys.imported_devices(&UuidDigest::of("phone")), "dw:g:{3442}:zcPwy34EKYmaWK3PuQKajQ");
        let request = RequestName::of("admin", "POST", "/v1/tokens", b"key");
        assert_eq!(keys.request(request), "dw:i:{9b03}:E3jy4vD2tLImLcKTVMepZQ");
        assert_eq!(keys.done_request(id.hash_tag(), request), "dw:j:{8c4d}:E3jy4vD2tLImLcKTVMepZQ");
        assert_eq!(keys.token_key(), "dw:m:check-key");
        assert_eq!(keys.schema(), "dw:m:schema");
        assert_eq!(keys.cutoffs(), "dw:m:{01c1}:cutoffs");
        assert_eq!(keys.walk_lease(), "dw:m:{01c1}:walk");
        assert_eq!(keys.node_reports(), "dw:m:{703f}:nodes");
        assert_eq!(keys.probe(), "dw:m:probe");
        assert_eq!(keys.probe_at("8c4d"), "dw:m:probe:{8c4d}");
    }
}
