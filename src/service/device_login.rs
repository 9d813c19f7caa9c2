//! Logins by device key: with a login token of Doorward, or of the system that the key was imported from.

use std::sync::Arc;

use super::core::Service;
use super::error::ServiceError;
use super::fields::valid;
use super::new_token::NewToken;
use super::tokens::Issued;
use crate::foreign::UuidDigest;
use crate::foreign::device::{is_login_token, login_token_hash};
use crate::model::device_key::{DeviceKey, DeviceLogin, ForeignLogin, LoginSecret};
use crate::model::event::Actor;
use crate::model::field_rules as rules;
use crate::store::Rejection;
use crate::token_string::TokenKind;
use crate::values::SecretString;

impl Service {
    /// Issues a token for the owner of a device key; the user of `new` is ignored. A forged login token is rejected before
    /// the store is read.
    ///
    /// # Errors
    /// `Invalid`, `LoginRefused`, `UserLocked`, `TooManyTokens`, `ObjectFull`, `Busy`; `Store`: it is unknown whether the
    /// token was issued; its secret is lost.
    pub async fn device_login(
        &self,
        uuid: String,
        login_token: &str,
        new: NewToken,
        actor: Actor<'_>,
    ) -> Result<Issued, ServiceError> {
        let uuid = valid("uuid", rules::device_uuid(&uuid))?;
        new.check()?;
        if is_login_token(login_token) {
            return self.foreign_login(uuid, login_token, new, actor).await;
        }
        let Some(verified) = self.parse(TokenKind::DeviceLogin, login_token.as_bytes())? else {
            return Err(self.refuse());
        };
        let login = DeviceLogin {
            id: verified.id,
            secret_hash: verified.secret_hash,
            foreign: None,
            uuid,
            expires_at_ms: self.device_expiry(self.clock.now_ms()),
        };
        self.log_in(login, new, actor).await
    }

    /// Logs in with the login token of a former system, which names no user: each imported key of the uuid is tried.
    async fn foreign_login(
        &self,
        uuid: String,
        login_token: &str,
        new: NewToken,
        actor: Actor<'_>,
    ) -> Result<Issued, ServiceError> {
        let digest = UuidDigest::of(&uuid);
        let devices = self.store.foreign_devices(&digest, self.clock.now_ms()).await?;
        let found = self.owner_of(&devices, login_token).await?;
        let login = |device: &DeviceKey, foreign| DeviceLogin {
            id: device.id,
            secret_hash: login_token_hash(device.id, login_token),
            foreign,
            uuid: uuid.clone(),
            expires_at_ms: self.device_expiry(self.clock.now_ms()),
        };
        if let Some(device) = found {
            let verified = match &device.secret {
                LoginSecret::Imported(hash) => Some(hash.clone()),
                _ => None,
            };
            return self.log_in(login(device, Some(ForeignLogin { digest, verified })), new, actor).await;
        }
        // The owners' histories tell of the attempt.
        for device in &devices {
            let outcome = self.log_in(login(device, None), new.clone(), actor).await;
            if !matches!(outcome, Err(ServiceError::Rejected(Rejection::LoginRefused))) {
                return outcome;
            }
        }
        Err(if devices.is_empty() { self.refuse() } else { Rejection::LoginRefused.into() })
    }

    /// Returns the active device key that the login token is of. Fast hashes are tried first, so that only the first login
    /// of a key costs a PBKDF2, and a wrong login token.
    async fn owner_of<'d>(
        &self,
        devices: &'d [DeviceKey],
        login_token: &str,
    ) -> Result<Option<&'d DeviceKey>, ServiceError> {
        let active = || devices.iter().filter(|device| device.is_active);
        let is_known = |device: &&DeviceKey| match &device.secret {
            LoginSecret::Foreign(hash) => *hash == login_token_hash(device.id, login_token),
            _ => false,
        };
        if let Some(known) = active().find(is_known) {
            return Ok(Some(known));
        }
        let imported = active().filter_map(|device| match &device.secret {
            LoginSecret::Imported(hash) => Some((device, hash.clone())),
            _ => None,
        });
        let (owners, hashes): (Vec<_>, Vec<_>) = imported.unzip();
        let place = self.login_tokens.find(hashes, SecretString::new(login_token)).await?;
        Ok(place.and_then(|place| owners.get(place).copied()))
    }

    /// Issues the token if the store admits the login.
    async fn log_in(
        &self,
        login: DeviceLogin,
        new: NewToken,
        actor: Actor<'_>,
    ) -> Result<Issued, ServiceError> {
        let call = self.call(actor);
        let minted = self.mint_in(TokenKind::Session, login.id.hash_tag())?;
        let mut token = self.token_of(new, minted.id, minted.hash, call.now_ms);
        let record = Arc::make_mut(&mut token.record);
        record.texts = record.texts.with_device(&login.uuid);
        let mut outcome = self.store.device_login(&login, &token, call).await?;
        if matches!(outcome, Err(Rejection::TooManyTokens))
            && let Some(user) = self.store.device_owner(login.id).await?
            && self.revoke_cut_off(&user).await?
        {
            outcome = self.store.device_login(&login, &token, call).await?;
        }
        let (token, evicted) = outcome?;
        Ok(Issued { token, token_string: minted.token_string, evicted })
    }

    fn refuse(&self) -> ServiceError {
        self.store.changes().device_refusals.add(1);
        Rejection::LoginRefused.into()
    }
}
