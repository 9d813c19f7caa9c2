//! Device keys, and the logins by them.

use super::memory_store::MemoryStore;
use super::shard::UserShard;
use crate::model::device_key::{DeviceChange, DeviceId, DeviceKey, DeviceLogin, LoginSecret};
use crate::model::event::{Event, EventFacts, EventKind, REFUSALS_FOLDED_MS, REFUSALS_FOLDED_OVER};
use crate::model::revoke_reason::RevokeReason;
use crate::model::token::Token;
use crate::store::call::Call;
use crate::store::error::StoreError;
use crate::store::rejection::{Outcome, Rejection};
use crate::token_string::{HashTag, SecretHash, TokenId};

impl MemoryStore {
    pub(crate) fn make_device(&self, new: &DeviceKey, call: &Call<'_>) -> Outcome<Option<DeviceKey>> {
        let mut shard = self.shard(HashTag::of_user(&new.user));
        shard.requests.refuse_repeat(call.once, call.now_ms)?;
        let devices = &mut shard.devices;
        devices.prune_of(&new.user, call.now_ms);
        if let Some(there) = devices.of(&new.user).find(|key| key.uuid == new.uuid) {
            return Ok(Some(there.clone()));
        }
        if devices.of(&new.user).count() >= self.limits.max_devices_per_user {
            return Err(Rejection::TooManyDevices);
        }
        devices.of_users.entry(new.user.clone()).or_default().push(new.id);
        devices.keys.insert(new.id, new.clone());
        shard.requests.remember(call.once, None, call.now_ms);
        self.emit_device(&mut shard, EventKind::of_new_device(new), (&new.user, &new.uuid), call);
        Ok(None)
    }

    pub(crate) fn user_devices(&self, user: &str, now_ms: u64) -> Vec<DeviceKey> {
        let shard = self.shard(HashTag::of_user(user));
        let mut devices: Vec<_> = shard.devices.of(user).filter(|key| key.is_kept(now_ms)).cloned().collect();
        devices.sort_by_cached_key(DeviceKey::listing_key);
        devices
    }

    pub(crate) fn change_device(
        &self,
        user: &str,
        uuid: &str,
        change: &DeviceChange,
        call: &Call<'_>,
    ) -> Option<DeviceKey> {
        let mut shard = self.shard(HashTag::of_user(user));
        shard.devices.prune_of(user, call.now_ms);
        let id = shard.devices.find(user, uuid, call.now_ms)?;
        let key = shard.devices.keys.get_mut(&id)?;
        let was_active = key.is_active;
        key.is_active = change.is_active.unwrap_or(was_active);
        if let Some(name) = &change.name {
            key.name.clone_from(name);
        }
        let changed = key.clone();
        match (was_active, changed.is_active) {
            (false, true) => {
                self.emit_device(&mut shard, EventKind::DeviceActivated, (user, uuid), call);
            }
            (true, false) => self.emit_device(&mut shard, EventKind::DeviceEnded, (user, uuid), call),
            _ => {}
        }
        if change.is_active == Some(false) {
            self.revoke_logged_in(&mut shard, user, uuid, call);
        }
        Some(changed)
    }

    pub(crate) fn rotate_device(
        &self,
        (user, uuid): (&str, &str),
        (id, hash): (DeviceId, &SecretHash),
        call: &Call<'_>,
    ) -> Outcome<DeviceKey> {
        let mut shard = self.shard(HashTag::of_user(user));
        shard.devices.prune_of(user, call.now_ms);
        let found = shard.devices.find(user, uuid, call.now_ms).filter(|found| *found == id);
        let key = found.and_then(|id| shard.devices.keys.get_mut(&id)).ok_or(Rejection::NotFound)?;
        if !key.is_active {
            return Err(Rejection::DeviceInactive);
        }
        key.secret = LoginSecret::Native(*hash);
        let rotated = key.clone();
        self.emit_device(&mut shard, EventKind::DeviceRotated, (user, uuid), call);
        Ok(rotated)
    }

