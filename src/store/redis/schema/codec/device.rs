//! The fields of a device key, `dw:d:{s}:<locator>`, and the entries of a user's map of device keys, `dw:k:{s}:<user>`.
//!
//! | field | content | form |
//! |---|---|---|
//! | `u` | user | text |
//! | `i` | uuid | text |
//! | `h` | hash of the login token's secret; absent while there is `g` | 16 bytes |
//! | `x` | expires_at_ms | decimal |
//! | `f` | flags: 1 active, 2 the login token is of a former system | decimal |
//! | `c` | created_at_ms | decimal |
//! | `z` | user agent | text with codes ([`user_agent`](super::user_agent)) |
//! | `l` | last_login_ms, after the first login | decimal |
//! | `n` | name, if there is one | text |
//! | `m` | the version, as of a token | decimal |
//! | `g` | what a former system stored of the login token, until the first login | text |
//!
//! An entry of the map is `<uuid>` to `<locator><expires_at_ms>`, without a separator.

use std::collections::HashMap;

use redis::{Value, from_redis_value_ref};

use super::primitives::{corrupt, decimal, number, text};
use super::user_agent::{expand, shorten};
use crate::foreign::Pbkdf2Hash;
use crate::model::device_key::{DeviceChange, DeviceId, DeviceKey, LoginSecret};
use crate::store::error::StoreError;
use crate::token_string::{HashTag, LOCATOR_CHARS, SecretHash};

const ACTIVE: u64 = 1;
const FOREIGN: u64 = 2;

/// Encodes all fields of a new key.
pub fn fields_of(device: &DeviceKey) -> Vec<(&'static str, Vec<u8>)> {
    let secret = match &device.secret {
        LoginSecret::Native(hash) | LoginSecret::Foreign(hash) => ("h", hash.as_bytes().to_vec()),
        LoginSecret::Imported(hash) => ("g", hash.as_str().into()),
    };
    let flag = |is_set, flag| if is_set { flag } else { 0 };
    let flags = flag(device.is_active, ACTIVE) | flag(device.secret.is_foreign(), FOREIGN);
    let mut fields = vec![
        ("u", device.user.as_str().into()),
        ("i", device.uuid.as_str().into()),
        secret,
        ("x", decimal(device.expires_at_ms)),
        ("f", decimal(flags)),
        ("c", decimal(device.created_at_ms)),
        ("z", shorten(&device.user_agent).into()),
    ];
    fields.extend(device.last_login_ms.map(|ms| ("l", decimal(ms))));
    fields.extend(device.name.as_deref().map(|name| ("n", name.into())));
    fields
}

/// Encodes a change of the name for lua/change_device.lua.
pub fn name_arg(change: &DeviceChange) -> String {
    match &change.name {
        None => String::new(),
        Some(None) => "-".into(),
        Some(Some(name)) => format!("={name}"),
    }
}

/// Decodes a key from the answer to `HGETALL`; `None` if it is empty.
///
/// # Errors
/// `Corrupt`.
pub fn device(id: DeviceId, all: &Value) -> Result<Option<DeviceKey>, StoreError> {
    let fields: HashMap<String, Vec<u8>> =
        from_redis_value_ref(all).map_err(|_| corrupt(id, "device answer"))?;
    if fields.is_empty() {
        return Ok(None);
    }
    let field = |name| fields.get(name).map(Vec::as_slice);
    let broken = |name| corrupt(id, name);
    let text_of = |name| text(field(name)).map(str::to_owned).ok_or_else(|| broken(name));
    let number_of = |name| number(field(name)).ok_or_else(|| broken(name));
    let flags = number_of("f")?;
    let secret = if field("g").is_some() {
        LoginSecret::Imported(Pbkdf2Hash::parse(text_of("g")?.as_str()).map_err(|_| broken("g"))?)
    } else {
        let hash = field("h").and_then(SecretHash::from_slice).ok_or_else(|| broken("h"))?;
        if flags & FOREIGN == 0 { LoginSecret::Native(hash) } else { LoginSecret::Foreign(hash) }
    };
    Ok(Some(DeviceKey {
        id,
        secret,
        user: text_of("u")?,
        uuid: text_of("i")?,
        name: field("n").map(|_| text_of("n")).transpose()?,
        user_agent: expand(&text_of("z")?).ok_or_else(|| broken("z"))?,
        created_at_ms: number_of("c")?,
        last_login_ms: field("l").map(|_| number_of("l")).transpose()?,
        is_active: flags & ACTIVE != 0,
        expires_at_ms: number_of("x")?,
    }))
}

