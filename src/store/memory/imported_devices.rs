//! Imported device keys: the reverse index by uuid. The hash tag of the uuid's digest decides its shard, not a user's.

use super::memory_store::MemoryStore;
use crate::foreign::UuidDigest;
use crate::model::device_import::MAX_USERS_PER_UUID;
use crate::model::device_key::{DeviceId, DeviceKey};
use crate::store::call::Call;

impl MemoryStore {
    pub(crate) fn device_entries(&self, digest: &UuidDigest, now_ms: u64) -> Vec<DeviceId> {
        self.shard(digest.hash_tag()).uuids.entries(digest, now_ms)
    }

    pub(crate) fn put_device_entry(
        &self,
        digest: &UuidDigest,
        entry: (DeviceId, u64),
        call: &Call<'_>,
    ) -> bool {
        self.shard(digest.hash_tag()).uuids.put(digest, entry, MAX_USERS_PER_UUID, call.now_ms)
    }

    pub(crate) fn devices_by_id(&self, ids: &[DeviceId]) -> Vec<DeviceKey> {
        ids.iter().filter_map(|id| self.shard(id.hash_tag()).devices.keys.get(id).cloned()).collect()
    }
}
