//! The slots of a Redis Cluster (Redis documentation, "Redis cluster specification").

use std::sync::LazyLock;

use crate::token_string::HashTag;

/// The number of slots of a cluster.
pub(crate) const SLOTS: usize = 16_384;

/// Returns the slot of all keys with this hash tag.
pub(crate) fn slot_of_tag(tag: HashTag) -> u16 {
    SLOT_OF_TAG[tag.index()]
}

/// Returns the slot of a key: the slot of its hash tag, if it has one.
pub(crate) fn slot_of_key(key: &[u8]) -> u16 {
    let tag = key.iter().position(|byte| *byte == b'{').and_then(|open| {
        let rest = &key[open + 1..];
        let close = rest.iter().position(|byte| *byte == b'}')?;
        (close > 0).then(|| &rest[..close])
    });
    slot_of(tag.unwrap_or(key))
}

fn slot_of(bytes: &[u8]) -> u16 {
    crc16(bytes) & (SLOTS as u16 - 1)
}

/// Computes CRC-16/XMODEM.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| crc << 8 ^ CRC_TABLE[usize::from((crc >> 8) as u8 ^ byte)])
}

const CRC_TABLE: [u16; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = (byte as u16) << 8;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 0x8000 == 0 { crc << 1 } else { crc << 1 ^ 0x1021 };
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
};

static SLOT_OF_TAG: LazyLock<Box<[u16]>> = LazyLock::new(|| {
    let tags = 0..=u16::MAX;
    tags.map(|tag| slot_of(format!("{tag:04x}").as_bytes())).collect()
});

/// A hash tag for each slot that has one. About a fifth of the slots have none, and no token is ever in those.
static TAG_OF_SLOT: LazyLock<Box<[Option<u16>]>> = LazyLock::new(|| {
    let mut tags = vec![None; SLOTS].into_boxed_slice();
    for (tag, slot) in SLOT_OF_TAG.iter().enumerate() {
        tags[usize::from(*slot)].get_or_insert(tag as u16);
    }
    tags
});

/// Returns a hash tag in this slot, as it is written in keys.
pub(crate) fn hash_tag_in_slot(slot: u16) -> Option<String> {
    TAG_OF_SLOT.get(usize::from(slot)).copied().flatten().map(|tag| format!("{tag:04x}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The expected values are the answers of `CLUSTER KEYSLOT` on Redis 7.0.15.
    #[test]
    fn slots_are_computed_as_redis_does() {
        for (key, slot) in [
            ("", 0),
            ("123456789", 12_739),
            ("foo", 12_182),
            ("{foo}bar", 12_182),
            ("x{}y", 16_116),
            ("{}", 15_257),
            ("a{b}{c}", 3300),
        ] {
            assert_eq!(slot_of_key(key.as_bytes()), slot, "{key}");
        }
    }

    #[test]
    fn a_hash_tag_and_its_keys_have_the_same_slot() {
        for user in 0..1000 {
            let tag = HashTag::of_user(&user.to_string());
            assert_eq!(slot_of_tag(tag), slot_of_key(format!("dw:t:{{{tag}}}:x").as_bytes()));
        }
    }

    #[test]
    fn a_hash_tag_in_a_slot_has_that_slot() {
        let with_tag: Vec<_> =
            (0..SLOTS as u16).filter_map(|slot| Some((slot, hash_tag_in_slot(slot)?))).collect();
        assert!(with_tag.len() > 13_000, "{}", with_tag.len());
        for (slot, tag) in with_tag {
            assert_eq!(slot_of_tag(HashTag::parse(&tag).unwrap()), slot);
        }
        assert_eq!(hash_tag_in_slot(SLOTS as u16), None);
    }
}
