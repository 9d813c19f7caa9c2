//! Device keys in the store.

use super::store::Store;
use crate::model::device_key::{DeviceChange, DeviceId, DeviceKey, DeviceLogin};
use crate::model::token::Token;
use crate::store::call::Call;
use crate::store::error::StoreError;
use crate::store::on_store::on_store;
use crate::store::rejection::{Outcome, Rejection};
#[cfg(feature = "redis")]
use crate::token_string::HashTag;
use crate::token_string::{SecretHash, TokenId};

impl Store {
    /// Stores a new device key, unless the user has one of this uuid. Returns the existing key, which is not changed.
    ///
    /// # Errors
    /// `Unavailable`, also if the store is full; `Corrupt`.
    pub async fn make_device(
        &self,
        new: &DeviceKey,
        call: impl Into<Call<'_>>,
    ) -> Result<Outcome<Option<DeviceKey>>, StoreError> {
        on_store!(match self {
            Self::Memory(store) => Ok(store.make_device(new, &call.into())),
            Self::Redis(store) =>
                store.acknowledge(call.into(), async |call| store.make_device(new, call).await).await,
        })
    }

    /// Lists a user's device keys, newest first.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn user_devices(&self, user: &str, now_ms: u64) -> Result<Vec<DeviceKey>, StoreError> {
        on_store!(match self {
            Self::Memory(store) => Ok(store.user_devices(user, now_ms)),
            Self::Redis(store) => store.user_devices(user, now_ms).await,
        })
    }

    /// Changes a device key and returns it; `None` if there is no such key. Deactivating it revokes the tokens it logged in,
    /// in the same step.
    ///
    /// # Errors
    /// `Unavailable`; `Corrupt`, and then the key may be changed and all other tokens revoked.
    pub async fn change_device(
        &self,
        user: &str,
        uuid: &str,
        change: &DeviceChange,
        call: impl Into<Call<'_>>,
    ) -> Result<Option<DeviceKey>, StoreError> {
        on_store!(match self {
            Self::Memory(store) => Ok(store.change_device(user, uuid, change, &call.into())),
            Self::Redis(store) => {
                let changed = store
                    .acknowledge(call.into(), async |call| {
                        store.change_device(user, uuid, change, call).await
                    })
                    .await?;
                if change.is_active == Some(false) {
                    store.require_settled(HashTag::of_user(user))?;
                }
                store.found(HashTag::of_user(user), changed)
            }
        })
    }

    /// Gives the device key with this id a new secret, whose hash this is, and returns the key. The old login token is
    /// refused from then on; the tokens that the key logged in stay.
    ///
    /// # Errors
    /// `NotFound`, also if the key of this uuid has another id; `DeviceInactive`; `Unavailable`, `Corrupt`.
    pub async fn rotate_device(
        &self,
        of: (&str, &str),
        new: (DeviceId, &SecretHash),
        call: impl Into<Call<'_>>,
    ) -> Result<Outcome<DeviceKey>, StoreError> {
        on_store!(match self {
            Self::Memory(store) => Ok(store.rotate_device(of, new, &call.into())),
            Self::Redis(store) => {
                let outcome = store
                    .acknowledge(call.into(), async |call| store.rotate_device(of, new, call).await)
                    .await?;
                store.settled(HashTag::of_user(of.0), outcome)
            }
        })
    }

    /// Removes a device key and revokes the tokens it logged in, in one step. Returns whether there was such a key.
    ///
    /// # Errors
    /// As [`Store::change_device`].
    pub async fn remove_device(
        &self,
        user: &str,
        uuid: &str,
        call: impl Into<Call<'_>>,
    ) -> Result<bool, StoreError> {
        on_store!(match self {
            Self::Memory(store) => Ok(store.remove_device(user, uuid, &call.into())),
            Self::Redis(store) => {
                let is_removed = store
                    .acknowledge(call.into(), async |call| store.remove_device(user, uuid, call).await)
                    .await?;
                store.require_settled(HashTag::of_user(user)).map(|()| is_removed)
            }
        })
    }

    /// Returns the user of the device key with this id, if there is one.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn device_owner(&self, id: DeviceId) -> Result<Option<String>, StoreError> {
        let mut devices = on_store!(match self {
            Self::Memory(store) => store.devices_by_id(&[id]),
            Self::Redis(store) => store.devices_by_id(&[id]).await?,
        });
        Ok(devices.pop().map(|device| device.user))
    }

    /// Stores a new token for the owner of a device key, if the key admits the login, and moves the key's last login and
    /// expiry. The user of `token` is ignored. Returns the token and those that were revoked to make room for it.
    ///
    /// # Errors
    /// `Unavailable`, also if the store is full; `Corrupt`.
    pub async fn device_login(
        &self,
        login: &DeviceLogin,
        token: &Token,
        call: impl Into<Call<'_>>,
    ) -> Result<Outcome<(Token, Vec<TokenId>)>, StoreError> {
        let call = call.into();
        if let Some(foreign) = &login.foreign {
            // The entry lives as long as the key. It is written first: too long a life does no harm. Only an entry that has
            // just expired can find its place taken, and then the next import reports it.
            self.put_device_entry(&foreign.digest, (login.id, login.expires_at_ms), call).await?;
        }
        let outcome = on_store!(match self {
            Self::Memory(store) => store.device_login(login, token, &call),
            Self::Redis(store) => {
                let outcome =
                    store.acknowledge(call, async |call| store.device_login(login, token, call).await).await;
                outcome.and_then(|outcome| store.settled(login.id.hash_tag(), outcome))
            }
        });
        let changes = self.changes();
        match outcome {
            Ok(Ok(_)) => [&changes.issued, &changes.device_logins].into_iter().for_each(|count| count.add(1)),
            Ok(Err(Rejection::LoginRefused)) => changes.device_refusals.add(1),
            _ => {}
        }
        outcome
    }
}
