//! Reads the names of keys; [`schema`](crate::store::redis::schema) lists them.

use crate::model::device_key::DeviceId;
use crate::store::redis::schema::keys::{Keys, ObjectName};
use crate::token_string::{HashTag, TokenId};

/// A user, an alias or a uuid's digest, by the name in a key, and the hash tag in the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UserKey {
    pub(crate) hash_tag: HashTag,
    pub(crate) user: String,
}

impl UserKey {
    /// Whether the hash tag belongs to the name.
    pub(crate) fn is_in_place(&self) -> bool {
        HashTag::of_user(&self.user) == self.hash_tag
    }
}

/// A key by its name.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum KeyName {
    Token(TokenId),
    Index(UserKey),
    Takeovers(TokenId),
    TakenOver(UserKey),
    Acting(UserKey),
    Events(UserKey),
    Device(DeviceId),
    Devices(UserKey),
    Lock(UserKey),
    Object(HashTag, String),
    /// The imported device keys of a uuid, by its digest.
    ImportedDevices(UserKey),
    /// A request with `Idempotency-Key`, a trace of an ending, or the reports of the nodes: it expires, and nothing names it.
    ShortLived,
    /// An alias by its name, and the hash tag in the key.
    Alias(UserKey),
    /// The shared token key, the schema version, or the cut-offs: they have no TTL.
    Permanent,
    /// The lease of the node that walks over all tokens: it expires in seconds.
    WalkLease,
    Unknown,
}

impl KeyName {
    /// Reads a key's name; `None` if it does not begin with the prefix.
    pub(crate) fn read(keys: &Keys, key: &[u8]) -> Option<Self> {
        let rest = key.strip_prefix(keys.prefix().as_bytes())?;
        if keys.walk_lease().as_bytes() == key {
            return Some(Self::WalkLease);
        }
        if keys.node_reports().as_bytes() == key {
            return Some(Self::ShortLived);
        }
        if [keys.token_key(), keys.schema(), keys.cutoffs()].iter().any(|name| name.as_bytes() == key) {
            return Some(Self::Permanent);
        }
        Some(std::str::from_utf8(rest).ok().and_then(Self::of_kind).unwrap_or(Self::Unknown))
    }

    fn of_kind(rest: &str) -> Option<Self> {
        let (kind, rest) = rest.split_once(":{")?;
        let (digits, name) = rest.split_once("}:")?;
        // Written otherwise, it would be another key.
        let hash_tag = HashTag::parse(digits).filter(|hash_tag| hash_tag.text().as_str() == digits)?;
        let id = || TokenId::from_locator(hash_tag, name);
        let of_user = || (!name.is_empty()).then(|| UserKey { hash_tag, user: name.to_owned() });
        match kind {
            "t" => id().map(Self::Token),
            "u" => of_user().map(Self::Index),
            "o" => id().map(Self::Takeovers),
            "v" => of_user().map(Self::TakenOver),
            "a" => of_user().map(Self::Acting),
            "e" => of_user().map(Self::Events),
            "d" => id().map(Self::Device),
            "k" => of_user().map(Self::Devices),
            "g" => of_user().map(Self::ImportedDevices),
            "l" => of_user().map(Self::Lock),
            "f" => of_user().map(Self::Alias),
            "i" | "j" | "q" | "y" => of_user().map(|_| Self::ShortLived),
            "r" => of_user().map(|key| Self::Object(hash_tag, key.user)),
            _ => None,
        }
    }
}

/// Returns the name of an object in its key, if the hash tag is the name's.
pub(crate) fn object_name(hash_tag: HashTag, name: &str) -> Option<ObjectName> {
    (HashTag::of_user(name) == hash_tag).then(|| ObjectName { hash_tag, name: name.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::foreign::{ForeignDigest, Scheme};
    use crate::model::idempotency::RequestName;
    use crate::model::token::RelatedObject;

    #[test]
    fn every_key_of_the_schema_is_read() {
        let keys = Keys::new("dw:");
        let read = |key: &str| KeyName::read(&keys, key.as_bytes()).unwrap();
        let id = TokenId::parse("jE1hGDDTZBpo-Upp").unwrap();
        let alice = UserKey { hash_tag: HashTag::of_user("a}b{c"), user: "a}b{c".into() };
        assert!(alice.is_in_place());
        assert_eq!(read(&keys.token(id)), KeyName::Token(id));
        assert_eq!(read(&keys.takeovers(id)), KeyName::Takeovers(id));
        assert_eq!(read(&keys.device(id)), KeyName::Device(id));
        assert_eq!(read(&keys.index("a}b{c")), KeyName::Index(alice.clone()));
        assert_eq!(read(&keys.taken_over("a}b{c")), KeyName::TakenOver(alice.clone()));
        assert_eq!(read(&keys.acting("a}b{c")), KeyName::Acting(alice.clone()));
        assert_eq!(read(&keys.events("a}b{c")), KeyName::Events(alice.clone()));
        assert_eq!(read(&keys.devices("a}b{c")), KeyName::Devices(alice.clone()));
        assert_eq!(read(&keys.lock("a}b{c")), KeyName::Lock(alice));
        let request = RequestName::of("admin", "POST", "/v1/tokens", b"key");
        assert_eq!(read(&keys.request(request)), KeyName::ShortLived);
        assert_eq!(read(&keys.done_request(id.hash_tag(), request)), KeyName::ShortLived);
        assert_eq!(read(&keys.trace(id)), KeyName::ShortLived);
        assert_eq!(read(&keys.user_traces("a}b{c")), KeyName::ShortLived);
        let digest = ForeignDigest::of(Scheme::Drf, &Scheme::Drf.digest(b"key", None).unwrap());
        let alias = UserKey { hash_tag: digest.alias_hash_tag(), user: digest.alias_name().to_string() };
        assert!(alias.is_in_place());
        assert_eq!(read(&keys.alias(&digest)), KeyName::Alias(alias));
        let object = RelatedObject { content_type: "order".into(), object_id: "7".into() };
        let KeyName::Object(hash_tag, name) = read(&keys.related(&object)) else { panic!() };
        assert_eq!(object_name(hash_tag, &name).unwrap().name, ObjectName::of(&object).name);
        assert_eq!(read(&keys.schema()), KeyName::Permanent);
        assert_eq!(read(&keys.token_key()), KeyName::Permanent);
        assert_eq!(read(&keys.cutoffs()), KeyName::Permanent);
        assert_eq!(read(&keys.walk_lease()), KeyName::WalkLease);
        assert_eq!(read(&keys.node_reports()), KeyName::ShortLived);
    }

    #[test]
    fn other_keys_are_unknown_or_foreign() {
        let keys = Keys::new("dw:");
        for key in ["dw:", "dw:m:other", "dw:t:{8C4D}:YRgw02QaaPlKaQ", "dw:t:{8c4d}:short", "dw:u:{8c4d}:"] {
            assert_eq!(KeyName::read(&keys, key.as_bytes()), Some(KeyName::Unknown), "{key}");
        }
        assert_eq!(KeyName::read(&keys, b"dw:u:{8c4d}:\xff"), Some(KeyName::Unknown));
        assert_eq!(KeyName::read(&keys, b"other"), None);
    }
}