/// Returns the id of the key in an entry of a map; `None` if the entry is garbled.
pub fn id_of_entry(hash_tag: HashTag, entry: &[u8]) -> Option<DeviceId> {
    let locator = std::str::from_utf8(entry.get(..LOCATOR_CHARS)?).ok()?;
    DeviceId::from_locator(hash_tag, locator)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> DeviceKey {
        DeviceKey {
            id: DeviceId::parse("jE1hGDDTZBpo-Upp").unwrap(),
            secret: LoginSecret::Native(SecretHash::from_slice(&[7; 16]).unwrap()),
            user: "ålice".into(),
            uuid: "phone".into(),
            name: Some("My phone".into()),
            user_agent: "app/1".into(),
            created_at_ms: 1_800_000_000_000,
            last_login_ms: Some(1_800_000_000_001),
            is_active: true,
            expires_at_ms: 1_800_000_000_002,
        }
    }

    fn imported() -> DeviceKey {
        let hash = format!("pbkdf2_sha256$1000$salt${}=", "A".repeat(43));
        DeviceKey { secret: LoginSecret::Imported(Pbkdf2Hash::parse(&hash).unwrap()), ..sample() }
    }

    fn hgetall(fields: Vec<(&'static str, Vec<u8>)>) -> Value {
        let flat = fields.into_iter().flat_map(|(name, value)| [name.as_bytes().to_vec(), value]);
        Value::Array(flat.map(Value::BulkString).collect())
    }

    #[test]
    fn what_is_written_reads_back() {
        let new = DeviceKey { name: None, last_login_ms: None, is_active: false, ..sample() };
        let foreign = LoginSecret::Foreign(SecretHash::from_slice(&[8; 16]).unwrap());
        let foreign = DeviceKey { secret: foreign, is_active: false, ..sample() };
        for written in [sample(), new, foreign, imported()] {
            let read = device(written.id, &hgetall(fields_of(&written))).unwrap();
            assert_eq!(read, Some(written));
        }
        assert_eq!(device(sample().id, &Value::Array(vec![])).unwrap(), None);
    }

    #[test]
    fn the_fields_are_fixed() {
        let expected: [(&str, &[u8]); 9] = [
            ("u", "ålice".as_bytes()),
            ("i", b"phone"),
            ("h", &[7; 16]),
            ("x", b"1800000000002"),
            ("f", b"1"),
            ("c", b"1800000000000"),
            ("z", b"app/1"),
            ("l", b"1800000000001"),
            ("n", b"My phone"),
        ];
        let fields = fields_of(&sample());
        assert_eq!(
            fields.iter().map(|(name, value)| (*name, value.as_slice())).collect::<Vec<_>>(),
            expected
        );
        let entry = b"YRgw02QaaPlKaQ1800000000002";
        assert_eq!(id_of_entry(sample().id.hash_tag(), entry), Some(sample().id));
        for garbled in [&b"short"[..], b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff1", b""] {
            assert_eq!(id_of_entry(sample().id.hash_tag(), garbled), None);
        }
    }

    #[test]
    fn every_missing_or_garbled_field_is_corrupt() {
        for sample in [sample(), imported()] {
            for (at, (name, _)) in fields_of(&sample).into_iter().enumerate() {
                let mut garbled = fields_of(&sample);
                garbled[at].1 = b"\xff".to_vec();
                assert!(device(sample.id, &hgetall(garbled)).is_err(), "{name}");
                let mut missing = fields_of(&sample);
                missing.remove(at);
                let is_optional = "ln".contains(name);
                assert_eq!(device(sample.id, &hgetall(missing)).is_ok(), is_optional, "{name}");
            }
        }
        assert!(device(sample().id, &Value::Int(1)).is_err());
    }
}
