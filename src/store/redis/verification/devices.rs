//! Device keys, and users' maps of them.

use redis::Value;

use super::damage::Kind;
use super::inspect::Item;
use super::link::{MasterLink, for_each_key};
use super::user_keys::UserKeyCheck;
use super::verifier::Verifier;
use crate::model::device_key::{DeviceId, DeviceKey};
use crate::store::error::StoreError;
use crate::store::redis::schema::codec::device as codec;
use crate::token_string::HashTag;

/// Users' maps: entries without a device key.
pub(crate) const DEVICE_MAPS: UserKeyCheck = UserKeyCheck {
    kind: 'k',
    scan: "HSCAN",
    script: |scripts| &scripts.verify_device_maps,
    args: |user, uuid| Some(vec![user.user.clone().into_bytes(), uuid.to_vec()]),
};

impl Verifier<'_> {
    /// Checks device keys: the record, its TTL, and its entries in the user's map and in the index of its uuid.
    pub(crate) async fn check_devices(
        &mut self,
        link: &MasterLink,
        ids: &[DeviceId],
    ) -> Result<(), StoreError> {
        let reads = for_each_key("HGETALL", ids.iter().map(|id| self.store.keys.device(*id)));
        let (mut items, mut imported) = (Vec::with_capacity(ids.len()), Vec::new());
        for (id, answer) in ids.iter().zip(link.read(&reads).await?) {
            let key = self.store.keys.device(*id);
            match self.decode_device(*id, answer) {
                Err(kind) => self.add(kind, false, &key),
                Ok(device) => {
                    imported.extend(device.filter(|device| self.has_device_entry(device)));
                    let args = vec![id.locator().into_bytes()];
                    items.push(Item { hash_tag: id.hash_tag(), key, args });
                }
            }
        }
        self.check_device_entries(&imported).await?;
        for (at, kind, is_repaired) in self.inspect(link, |scripts| &scripts.verify_devices, &items).await? {
            self.add(kind, is_repaired, &items[at].key);
        }
        Ok(())
    }

    /// Returns a device key, if it is still there.
    ///
    /// # Errors
    /// The damage that ends its checks.
    fn decode_device(&self, id: DeviceId, answer: Option<Value>) -> Result<Option<DeviceKey>, Kind> {
        let fields = answer.ok_or(Kind::ForeignType)?;
        match codec::device(id, &fields) {
            Ok(Some(device)) if HashTag::of_user(&device.user) != id.hash_tag() => Err(Kind::WrongHashTag),
            Ok(device) => Ok(device),
            Err(_) => Err(Kind::CorruptRecord),
        }
    }
}
