//! Tokens: issue, show, change, rotate, revoke.

use super::core::Service;
use super::error::ServiceError;
use super::fields::{valid, valid_if_some};
use super::new_token::NewToken;
use crate::logging::audit::{Action, AuditEntry, AuditLine, AuditOutcome, AuditedRequest};
use crate::model::event::Actor;
use crate::model::field_rules as rules;
use crate::model::idempotency::RequestName;
use crate::model::revoke_reason::RevokeReason;
use crate::model::token::{Rotation, Token, TokenChange};
use crate::store::{Call, Rejection, StoreError};
use crate::token_string::{HashTag, SecretHash, TokenId, TokenKind};

/// A token with a new secret, of which this is the only copy.
pub struct Issued {
    /// The token.
    pub token: Token,
    /// The string for its holder.
    pub token_string: String,
    /// The tokens that were revoked to make room for it (`max-tokens-per-user`).
    pub evicted: Vec<TokenId>,
}

impl Service {
    /// Issues a token.
    ///
    /// # Errors
    /// `Invalid`, `UserLocked`, `TooManyTokens`, `ObjectFull`; `Store`: it is unknown whether the token was issued; its
    /// secret is lost.
    pub async fn issue(&self, new: NewToken, actor: Actor<'_>) -> Result<Issued, ServiceError> {
        self.issue_once(new, None, actor).await
    }

    /// Issues a token, once for all requests of this name, if there is one. The name is bound to the body before
    /// ([`claim_request`](Self::claim_request)).
    ///
    /// # Errors
    /// As [`issue`](Self::issue), and `DoneBefore`.
    pub async fn issue_once(
        &self,
        new: NewToken,
        once: Option<RequestName>,
        actor: Actor<'_>,
    ) -> Result<Issued, ServiceError> {
        valid("user", rules::user(&new.user))?;
        new.check()?;
        let call = Call { once, ..self.call(actor) };
        let minted = self.mint_in(TokenKind::Session, HashTag::of_user(&new.user))?;
        let token = self.token_of(new, minted.id, minted.hash, call.now_ms);
        let mut outcome = self.store.issue(&token, call).await?;
        if outcome == Err(Rejection::TooManyTokens) && self.revoke_cut_off(token.record.user()).await? {
            outcome = self.store.issue(&token, call).await?;
        }
        let evicted = outcome?;
        Ok(Issued { token, token_string: minted.token_string, evicted })
    }

    /// Shows a token.
    ///
    /// # Errors
    /// `NotFound`, `Store`.
    pub async fn token(&self, id: TokenId) -> Result<Token, ServiceError> {
        let mut found = self.store.token(id, self.clock.now_ms()).await?;
        // After an outage this node may have renewals that the store does not know yet.
        if found.is_none() && self.last_access.earned(id).is_some() {
            // Accesses that could not be written stay in the queue.
            let _ = self.last_access.flush().await;
            found = self.store.token(id, self.clock.now_ms()).await?;
        }
        Ok(self.shown(found.ok_or(Rejection::NotFound)?))
    }

    /// Changes a token. Revoking a revoked token is no error.
    ///
    /// # Errors
    /// `Invalid`, `NotFound`, `Revoked`, `LifetimeOver`, `ImportedEnd`, `ObjectFull`, `UserLocked`, `Pending`,
    /// `RotatedTooOften`, `Store`.
    pub async fn change(
        &self,
        id: TokenId,
        change: &TokenChange,
        actor: Actor<'_>,
    ) -> Result<Token, ServiceError> {
        self.change_by(id, change, self.call(actor)).await
    }

    async fn change_by(
        &self,
        id: TokenId,
        change: &TokenChange,
        call: Call<'_>,
    ) -> Result<Token, ServiceError> {
        valid_if_some("auth_slug", change.auth_slug.iter().flatten().next(), |slug| rules::auth_slug(slug))?;
        valid_if_some("scopes", change.scopes.iter().flatten().next(), |scopes| {
            rules::scopes(scopes.split(' ')).map(drop).map_err(|(_, detail)| detail)
        })?;
        valid_if_some("idle_seconds", change.idle_ms.as_ref(), |ms| rules::age_ms(*ms))?;
        valid_if_some("lifetime_seconds", change.lifetime_ms.as_ref(), |ms| rules::age_ms(*ms))?;
        if change.edits() {
            self.require_not_cut_off(id).await?;
        }
        Ok(self.shown(self.store.change(id, change, call).await??))
    }

