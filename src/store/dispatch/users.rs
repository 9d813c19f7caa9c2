//! Whole users in the store.

use super::store::Store;
use crate::store::call::Call;
use crate::store::error::StoreError;
use crate::store::on_store::on_store;

impl Store {
    /// Locks or unlocks a user, known or not. Returns whether that changed the lock. While a user is locked, no token is
    /// issued to the user, and every token is refused and kept. A lock lasts until it is removed, also beyond an erasure.
    ///
    /// The lock and the flags of all tokens change in one step.
    ///
    /// # Errors
    /// `Unavailable`: calling again is safe.
    pub async fn set_lock(
        &self,
        user: &str,
        is_locked: bool,
        call: impl Into<Call<'_>>,
    ) -> Result<bool, StoreError> {
        on_store!(match self {
            Self::Memory(store) => Ok(store.set_lock(user, is_locked, &call.into())),
            Self::Redis(store) =>
                store.acknowledge(call.into(), async |call| store.set_lock(user, is_locked, call).await).await,
        })
    }

    /// Returns whether a user is locked.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn is_locked(&self, user: &str) -> Result<bool, StoreError> {
        on_store!(match self {
            Self::Memory(store) => Ok(store.is_locked(user)),
            Self::Redis(store) => store.is_locked(user).await,
        })
    }

    /// Erases a user: the tokens, also those revoked or expired, the device keys, the takeovers by the user's tokens, the
    /// list of takeovers of the user, and the events. Takeovers of the user that are under way end; their records stay,
    /// because they belong to the actors. A lock of the user stays. Erasing an unknown user is no error.
    ///
    /// A token that is issued meanwhile is either erased or was issued afterwards. A user with up to 100 tokens, device keys
    /// and tokens with takeovers is erased in one step, any other in several until this returns.
    ///
    /// # Errors
    /// `Unavailable`: a part may be erased; calling again is safe. `Corrupt`: the user's index is corrupt, and nothing of
    /// the user was erased; or the user was erased, and a takeover of the user may still be under way.
    pub async fn erase_user(&self, user: &str, call: impl Into<Call<'_>>) -> Result<(), StoreError> {
        on_store!(match self {
            Self::Memory(store) => {
                store.erase_user(user, &call.into());
                Ok(())
            }
            Self::Redis(store) =>
                store.acknowledge(call.into(), async |call| store.erase_user(user, call).await).await,
        })
    }
}
