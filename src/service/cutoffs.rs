//! Cut-offs: set, remove, list; and what they mean for the tokens that are shown and changed.

use std::sync::Arc;

use tokio::sync::MutexGuard;

use super::core::Service;
use super::error::ServiceError;
use crate::model::cutoff::{Cutoff, CutoffName, Cutoffs, SetCutoff};
use crate::model::event::Actor;
use crate::model::revoke_reason::RevokeReason;
use crate::model::token::{Revocation, Token, TokenChange};
use crate::store::{Rejection, StoreError};
use crate::token_string::TokenId;

/// A cut-off may be set so far ahead of the store's clock, and counts as set to the present then: clocks of callers differ.
/// A later time is refused, because tokens would be refused that are not issued yet.
pub const MAX_BEFORE_AHEAD_MS: u64 = 5_000;

impl Service {
    /// Refuses every token that was created before `before_ms` and that the name covers. A cut-off that is there moves to
    /// the later time.
    ///
    /// When this returns, this node refuses the tokens, and every other node that reaches the store does within two seconds.
    ///
    /// # Errors
    /// `Invalid` for a time in the future; `CutoffIsLater`, `TooManyCutoffs`, `Store`.
    pub async fn set_cutoff(
        &self,
        name: &CutoffName,
        before_ms: u64,
        actor: Actor<'_>,
    ) -> Result<SetCutoff, ServiceError> {
        let call = self.call(actor);
        if before_ms > call.now_ms.saturating_add(MAX_BEFORE_AHEAD_MS) {
            let detail =
                format!("must not be in the future ({} s are tolerated)", MAX_BEFORE_AHEAD_MS / 1000);
            return Err(ServiceError::Invalid { field: "before", detail });
        }
        let set = self.store.set_cutoff(name, before_ms.min(call.now_ms), call).await??;
        self.follow_cutoffs().await?;
        Ok(set)
    }

    /// Removes a cut-off. Its tokens that the worker has not revoked yet are good again.
    ///
    /// # Errors
    /// `NotFound`, `Store`.
    pub async fn remove_cutoff(&self, name: &CutoffName, actor: Actor<'_>) -> Result<(), ServiceError> {
        if !self.store.remove_cutoff(name, self.call(actor)).await? {
            return Err(Rejection::NotFound.into());
        }
        Ok(self.follow_cutoffs().await?)
    }

    /// Reads all cut-offs with the progress of the worker, newest first.
    ///
    /// # Errors
    /// `Store`.
    pub async fn list_cutoffs(&self) -> Result<Vec<Cutoff>, ServiceError> {
        let mut cutoffs = self.store.cutoffs().await?;
        cutoffs.sort_by_cached_key(Cutoff::listing_key);
        Ok(cutoffs)
    }

