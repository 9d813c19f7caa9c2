//! The reverse index of imported device keys by uuid, of a shard.

use std::collections::HashMap;

use crate::foreign::{AliasName, UuidDigest};
use crate::model::device_key::DeviceId;

/// The ids of the device keys that were imported with each uuid, and until when each entry is kept.
#[derive(Default)]
pub(crate) struct UuidIndex(HashMap<AliasName, Vec<(DeviceId, u64)>>);

impl UuidIndex {
    pub(crate) fn entries(&self, digest: &UuidDigest, now_ms: u64) -> Vec<DeviceId> {
        let entries = self.0.get(&digest.name()).into_iter().flatten();
        entries.filter(|(_, until_ms)| *until_ms > now_ms).map(|(id, _)| *id).collect()
    }

    /// Adds an entry, or keeps it for longer. Returns false if there are `max` others.
    pub(crate) fn put(
        &mut self,
        digest: &UuidDigest,
        (id, until_ms): (DeviceId, u64),
        max: usize,
        now_ms: u64,
    ) -> bool {
        let entries = self.0.entry(digest.name()).or_default();
        entries.retain(|(_, until_ms)| *until_ms > now_ms);
        if let Some((_, known_ms)) = entries.iter_mut().find(|(other, _)| *other == id) {
            *known_ms = until_ms.max(*known_ms);
            return true;
        }
        let has_room = entries.len() < max;
        if has_room {
            entries.push((id, until_ms));
        }
        has_room
    }

    /// Removes the expired entries.
    pub(crate) fn prune(&mut self, now_ms: u64) {
        self.0.retain(|_, entries| {
            entries.retain(|(_, until_ms)| *until_ms > now_ms);
            !entries.is_empty()
        });
    }
}
