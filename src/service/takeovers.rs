//! Takeovers: start, end, look back.

use super::core::{Service, valid, valid_if_some};
use super::error::ServiceError;
use crate::model::event::{Actor, RevokeReason};
use crate::model::field_rules as rules;
use crate::model::takeover::{NewTakeover, Takeover};
use crate::store::{Rejection, StoreError};
use crate::token_string as secret;
use crate::token_string::TokenId;

impl Service {
    /// Lets a token act as another user; an earlier takeover of it ends. It lasts for `age_ms`, or as long as the
    /// policy allows, and never longer than its token.
    ///
    /// # Errors
    /// `Invalid`, `NotFound`, `Ended`, `Pending`, `OwnUser`, `Store`.
    pub async fn start_takeover(
        &self,
        token: TokenId,
        user: String,
        reason: Option<String>,
        age_ms: Option<u64>,
        actor: Actor<'_>,
    ) -> Result<Takeover, ServiceError> {
        valid("user", rules::user(&user))?;
        valid_if_some("reason", reason.as_deref(), rules::reason)?;
        valid_if_some("age_ms", age_ms.as_ref(), |ms| rules::age_ms(*ms))?;
        let call = self.call(actor);
        let id = secret::new_id(token.hash_tag(), &self.entropy)
            .map_err(|error| StoreError::Unavailable(format!("no randomness: {error}")))?;
        let age_ms = age_ms.unwrap_or(u64::MAX).min(self.policy.max_takeover_age_ms);
        let new = NewTakeover { id, token, user, reason, ends_at_ms: call.now_ms.saturating_add(age_ms) };
        Ok(self.store.start_takeover(&new, call).await??)
    }

    /// Ends the takeover under way on a token.
    ///
    /// # Errors
    /// `NotFound` when there is none; `Store`.
    pub async fn end_takeover(
        &self,
        token: TokenId,
        reason: RevokeReason,
        actor: Actor<'_>,
    ) -> Result<(), ServiceError> {
        let is_ended = self.store.end_takeover(token, reason, self.call(actor)).await?;
        Ok(is_ended.then_some(()).ok_or(Rejection::NotFound)?)
    }

    /// The takeovers of a token, newest first.
    ///
    /// # Errors
    /// `NotFound` when there is neither such a token nor a takeover of it; `Store`.
    pub async fn token_takeovers(&self, token: TokenId) -> Result<Vec<Takeover>, ServiceError> {
        let takeovers = self.store.token_takeovers(token, self.clock.now_ms()).await?;
        if takeovers.is_empty() {
            self.token(token).await?;
        }
        Ok(takeovers)
    }

    /// Who took this user over, newest first.
    ///
    /// # Errors
    /// `Store`.
    pub async fn user_takeovers(&self, user: &str) -> Result<Vec<Takeover>, ServiceError> {
        Ok(self.store.user_takeovers(user, self.clock.now_ms()).await?)
    }
}