    /// Reads the cut-offs from the store, and judges by them from now on. If the read fails, the last known ones stay.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn follow_cutoffs(&self) -> Result<(), StoreError> {
        let reading = self.cutoffs.reading.lock().await;
        self.read_cutoffs(reading).await
    }

    /// Reads the cut-offs, while `reading` keeps others from it.
    async fn read_cutoffs(&self, mut reading: MutexGuard<'_, Option<u64>>) -> Result<(), StoreError> {
        let (read_at_ms, data) = (self.clock.boottime_ms(), self.store.cutoff_data());
        let read = self.store.cutoffs().await;
        *reading = read.is_err().then_some(data);
        self.cutoffs.learn(Cutoffs::new(read?), read_at_ms, data);
        Ok(())
    }

    /// Makes sure that the cut-offs are known, from the data that the store has now: a failover may have moved or lost one.
    /// Called before a record is read for a validation, because a cached one is judged without this, and after it, because
    /// the data may change meanwhile.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub(crate) async fn require_cutoffs(&self) -> Result<(), StoreError> {
        match self.are_cutoffs_current() {
            true => Ok(()),
            // Boxed: it is seldom needed, and the future of each look-up would have room for it.
            false => Box::pin(self.catch_up_with_cutoffs()).await,
        }
    }

    fn are_cutoffs_current(&self) -> bool {
        self.cutoffs.are_of(self.store.cutoff_data())
    }

    /// Reads the cut-offs, or waits for another who reads them. If that read fails, nobody who waited for it reads them once
    /// more: while the store cannot be asked, they would time out one after the other.
    async fn catch_up_with_cutoffs(&self) -> Result<(), StoreError> {
        match self.cutoffs.reading.try_lock() {
            Ok(reading) => self.read_cutoffs(reading).await?,
            Err(_) => {
                let reading = self.cutoffs.reading.lock().await;
                let has_failed = *reading == Some(self.store.cutoff_data());
                if !self.are_cutoffs_current() && !has_failed {
                    self.read_cutoffs(reading).await?;
                }
            }
        }
        match self.are_cutoffs_current() {
            true => Ok(()),
            false => Err(StoreError::Unavailable("the cut-offs are not known yet".into())),
        }
    }

    /// The cut-offs as this node knows them; `None` until they were read once.
    pub fn known_cutoffs(&self) -> Option<Arc<Cutoffs>> {
        self.cutoffs.present()
    }

    /// Returns how old the known cut-offs may be; `None` until they were read once.
    pub fn cutoffs_age_ms(&self) -> Option<u64> {
        self.cutoffs.age_ms(self.clock.boottime_ms())
    }

    /// Returns a token of the store as callers see it. A token that a cut-off refuses is shown as revoked when the cut-off
    /// was set, although the worker may not have come to it. While takeovers are off, no token has one.
    pub(super) fn shown(&self, mut token: Token) -> Token {
        if !self.policy.takeovers && token.record.takeover.is_some() {
            Arc::make_mut(&mut token.record).takeover = None;
        }
        if token.record.is_active
            && self.cutoffs.refuse(&token.record)
            && let Some(cutoff) = self.cutoffs.refusing(&token.record)
        {
            let reason = Some(RevokeReason::Cutoff);
            token.revoked = Some(Revocation { at_ms: cutoff.created_at_ms, reason });
            Arc::make_mut(&mut token.record).is_active = false;
        }
        token
    }

    /// Revokes for good the tokens of a user that a cut-off refuses: they must not keep the user from logging in until
    /// the worker comes to them. Returns whether there were any.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub(super) async fn revoke_cut_off(&self, user: &str) -> Result<bool, StoreError> {
        let (now_ms, mut has_revoked) = (self.clock.now_ms(), false);
        if self.cutoffs.present().is_none_or(|cutoffs| cutoffs.latest_ms() == 0) {
            return Ok(false);
        }
        for token in self.store.user_tokens(user, now_ms).await? {
            if token.record.is_active && self.cutoffs.refuse(&token.record) {
                let change = TokenChange::revoking(RevokeReason::Cutoff);
                has_revoked |= self.store.change(token.record.id, &change, now_ms).await?.is_ok();
            }
        }
        Ok(has_revoked)
    }

    /// Rejects a change of a token that a cut-off refuses. Reads the token only if there are cut-offs.
    ///
    /// The answer cannot become wrong before the change: a token's time and backend never change, and its slug only by a
    /// call that asks here first.
    ///
    /// # Errors
    /// `Revoked`, `Store`.
    pub(super) async fn require_not_cut_off(&self, id: TokenId) -> Result<(), ServiceError> {
        if self.cutoffs.present().is_none_or(|cutoffs| cutoffs.latest_ms() == 0) {
            return Ok(());
        }
        let token = self.store.token(id, self.clock.now_ms()).await?;
        match token.is_some_and(|token| self.cutoffs.refuse(&token.record)) {
            true => Err(Rejection::Revoked.into()),
            false => Ok(()),
        }
    }
}
