//! Whole users in the store.

use super::store::Store;
use crate::store::call::Call;
use crate::store::error::StoreError;

impl Store {
    /// Erases a user: the tokens, also those revoked or expired, the device keys, the takeovers by the user's tokens, the list
    /// of takeovers of the user, and the events. Takeovers of the user that are under way end; their records stay, because
    /// they belong to the actors. Erasing an unknown user is no error.
    ///
    /// A token that is issued meanwhile is either erased or was issued afterwards. A user with up to 100 tokens, device keys
    /// and tokens with takeovers is erased in one step, any other in several until this returns.
    ///
    /// # Errors
    /// `Unavailable`: a part may be erased; calling again is safe. `Corrupt`: the user's index is corrupt, and nothing of the
    /// user was erased; or the user was erased, and a takeover of the user may still be under way.
    pub async fn erase_user(&self, user: &str, call: impl Into<Call<'_>>) -> Result<(), StoreError> {
        match self {
            Self::Memory(store) => {
                store.erase_user(user, &call.into());
                Ok(())
            }
            Self::Redis(store) => store.erase_user(user, &call.into()).await,
        }
    }
}
