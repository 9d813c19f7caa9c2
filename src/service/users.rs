//! Whole users: erase.

use super::core::Service;
use super::error::ServiceError;
use crate::model::event::Actor;

impl Service {
    /// Erases everything of a user: [`Store::erase_user`](crate::store::Store::erase_user). An unknown user is no error.
    ///
    /// # Errors
    /// `Store`: a part may be erased; calling again erases the rest.
    pub async fn erase_user(&self, user: &str, actor: Actor<'_>) -> Result<(), ServiceError> {
        Ok(self.store.erase_user(user, self.call(actor)).await?)
    }
}
