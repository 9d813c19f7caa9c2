//! The device keys of a shard.

use crate::model::device_key::{DeviceId, DeviceKey};
use std::collections::HashMap;

/// The device keys of a shard's users.
#[derive(Default)]
pub(crate) struct Devices {
    pub(crate) keys: HashMap<DeviceId, DeviceKey>,
    /// Never an empty one.
    pub(crate) of_users: HashMap<String, Vec<DeviceId>>,
}

impl Devices {
    pub(crate) fn of(&self, user: &str) -> impl Iterator<Item = &DeviceKey> {
        self.of_users.get(user).into_iter().flatten().filter_map(|id| self.keys.get(id))
    }

    pub(crate) fn find(&self, user: &str, uuid: &str, now_ms: u64) -> Option<DeviceId> {
        self.of(user).find(|key| key.uuid == uuid && key.is_kept(now_ms)).map(|key| key.id)
    }

    pub(crate) fn remove(&mut self, id: DeviceId) {
        let Some(DeviceKey { user, .. }) = self.keys.remove(&id) else { return };
        let Some(ids) = self.of_users.get_mut(&user) else { return };
        ids.retain(|other| *other != id);
        if ids.is_empty() {
            self.of_users.remove(&user);
        }
    }

    /// Forgets those of a user that are past their time: a late login must not revive what no listing can see.
    pub(crate) fn prune_of(&mut self, user: &str, now_ms: u64) {
        let gone: Vec<_> = self.of(user).filter(|key| !key.is_kept(now_ms)).map(|key| key.id).collect();
        gone.into_iter().for_each(|id| self.remove(id));
    }

    pub(crate) fn prune(&mut self, now_ms: u64) {
        let gone: Vec<_> = self.keys.values().filter(|key| !key.is_kept(now_ms)).map(|key| key.id).collect();
        gone.into_iter().for_each(|id| self.remove(id));
    }
}
