//! The keys of one step, by kind.

use super::key_name::{KeyName, UserKey};
use crate::model::device_key::DeviceId;
use crate::store::redis::schema::keys::Keys;
use crate::token_string::{HashTag, TokenId};

/// The keys of one step, by kind.
#[derive(Default)]
pub(crate) struct KeyBatch {
    pub(crate) tokens: Vec<TokenId>,
    pub(crate) indexes: Vec<UserKey>,
    pub(crate) takeovers: Vec<TokenId>,
    pub(crate) taken_over: Vec<UserKey>,
    pub(crate) acting: Vec<UserKey>,
    pub(crate) events: Vec<UserKey>,
    pub(crate) devices: Vec<DeviceId>,
    pub(crate) device_maps: Vec<UserKey>,
    pub(crate) locks: Vec<UserKey>,
    pub(crate) objects: Vec<(HashTag, String)>,
    pub(crate) imported_devices: Vec<UserKey>,
    pub(crate) aliases: Vec<UserKey>,
    pub(crate) short_lived: Vec<Vec<u8>>,
    pub(crate) permanent: Vec<Vec<u8>>,
    pub(crate) unknown: Vec<Vec<u8>>,
}

impl KeyBatch {
    /// Sorts keys by kind. Keys of other programs are left out, and a key that is listed twice counts once.
    pub(crate) fn of(keys: &Keys, mut names: Vec<Vec<u8>>) -> Self {
        names.sort_unstable();
        names.dedup();
        let mut batch = Self::default();
        for name in names {
            match KeyName::read(keys, &name) {
                None | Some(KeyName::WalkLease) => {}
                Some(KeyName::Token(id)) => batch.tokens.push(id),
                Some(KeyName::Index(key)) => batch.indexes.push(key),
                Some(KeyName::Takeovers(id)) => batch.takeovers.push(id),
                Some(KeyName::TakenOver(key)) => batch.taken_over.push(key),
                Some(KeyName::Acting(key)) => batch.acting.push(key),
                Some(KeyName::Events(key)) => batch.events.push(key),
                Some(KeyName::Device(id)) => batch.devices.push(id),
                Some(KeyName::Devices(key)) => batch.device_maps.push(key),
                Some(KeyName::Lock(key)) => batch.locks.push(key),
                Some(KeyName::Object(hash_tag, name)) => batch.objects.push((hash_tag, name)),
                Some(KeyName::ImportedDevices(key)) => batch.imported_devices.push(key),
                Some(KeyName::Alias(key)) => batch.aliases.push(key),
                Some(KeyName::ShortLived) => batch.short_lived.push(name),
                Some(KeyName::Permanent) => batch.permanent.push(name),
                Some(KeyName::Unknown) => batch.unknown.push(name),
            }
        }
        batch
    }
}
