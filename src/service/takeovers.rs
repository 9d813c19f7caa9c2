//! Takeovers: start, end, list.

use super::core::{Service, no_randomness};
use super::error::ServiceError;
use super::fields::{valid, valid_if_some};
use crate::model::event::Actor;
use crate::model::field_rules as rules;
use crate::model::revoke_reason::RevokeReason;
use crate::model::takeover::{EndedTakeover, NewTakeover, Takeover};
use crate::store::Rejection;
use crate::token_string::{TokenId, new_id};

impl Service {
    /// Lets a token act as another user. An earlier takeover of the token ends. The takeover lasts for `age_ms`, or as long
    /// as the policy allows, and never longer than its token.
    ///
    /// # Errors
    /// `Invalid`, `TakeoversOff`, `NotFound`, `Revoked`, `UserLocked`, `Pending`, `OwnUser`, `Store`.
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
        if !self.policy.takeovers {
            return Err(Rejection::TakeoversOff.into());
        }
        self.require_not_cut_off(token).await?;
        let call = self.call(actor);
        let id = new_id(token.hash_tag(), &self.entropy).map_err(no_randomness)?;
        let age_ms = age_ms.unwrap_or(u64::MAX).min(self.policy.max_takeover_age_ms);
        let new = NewTakeover { id, token, user, reason, ends_at_ms: call.now_ms.saturating_add(age_ms) };
        Ok(self.store.start_takeover(&new, call).await??)
    }

    /// Ends the takeover under way on a token, and returns it.
    ///
    /// # Errors
    /// `NotFound` without a takeover; `Store`.
    pub async fn end_takeover(
        &self,
        token: TokenId,
        reason: RevokeReason,
        actor: Actor<'_>,
    ) -> Result<EndedTakeover, ServiceError> {
        let ended = self.store.end_takeover(token, reason, self.call(actor)).await?;
        Ok(ended.ok_or(Rejection::NotFound)?)
    }

    /// Lists the takeovers of a token, newest first.
    ///
    /// # Errors
    /// `NotFound` if there is neither such a token nor a takeover of it; `Store`.
    pub async fn token_takeovers(&self, token: TokenId) -> Result<Vec<Takeover>, ServiceError> {
        let takeovers = self.store.token_takeovers(token, self.clock.now_ms()).await?;
        if takeovers.is_empty() {
            self.token(token).await?;
        }
        Ok(takeovers)
    }

    /// Lists the takeovers of this user by others, newest first.
    ///
    /// # Errors
    /// `Store`.
    pub async fn user_takeovers(&self, user: &str) -> Result<Vec<Takeover>, ServiceError> {
        Ok(self.store.user_takeovers(user, self.clock.now_ms()).await?)
    }
}
