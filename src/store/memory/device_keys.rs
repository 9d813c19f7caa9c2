//! The device keys of a shard.

use std::collections::HashMap;

use crate::model::device_key::{DeviceId, DeviceKey};

/// The device keys of the users of a shard.
#[derive(Default)]
pub(crate) struct DeviceKeys {
    pub(crate) keys: HashMap<DeviceId, DeviceKey>,
    /// No list is empty.
    pub(crate) of_users: HashMap<String, Vec<DeviceId>>,
}

impl DeviceKeys {
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

    /// Prunes the expired keys of a user: a late login must not revive a key that no listing shows.
    pub(crate) fn prune_of(&mut self, user: &str, now_ms: u64) {
        let gone: Vec<_> = self.of(user).filter(|key| !key.is_kept(now_ms)).map(|key| key.id).collect();
        gone.into_iter().for_each(|id| self.remove(id));
    }

    pub(crate) fn prune(&mut self, now_ms: u64) {
        let gone: Vec<_> = self.keys.values().filter(|key| !key.is_kept(now_ms)).map(|key| key.id).collect();
        gone.into_iter().for_each(|id| self.remove(id));
    }
}
