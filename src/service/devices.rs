//! Device keys: make, list, change, remove, and log in by them.

use std::sync::Arc;

use super::core::{Service, valid, valid_if_some};
use super::error::ServiceError;
use super::tokens::{Issued, NewToken};
use crate::model::device_key::{DeviceChange, DeviceKey, DeviceLogin};
use crate::model::event::Actor;
use crate::model::field_rules as rules;
use crate::store::Rejection;
use crate::token_string::{HashTag, Kind};

/// What is asked for.
#[derive(Clone, Debug)]
pub struct NewDevice {
    /// Whom it logs in.
    pub user: String,
    /// A UUID in any of its forms, or another name of 1 to 32 characters.
    pub uuid: String,
    /// What people call it.
    pub name: Option<String>,
    /// Cleaned and cut at 256 characters.
    pub user_agent: String,
}

/// A device key that was asked for.
pub struct MadeDevice {
    /// The record.
    pub device: DeviceKey,
    /// The string for the device, when the key was made now; nobody else has its secret.
    pub login_token: Option<String>,
}

impl Service {
    /// A user's device key of this uuid: the one there is, as it is, else a new one.
    ///
    /// # Errors
    /// `Invalid`, `TooManyDevices`; `Store`, and then a key may have been made whose login token nobody has: remove it.
    pub async fn make_device(&self, new: NewDevice, actor: Actor<'_>) -> Result<MadeDevice, ServiceError> {
        valid("user", rules::user(&new.user))?;
        valid_if_some("name", new.name.as_deref(), rules::device_name)?;
        let uuid = valid("uuid", rules::device_uuid(&new.uuid))?;
        let call = self.call(actor);
        let minted = self.mint_in(Kind::DeviceLogin, HashTag::of_user(&new.user))?;
        let device = DeviceKey {
            id: minted.id,
            secret_hash: minted.hash,
            user: new.user,
            uuid,
            name: new.name,
            user_agent: rules::user_agent(&new.user_agent),
            created_at_ms: call.now_ms,
            last_login_ms: None,
            is_active: true,
            expires_at_ms: call.now_ms.saturating_add(self.policy.device_max_idle_ms),
        };
        Ok(match self.store.make_device(&device, call).await?? {
            None => MadeDevice { device, login_token: Some(minted.token_string) },
            Some(existing) => MadeDevice { device: existing, login_token: None },
        })
    }

    /// A user's device keys, newest first.
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

    /// Changes a device key; deactivating it ends the tokens it logged in.
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

    /// Removes a device key and ends the tokens it logged in.
    ///
    /// # Errors
    /// `Invalid`, `NotFound`, `Store`.
    pub async fn remove_device(&self, user: &str, uuid: &str, actor: Actor<'_>) -> Result<(), ServiceError> {
        let uuid = valid("uuid", rules::device_uuid(uuid))?;
        let is_removed = self.store.remove_device(user, &uuid, self.call(actor)).await?;
        Ok(is_removed.then_some(()).ok_or(Rejection::NotFound)?)
    }

    /// Issues a token for the owner of a device key; the user that `new` names counts for nothing. A login token that
    /// was never ours is refused without asking the store, so no guessing reaches a key.
    ///
    /// # Errors
    /// `Invalid`, `LoginRefused`, `TooManyTokens`, `ObjectFull`; `Store`, and then whether it was issued is unknown, and
    /// nobody has its secret.
    pub async fn device_login(
        &self,
        uuid: String,
        login_token: &str,
        new: NewToken,
        actor: Actor<'_>,
    ) -> Result<Issued, ServiceError> {
        let uuid = valid("uuid", rules::device_uuid(&uuid))?;
        new.check()?;
        let call = self.call(actor);
        let token_string = login_token.as_bytes();
        let presented = self.parse(Kind::DeviceLogin, token_string)?.ok_or(Rejection::LoginRefused)?;
        let minted = self.mint_in(Kind::Token, presented.id.hash_tag())?;
        let mut token = self.record_of(new, minted.id, minted.hash, call.now_ms);
        let record = Arc::make_mut(&mut token.record);
        record.texts = record.texts.with_device(&uuid);
        let login = DeviceLogin {
            id: presented.id,
            secret_hash: presented.hash,
            uuid,
            expires_at_ms: call.now_ms.saturating_add(self.policy.device_max_idle_ms),
        };
        let token = self.store.device_login(&login, &token, call).await??;
        Ok(Issued { token, token_string: minted.token_string })
    }
}
