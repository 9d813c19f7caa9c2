//! Imports into the store: tokens, and device keys with the reverse index that finds them by their uuid.
//!
//! A device key and its entry are in different slots. The key is written first, and its entry stays when the key is removed,
//! so an entry without a key says that the key was imported once: a repeated import revives no device key. If an import
//! fails in between, repeating it finds the key and writes the entry.

use super::store::Store;
use crate::foreign::UuidDigest;
use crate::model::device_key::{DeviceId, DeviceKey};
use crate::model::import::{
    DeviceImportOutcome, ImportOutcome, MAX_USERS_PER_UUID, NewDeviceImport, NewImport,
};
use crate::store::call::Call;
use crate::store::error::StoreError;
use crate::store::on_store::on_store;

impl Store {
    /// Imports a device key, or says with `is_dry` what would happen to it.
    ///
    /// # Errors
    /// `Unavailable`: the key may be imported, and its login token may not be known yet; calling again is safe. `Corrupt`.
    pub async fn import_device(
        &self,
        import: &NewDeviceImport,
        is_dry: bool,
        call: impl Into<Call<'_>>,
    ) -> Result<DeviceImportOutcome, StoreError> {
        let (call, NewDeviceImport { device, digest }) = (call.into(), import);
        let entries = self.device_entries(digest, call.now_ms).await?;
        if entries.contains(&device.id) {
            return Ok(DeviceImportOutcome::Exists);
        }
        if entries.len() >= MAX_USERS_PER_UUID {
            return Ok(DeviceImportOutcome::TooManyUsers);
        }
        if is_dry {
            return self.would_import(device, &call).await;
        }
        let existing = match self.make_device(device, call).await? {
            Ok(existing) => existing,
            Err(_) => return Ok(DeviceImportOutcome::TooManyDevices),
        };
        let Some(existing) = existing else {
            return self.enter(import, device.expires_at_ms, DeviceImportOutcome::Imported, call).await;
        };
        if existing.id != device.id {
            return Ok(DeviceImportOutcome::Exists);
        }
        // An earlier import failed before it wrote the entry.
        self.enter(import, existing.expires_at_ms, DeviceImportOutcome::Exists, call).await
    }

    /// Writes the entry of an imported key. If meanwhile too many other users got one, removes the key.
    async fn enter(
        &self,
        NewDeviceImport { device, digest }: &NewDeviceImport,
        until_ms: u64,
        outcome: DeviceImportOutcome,
        call: Call<'_>,
    ) -> Result<DeviceImportOutcome, StoreError> {
        if self.put_device_entry(digest, (device.id, until_ms), call).await? {
            return Ok(outcome);
        }
        self.remove_device(&device.user, &device.uuid, call).await?;
        Ok(DeviceImportOutcome::TooManyUsers)
    }

    async fn would_import(
        &self,
        device: &DeviceKey,
        call: &Call<'_>,
    ) -> Result<DeviceImportOutcome, StoreError> {
        let devices = self.user_devices(&device.user, call.now_ms).await?;
        if devices.iter().any(|other| other.uuid == device.uuid) {
            return Ok(DeviceImportOutcome::Exists);
        }
        let is_full = devices.len() >= self.max_devices_per_user();
        Ok(if is_full { DeviceImportOutcome::TooManyDevices } else { DeviceImportOutcome::Imported })
    }

    /// Returns the device keys that take a login token of the former system for this uuid, inactive ones included, by id.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn foreign_devices(
        &self,
        digest: &UuidDigest,
        now_ms: u64,
    ) -> Result<Vec<DeviceKey>, StoreError> {
        let ids = self.device_entries(digest, now_ms).await?;
        let mut devices = on_store!(match self {
            Self::Memory(store) => store.devices_by_id(&ids),
            Self::Redis(store) => store.devices_by_id(&ids).await?,
        });
        devices.retain(|device| device.is_kept(now_ms) && device.secret.is_foreign());
        devices.sort_unstable_by_key(|device| device.id);
        Ok(devices)
    }

    async fn device_entries(&self, digest: &UuidDigest, now_ms: u64) -> Result<Vec<DeviceId>, StoreError> {
        on_store!(match self {
            Self::Memory(store) => Ok(store.device_entries(digest, now_ms)),
            Self::Redis(store) => store.device_entries(digest, now_ms).await,
        })
    }

    /// Adds an entry to the reverse index, or keeps it for longer. Returns false if it has as many others as allowed.
    pub(crate) async fn put_device_entry(
        &self,
        digest: &UuidDigest,
        entry: (DeviceId, u64),
        call: Call<'_>,
    ) -> Result<bool, StoreError> {
        on_store!(match self {
            Self::Memory(store) => Ok(store.put_device_entry(digest, entry, &call)),
            Self::Redis(store) => store.put_device_entry(digest, entry, &call).await,
        })
    }

    /// Imports tokens, each in a step of its own, and returns their outcomes in order. The digests must differ. With
    /// `is_dry`, it changes nothing and returns what would happen to each token alone, full related objects excepted.
    ///
    /// A digest that was imported before is not imported again, whatever has become of its token: a repeated import revives
    /// no session. That is known for as long as the token could have lived.
    ///
    /// # Errors
    /// `Unavailable`: some tokens may be imported, and their strings may not be known yet; calling again is safe.
    /// `Corrupt`.
    pub async fn import(
        &self,
        imports: &[NewImport],
        is_dry: bool,
        call: impl Into<Call<'_>>,
    ) -> Result<Vec<ImportOutcome>, StoreError> {
        let outcomes = on_store!(match self {
            Self::Memory(store) => store.import(imports, is_dry, &call.into())?,
            Self::Redis(store) =>
                store.acknowledge(call.into(), async |call| store.import(imports, is_dry, call).await).await?,
        });
        let imported = outcomes.iter().filter(|outcome| **outcome == ImportOutcome::Imported).count();
        self.changes().imported.add(if is_dry { 0 } else { imported });
        Ok(outcomes)
    }
}
