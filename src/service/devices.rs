//! Device keys: make, list, change, rotate and remove.

use super::core::Service;
use super::error::ServiceError;
use super::fields::{valid, valid_if_some};
use crate::model::device_key::{DeviceChange, DeviceKey, LoginSecret};
use crate::model::event::Actor;
use crate::model::field_rules as rules;
use crate::model::idempotency::RequestName;
use crate::store::{Call, Rejection};
use crate::token_string::{HashTag, TokenKind};

/// A device key to make.
#[derive(Clone, Debug)]
pub struct NewDevice {
    /// The user that it logs in.
    pub user: String,
    /// A UUID in any of its forms, or another text of 1 to 32 characters.
    pub uuid: String,
    /// Its name for people.
    pub name: Option<String>,
    /// Cleaned and cut at 256 characters.
    pub user_agent: String,
}

/// A device key, made now or before.
pub struct MadeDevice {
    /// The device key.
    pub device: DeviceKey,
    /// The string for the device, if the key was made now. The only copy of its secret.
    pub login_token: Option<String>,
}

/// A device key with a new login token.
pub struct RotatedDevice {
    /// The device key.
    pub device: DeviceKey,
    /// The string for the device. The only copy of its secret.
    pub login_token: String,
}

impl Service {
    /// Returns the user's device key of this uuid, and makes it if it is missing.
    ///
    /// # Errors
    /// `Invalid`, `TooManyDevices`; `Store`: a key whose login token is lost may have been made; remove it.
    pub async fn make_device(&self, new: NewDevice, actor: Actor<'_>) -> Result<MadeDevice, ServiceError> {
        self.make_device_once(new, None, actor).await
    }

    /// Makes a device key, once for all requests of this name, if there is one.
    ///
    /// # Errors
    /// As [`make_device`](Self::make_device), and `DoneBefore`.
    pub async fn make_device_once(
        &self,
        new: NewDevice,
        once: Option<RequestName>,
        actor: Actor<'_>,
    ) -> Result<MadeDevice, ServiceError> {
        valid("user", rules::user(&new.user))?;
        valid_if_some("name", new.name.as_deref(), rules::device_name)?;
        let uuid = valid("uuid", rules::device_uuid(&new.uuid))?;
        let call = Call { once, ..self.call(actor) };
        let minted = self.mint_in(TokenKind::DeviceLogin, HashTag::of_user(&new.user))?;
        let device = DeviceKey {
            id: minted.id,
            secret: LoginSecret::Native(minted.hash),
            user: new.user,
            uuid,
            name: new.name,
            user_agent: rules::user_agent(&new.user_agent),
            created_at_ms: call.now_ms,
            last_login_ms: None,
            is_active: true,
            expires_at_ms: self.device_expiry(call.now_ms),
        };
        Ok(match self.store.make_device(&device, call).await?? {
            None => MadeDevice { device, login_token: Some(minted.token_string) },
            Some(existing) => MadeDevice { device: existing, login_token: None },
        })
    }

    /// Returns until when a device key lives that is made or used now.
    pub(crate) fn device_expiry(&self, now_ms: u64) -> u64 {
        now_ms.saturating_add(self.policy.device_max_idle_ms)
    }

    /// Lists a user's device keys, newest first.
    ///
    /// # Errors
    /// `Store`.
    pub async fn user_devices(&self, user: &str) -> Result<Vec<DeviceKey>, ServiceError> {
        Ok(self.store.user_devices(user, self.clock.now_ms()).await?)
    }

    /// Returns a user's device key of this uuid.
    ///
    /// # Errors
    /// `Invalid`, `NotFound`, `Store`.
    pub async fn user_device(&self, user: &str, uuid: &str) -> Result<DeviceKey, ServiceError> {
        let uuid = valid("uuid", rules::device_uuid(uuid))?;
        // A user has few device keys, so the store needs no operation of its own for one.
        let devices = self.user_devices(user).await?;
        Ok(devices.into_iter().find(|device| device.uuid == uuid).ok_or(Rejection::NotFound)?)
    }

    /// Changes a device key. Deactivating it revokes the tokens it logged in.
    ///
    /// # Errors
    /// `Invalid`, `NotFound`, `Store`.
    pub async fn change_device(
        &self,
        user: &str,
        uuid: &str,
        change: &DeviceChange,
        actor: Actor<'_>,
    ) -> Result<DeviceKey, ServiceError> {
        valid_if_some("name", change.name.iter().flatten().next(), |name| rules::device_name(name))?;
        let uuid = valid("uuid", rules::device_uuid(uuid))?;
        let changed = self.store.change_device(user, &uuid, change, self.call(actor)).await?;
        Ok(changed.ok_or(Rejection::NotFound)?)
    }

    /// Gives an active device key a new login token under the same uuid. The old one is refused from then on; the tokens
    /// that the key logged in stay.
    ///
    /// # Errors
    /// `Invalid`, `NotFound`, `DeviceInactive`; `Store`: the key may have a login token that is lost; rotate again.
    pub async fn rotate_device(
        &self,
        user: &str,
        uuid: &str,
        actor: Actor<'_>,
    ) -> Result<RotatedDevice, ServiceError> {
        // The hash of a secret is bound to the id of its key.
        let DeviceKey { id, uuid, .. } = self.user_device(user, uuid).await?;
        let minted = self.mint_for(TokenKind::DeviceLogin, id)?;
        let rotated = self.store.rotate_device((user, &uuid), (id, &minted.hash), self.call(actor)).await?;
        Ok(RotatedDevice { device: rotated?, login_token: minted.token_string })
    }

    /// Removes a device key and revokes the tokens it logged in.
    ///
    /// # Errors
    /// `Invalid`, `NotFound`, `Store`.
    pub async fn remove_device(&self, user: &str, uuid: &str, actor: Actor<'_>) -> Result<(), ServiceError> {
        let uuid = valid("uuid", rules::device_uuid(uuid))?;
        let is_removed = self.store.remove_device(user, &uuid, self.call(actor)).await?;
        Ok(is_removed.then_some(()).ok_or(Rejection::NotFound)?)
    }
}