    pub(crate) fn remove_device(&self, user: &str, uuid: &str, call: &Call<'_>) -> bool {
        let mut shard = self.shard(HashTag::of_user(user));
        shard.devices.prune_of(user, call.now_ms);
        let Some(id) = shard.devices.find(user, uuid, call.now_ms) else { return false };
        shard.devices.remove(id);
        self.emit_device(&mut shard, EventKind::DeviceEnded, (user, uuid), call);
        self.revoke_logged_in(&mut shard, user, uuid, call);
        true
    }

    pub(crate) fn device_login(
        &self,
        login: &DeviceLogin,
        token: &Token,
        call: &Call<'_>,
    ) -> Result<Outcome<(Token, Vec<TokenId>)>, StoreError> {
        self.make_room_in_objects(&token.details.related_objects, call.now_ms);
        let mut shard = self.shard(login.id.hash_tag());
        let Some(key) = shard.devices.keys.get(&login.id).cloned() else {
            return Ok(Err(Rejection::LoginRefused));
        };
        if !key.is_kept(call.now_ms) {
            shard.devices.remove(key.id);
            return Ok(Err(Rejection::LoginRefused));
        }
        let device = (key.user.as_str(), key.uuid.as_str());
        if !key.admits(login) {
            if !self.is_repeat(&shard, device, call.now_ms) {
                let refused = Event::new(EventKind::DeviceRefused, call.now_ms, call.actor);
                let facts = EventFacts::of_attempt(token);
                self.emit(&mut shard, &key.user, Event { device: Some(key.uuid.clone()), facts, ..refused });
            }
            return Ok(Err(Rejection::LoginRefused));
        }
        shard.devices.prune_of(&key.user, call.now_ms);
        let token = token.clone().with_user(&key.user);
        let evicted = match self.issue_in(&mut shard, &token, call)? {
            Ok(evicted) => evicted,
            Err(rejection) => return Ok(Err(rejection)),
        };
        if let Some(key) = shard.devices.keys.get_mut(&login.id) {
            key.last_login_ms = Some(call.now_ms);
            key.expires_at_ms = login.expires_at_ms;
            if matches!(key.secret, LoginSecret::Imported(_)) {
                key.secret = LoginSecret::Foreign(login.secret_hash);
            }
        }
        let logged_in = Event::of_token(EventKind::DeviceLoggedIn, call.now_ms, call.actor, &token);
        self.emit(&mut shard, &key.user, Event { device: Some(key.uuid), ..logged_in });
        Ok(Ok((token, evicted)))
    }

    /// Whether the newest events are refused logins, one of them of this key and not long ago.
    fn is_repeat(&self, shard: &UserShard, (user, uuid): (&str, &str), now_ms: u64) -> bool {
        let folded_ms = REFUSALS_FOLDED_MS.min(self.limits.event_retention_ms);
        let newest = shard.events.get(user).into_iter().flatten().take(REFUSALS_FOLDED_OVER);
        newest
            .take_while(|event| event.kind == EventKind::DeviceRefused)
            .find(|event| event.device.as_deref() == Some(uuid))
            .is_some_and(|event| now_ms.saturating_sub(event.at_ms) < folded_ms)
    }

    fn revoke_logged_in(&self, shard: &mut UserShard, user: &str, uuid: &str, call: &Call<'_>) {
        self.revoke_active(shard, user, RevokeReason::Device, call, |token| {
            token.record.device() == Some(uuid)
        });
    }

    pub(crate) fn emit_device(
        &self,
        shard: &mut UserShard,
        kind: EventKind,
        (user, uuid): (&str, &str),
        call: &Call<'_>,
    ) {
        let event = Event::new(kind, call.now_ms, call.actor);
        self.emit(shard, user, Event { device: Some(uuid.to_owned()), ..event });
    }
}
