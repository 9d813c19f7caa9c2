//! Device keys, and users' maps of them.

use redis::Value;

use super::damage::Kind;
use super::inspect::Item;
use super::key_name::UserKey;
use super::link::{MasterLink, for_each_key};
use super::pages::{Page, Pages};
use super::verifier::Verifier;
use crate::model::device_key::DeviceId;
use crate::store::error::StoreError;
use crate::store::redis::schema::codec::device as codec;
use crate::token_string::HashTag;

impl Verifier<'_> {
    /// Checks device keys: the record, its TTL, and its entry in the user's map.
    pub(crate) async fn check_devices(
        &mut self,
        link: &MasterLink,
        ids: &[DeviceId],
    ) -> Result<(), StoreError> {
        let reads = for_each_key("HGETALL", ids.iter().map(|id| self.store.keys.device(*id)));
        let mut items = Vec::with_capacity(ids.len());
        for (id, answer) in ids.iter().zip(link.read(&reads).await?) {
            let key = self.store.keys.device(*id);
            match self.damage_of_device(*id, answer) {
                Some(kind) => self.add(kind, false, &key),
                None => {
                    let args = vec![id.locator().into_bytes()];
                    items.push(Item { hash_tag: id.hash_tag(), key, args });
                }
            }
        }
        for (at, kind, is_repaired) in self.inspect(link, |scripts| &scripts.verify_devices, &items).await? {
            self.add(kind, is_repaired, &items[at].key);
        }
        Ok(())
    }

    /// Returns what keeps a device key from being checked further.
    fn damage_of_device(&self, id: DeviceId, answer: Option<Value>) -> Option<Kind> {
        let Some(fields) = answer else { return Some(Kind::ForeignType) };
        match codec::device(id, &fields) {
            Ok(Some(device)) if HashTag::of_user(&device.user) != id.hash_tag() => Some(Kind::WrongHashTag),
            Ok(_) => None,
            Err(_) => Some(Kind::CorruptRecord),
        }
    }

    /// Checks users' maps: TTL, and entries without a device key.
    pub(crate) async fn check_device_maps(
        &mut self,
        link: &MasterLink,
        users: Vec<UserKey>,
    ) -> Result<(), StoreError> {
        let users = self.in_place('k', users);
        let keys: Vec<_> = users.iter().map(|user| self.user_key('k', user)).collect();
        let item = |at: usize, uuid: &[u8]| {
            let args = vec![users[at].user.clone().into_bytes(), uuid.to_vec()];
            (at, Item { hash_tag: users[at].hash_tag, key: keys[at].clone(), args })
        };
        let mut is_whole = vec![true; keys.len()];
        let mut pages = Pages::new("HSCAN", keys.clone());
        while let Some(Page { members, foreign }) = pages.next(link).await? {
            for at in foreign {
                is_whole[at] = false;
                self.add(Kind::ForeignType, false, &self.shown_user_key('k', &users[at]));
            }
            let items = members.iter().map(|(at, uuid, _)| item(*at, uuid)).collect();
            self.check_entries(link, &users, items).await?;
            self.end_members(members.len()).await;
        }
        let ttls = (0..keys.len()).filter(|at| is_whole[*at]).map(|at| item(at, b"")).collect();
        self.check_entries(link, &users, ttls).await
    }

    async fn check_entries(
        &mut self,
        link: &MasterLink,
        users: &[UserKey],
        items: Vec<(usize, Item)>,
    ) -> Result<(), StoreError> {
        let (places, items): (Vec<_>, Vec<_>) = items.into_iter().unzip();
        for (at, kind, is_repaired) in
            self.inspect(link, |scripts| &scripts.verify_device_maps, &items).await?
        {
            let uuid = items[at].args.last().cloned().unwrap_or_default();
            self.add_member(kind, is_repaired, &self.shown_user_key('k', &users[places[at]]), &uuid);
        }
        Ok(())
    }
}
