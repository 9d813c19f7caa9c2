//! Whole users: lock and erase.

use super::core::Service;
use super::error::ServiceError;
use crate::model::event::Actor;

impl Service {
    /// Locks or unlocks a user: [`Store::set_lock`](crate::store::Store::set_lock). Returns whether that changed the lock.
    ///
    /// # Errors
    /// `Store`: calling again is safe.
    pub async fn set_user_lock(
        &self,
        user: &str,
        is_locked: bool,
        actor: Actor<'_>,
    ) -> Result<bool, ServiceError> {
        Ok(self.store.set_lock(user, is_locked, self.call(actor)).await?)
    }

    /// Returns whether a user is locked.
    ///
    /// # Errors
    /// `Store`.
    pub async fn is_user_locked(&self, user: &str) -> Result<bool, ServiceError> {
        Ok(self.store.is_locked(user).await?)
    }

    /// Erases everything of a user: [`Store::erase_user`](crate::store::Store::erase_user). An unknown user is no error.
    ///
    /// # Errors
    /// `Store`: a part may be erased; calling again erases the rest.
    pub async fn erase_user(&self, user: &str, actor: Actor<'_>) -> Result<(), ServiceError> {
        Ok(self.store.erase_user(user, self.call(actor)).await?)
    }
}
