//! Users as a whole.

use http::Method;

use super::call::Admin;
use crate::error::CallError;
use crate::path::path;
use crate::transport::Repeat;

impl Admin {
    /// Refuses all tokens and logins of a user until [`unlock_user`](Self::unlock_user). No token is lost.
    ///
    /// # Errors
    /// In an outage, or if Doorward refuses the call.
    pub async fn lock_user(&self, user: &str) -> Result<(), CallError> {
        self.tell(Method::PUT, &path(&["users", user, "lock"]), Repeat::Safe).await
    }

    /// Accepts the tokens of a locked user again.
    ///
    /// # Errors
    /// In an outage, or if Doorward refuses the call.
    pub async fn unlock_user(&self, user: &str) -> Result<(), CallError> {
        self.tell(Method::DELETE, &path(&["users", user, "lock"]), Repeat::Safe).await
    }

    /// Erases everything that is stored of a user.
    ///
    /// # Errors
    /// In an outage, or if Doorward refuses the call.
    pub async fn erase_user(&self, user: &str) -> Result<(), CallError> {
        self.tell(Method::DELETE, &path(&["users", user]), Repeat::Safe).await
    }
}
