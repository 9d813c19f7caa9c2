//! Imported device keys: the reverse index by uuid.

use redis::cmd;
use serde::Serialize;

use super::script_call::ScriptCall;
use crate::foreign::UuidDigest;
use crate::model::device_key::{DeviceId, DeviceKey};
use crate::model::import::MAX_USERS_PER_UUID;
use crate::store::call::Call;
use crate::store::error::StoreError;
use crate::store::redis::errors::unexpected;
use crate::store::redis::redis_store::RedisStore;
use crate::store::redis::schema::codec::device as codec;
use crate::token_string::HashTag;

/// The arguments of lua/add_device_entry.lua.
#[derive(Serialize)]
pub(crate) struct DeviceEntryArgs {
    uuid: String,
    device: String,
    max: usize,
    kept_until_ms: u64,
}

impl RedisStore {
    pub(crate) async fn device_entries(
        &self,
        digest: &UuidDigest,
        now_ms: u64,
    ) -> Result<Vec<DeviceId>, StoreError> {
        let mut read = cmd("ZRANGEBYSCORE");
        read.arg(self.keys.imported_devices(digest)).arg(format!("({now_ms}")).arg("+inf");
        read.arg("LIMIT").arg(0).arg(MAX_USERS_PER_UUID);
        let ids: Vec<String> = self.with_connection(async |c| read.query_async(c).await).await?;
        let id = |id: String| DeviceId::parse(&id).ok_or_else(|| unexpected("imported device keys"));
        ids.into_iter().map(id).collect()
    }

    /// Returns the key and the arguments of the entry of a device key that is kept until then.
    pub(crate) fn device_entry(
        &self,
        digest: &UuidDigest,
        (id, kept_until_ms): (DeviceId, u64),
    ) -> ((String, HashTag), DeviceEntryArgs) {
        let (uuid, device) = (digest.name().to_string(), id.to_string());
        let args = DeviceEntryArgs { uuid, device, max: MAX_USERS_PER_UUID, kept_until_ms };
        ((self.keys.imported_devices(digest), digest.hash_tag()), args)
    }

    pub(crate) async fn put_device_entry(
        &self,
        digest: &UuidDigest,
        entry: (DeviceId, u64),
        call: &Call<'_>,
    ) -> Result<bool, StoreError> {
        let (at, args) = self.device_entry(digest, entry);
        let answer =
            self.call_script(&ScriptCall::new(&self.scripts.add_device_entry, at, call, &args)).await?;
        redis::from_redis_value(answer).map_err(|_| unexpected("add_device_entry"))
    }

    pub(crate) async fn devices_by_id(&self, ids: &[DeviceId]) -> Result<Vec<DeviceKey>, StoreError> {
        let mut devices = Vec::with_capacity(ids.len());
        let decode = |id, fields| {
            devices.extend(codec::device(id, &fields)?);
            Ok(())
        };
        self.read_hashes_by_id(ids.iter().copied(), |id| self.keys.device(id), decode).await?;
        Ok(devices)
    }
}
