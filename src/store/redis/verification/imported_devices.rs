//! The reverse index of imported device keys by uuid.

use std::collections::BTreeMap;
use std::time::Duration;

use redis::pipe;

use super::damage::Kind;
use super::takeover_entries::TAKEN_OVER;
use super::user_keys::UserKeyCheck;
use super::verifier::{TOLERANCE_MS, Verifier};
use crate::foreign::UuidDigest;
use crate::model::device_key::{DeviceId, DeviceKey};
use crate::store::error::StoreError;
use crate::store::redis::cluster::slots::slot_of_tag;

/// The entries of uuids. An entry without a device key is right: it keeps a removed key from being imported again.
pub(crate) const IMPORTED_DEVICES: UserKeyCheck = UserKeyCheck {
    kind: 'g',
    args: |uuid, member| {
        let is_id = || std::str::from_utf8(member).ok().and_then(DeviceId::parse).is_some();
        (member.is_empty() || !is_id())
            .then(|| vec![b"g".to_vec(), uuid.user.clone().into_bytes(), member.to_vec()])
    },
    ..TAKEN_OVER
};

/// How long an import may take between its two writes, of the key and of the entry.
const IMPORT_TIME: Duration = Duration::from_secs(1);
/// Entries that one pipeline reads.
const ENTRIES_PER_READ: usize = 256;

impl Verifier<'_> {
    /// Checks that the index of its uuid names each key that takes a login token of a former system.
    pub(crate) async fn check_device_entries(&mut self, devices: &[DeviceKey]) -> Result<(), StoreError> {
        let missing = self.without_entry(devices.iter().collect()).await?;
        if missing.is_empty() {
            return Ok(());
        }
        // The second look: a key may have been removed, rotated or imported just now.
        tokio::time::sleep(IMPORT_TIME).await;
        let ids: Vec<_> = missing.iter().map(|device| device.id).collect();
        let mut again = self.store.devices_by_id(&ids).await?;
        again.retain(|device| self.has_device_entry(device));
        for device in self.without_entry(again.iter().collect()).await? {
            let (digest, entry) = (UuidDigest::of(&device.uuid), (device.id, device.expires_at_ms));
            let is_repaired =
                self.options.repairs && self.store.put_device_entry(&digest, entry, &self.call()).await?;
            let (key, member) = (self.store.keys.imported_devices(&digest), device.id.to_string());
            self.add_member(Kind::DeviceEntryMissing, is_repaired, &key, member.as_bytes());
        }
        Ok(())
    }

    /// Whether a key needs an entry, and does not expire soon.
    pub(crate) fn has_device_entry(&self, device: &DeviceKey) -> bool {
        device.secret.is_foreign() && device.expires_at_ms > self.now_ms() + TOLERANCE_MS
    }

    /// Returns the keys without an entry, or with one that ends before the key.
    async fn without_entry<'d>(&self, devices: Vec<&'d DeviceKey>) -> Result<Vec<&'d DeviceKey>, StoreError> {
        let is_by_slot = self.store.topology.map().is_by_slot();
        let mut by_slot: BTreeMap<u16, Vec<(String, &DeviceKey)>> = BTreeMap::new();
        for device in devices {
            let digest = UuidDigest::of(&device.uuid);
            let slot = if is_by_slot { slot_of_tag(digest.hash_tag()) } else { 0 };
            by_slot.entry(slot).or_default().push((self.store.keys.imported_devices(&digest), device));
        }
        let mut missing = Vec::new();
        for some in by_slot.values().flat_map(|pairs| pairs.chunks(ENTRIES_PER_READ)) {
            let mut reads = pipe();
            for (key, device) in some {
                reads.cmd("ZSCORE").arg(key).arg(device.id.to_string());
            }
            let until_ms: Vec<Option<f64>> =
                self.store.with_connection(async |c| reads.query_async(c).await).await?;
            let lacks = |until_ms: &Option<f64>, device: &DeviceKey| {
                until_ms.is_none_or(|until_ms| (until_ms as u64) < device.expires_at_ms)
            };
            let pairs = some.iter().zip(&until_ms).filter(|((_, device), until_ms)| lacks(until_ms, device));
            missing.extend(pairs.map(|((_, device), _)| *device));
        }
        Ok(missing)
    }
}