    /// Confirms the second factor: the token opens what it is for. Confirming a confirmed token is no error.
    ///
    /// # Errors
    /// `NotFound`, `Revoked`, `UserLocked`, `Store`.
    pub async fn confirm(&self, id: TokenId, actor: Actor<'_>) -> Result<Token, ServiceError> {
        self.change(id, &TokenChange::confirming(), actor).await
    }

    /// Gives a token a new secret; the old one works for the rotation grace.
    ///
    /// # Errors
    /// `NotFound`, `Revoked`, `UserLocked`, `Pending`, `RotatedTooOften`; `Store`: both secrets may be good for the grace,
    /// and only the new one, which is lost, after it.
    pub async fn rotate(&self, id: TokenId, actor: Actor<'_>) -> Result<Issued, ServiceError> {
        self.rotate_once(id, None, actor).await
    }

    /// Rotates a token, once for all requests of this name, if there is one.
    ///
    /// # Errors
    /// As [`rotate`](Self::rotate), and `DoneBefore`.
    pub async fn rotate_once(
        &self,
        id: TokenId,
        once: Option<RequestName>,
        actor: Actor<'_>,
    ) -> Result<Issued, ServiceError> {
        let minted = self.mint_for(TokenKind::Session, id)?;
        let rotation = Rotation { hash: minted.hash, grace_ms: self.policy.rotation_grace_ms };
        let call = Call { once, ..self.call(actor) };
        let token = self.change_by(id, &TokenChange::rotating(rotation), call).await?;
        Ok(Issued { token, token_string: minted.token_string, evicted: Vec::new() })
    }

    /// Revokes a token whose rotated-out secret was used after its grace, if `reuse-ends-token` says so (RFC 9700,
    /// section 4.14.2). The token was copied. `request` is the request that used the secret, if it is known.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn secret_reused(
        &self,
        id: TokenId,
        secret_hash: &SecretHash,
        request: Option<&AuditedRequest>,
    ) -> Result<(), StoreError> {
        if !self.policy.reuse_ends_token {
            return Ok(());
        }
        let user = self.store.revoke_reused(id, secret_hash, self.call(Actor::Doorward)).await?;
        if user.is_some() {
            let reason = Some(RevokeReason::Reuse.name().to_owned());
            let entry = AuditEntry { user, token: Some(id), reason, ..AuditEntry::new(Action::TokenRevoke) };
            let line = AuditLine::new(&entry, AuditOutcome::Done, Some(Actor::Doorward));
            request.map_or(line, |request| line.of_request(request)).write();
        }
        Ok(())
    }

    /// Lists the user's tokens, newest first; on demand the revoked ones, too.
    ///
    /// # Errors
    /// `Store`.
    pub async fn user_tokens(&self, user: &str, include_revoked: bool) -> Result<Vec<Token>, ServiceError> {
        let tokens = self.store.user_tokens(user, self.clock.now_ms()).await?;
        let mut tokens: Vec<_> = tokens.into_iter().map(|token| self.shown(token)).collect();
        tokens.retain(|token| include_revoked || token.record.is_active);
        Ok(tokens)
    }

    /// Revokes all of a user's live tokens but one: [`Store::revoke_user_tokens`](crate::store::Store::revoke_user_tokens).
    /// Returns how many it revoked.
    ///
    /// # Errors
    /// `Store`; after `Unavailable` some may be revoked, and calling again revokes the rest.
    pub async fn revoke_user_tokens(
        &self,
        user: &str,
        except: Option<TokenId>,
        actor: Actor<'_>,
    ) -> Result<usize, ServiceError> {
        Ok(self.store.revoke_user_tokens(user, except, self.call(actor)).await?.len())
    }
}
