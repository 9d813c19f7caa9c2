//! Tokens: issue, show, change, rotate, end.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::Arc;

use super::core::{Service, valid, valid_if_some};
use super::error::ServiceError;
use crate::model::event::Actor;
use crate::model::field_rules as rules;
use crate::model::token::{
    AccessMark, Cached, PreviousSecrets, RefusedMarks, RelatedObject, Rotation, Texts, Token, TokenChange,
    TokenDetails, TokenRecord,
};
use crate::store::{Rejection, StoreError};
use crate::token_string as secret;
use crate::token_string::{HashTag, Kind, SecretHash, TokenId, VerifiedMark};

/// What a login service asks for.
#[derive(Clone, Debug)]
pub struct NewToken {
    /// Whose token.
    pub user: String,
    /// Where the login came from.
    pub ip: IpAddr,
    /// Cleaned and cut at 256 characters.
    pub user_agent: String,
    /// The kind of token.
    pub auth_slug: Option<String>,
    /// What authenticated the user.
    pub backend: Option<String>,
    /// False for a preserved token.
    pub expiration: bool,
    /// Whether a cookie may carry it.
    pub allowed_cookie: bool,
    /// Whether the Authorization header may carry it.
    pub allowed_header: bool,
    /// Overrides the policy's idle time.
    pub idle_ms: Option<u64>,
    /// Overrides the policy's absolute lifetime.
    pub lifetime_ms: Option<u64>,
    /// What the token belongs to.
    pub related_objects: Vec<RelatedObject>,
    /// False when a second factor is still to be shown: until [`Service::confirm`] the token opens nothing.
    pub is_authenticated: bool,
}

impl NewToken {
    /// A token with the default of every field that has one: what `POST /v1/tokens` makes of these two.
    pub fn new(user: impl Into<String>, ip: IpAddr) -> Self {
        Self {
            user: user.into(),
            ip,
            user_agent: String::new(),
            auth_slug: None,
            backend: None,
            expiration: true,
            allowed_cookie: true,
            allowed_header: true,
            idle_ms: None,
            lifetime_ms: None,
            related_objects: Vec::new(),
            is_authenticated: true,
        }
    }

    /// Whether every field but the user keeps to its rule.
    pub(crate) fn check(&self) -> Result<(), ServiceError> {
        valid_if_some("auth_slug", self.auth_slug.as_deref(), rules::auth_slug)?;
        valid_if_some("backend", self.backend.as_deref(), rules::backend)?;
        valid_if_some("idle_ms", self.idle_ms.as_ref(), |ms| rules::age_ms(*ms))?;
        valid_if_some("lifetime_ms", self.lifetime_ms.as_ref(), |ms| rules::age_ms(*ms))?;
        if self.related_objects.len() > rules::MAX_RELATED_OBJECTS {
            let detail = format!("must be at most {}", rules::MAX_RELATED_OBJECTS);
            return Err(ServiceError::Invalid { field: "related_objects", detail });
        }
        self.related_objects.iter().try_for_each(check_object)
    }
}

/// Whether an object's names keep to their rules.
pub(crate) fn check_object(object: &RelatedObject) -> Result<(), ServiceError> {
    valid("content_type", rules::content_type(&object.content_type))?;
    valid("object_id", rules::object_id(&object.object_id))
}

/// A token just issued, with the only copy of its secret.
pub struct Issued {
    /// The record.
    pub token: Token,
    /// The string for its holder.
    pub token_string: String,
}

impl Service {
    /// Issues a token.
    ///
    /// # Errors
    /// `Invalid`, `TooManyTokens`, `ObjectFull`; `Store`, and then whether it was issued is unknown, and nobody has its
    /// secret.
    pub async fn issue(&self, new: NewToken, actor: Actor<'_>) -> Result<Issued, ServiceError> {
        valid("user", rules::user(&new.user))?;
        new.check()?;
        let call = self.call(actor);
        let minted = self.mint_in(Kind::Token, HashTag::of_user(&new.user))?;
        let token = self.record_of(new, minted.id, minted.hash, call.now_ms);
        self.store.issue(&token, call).await??;
        Ok(Issued { token, token_string: minted.token_string })
    }

    /// The record of a new token.
    pub(crate) fn record_of(
        &self,
        new: NewToken,
        id: TokenId,
        hash: secret::SecretHash,
        now_ms: u64,
    ) -> Token {
        let default_idle_ms =
            if new.expiration { self.policy.default_age_ms } else { self.policy.preserved_age_ms };
        let idle_ms = new.idle_ms.unwrap_or(default_idle_ms);
        let lifetime_ms = new.lifetime_ms.unwrap_or(self.policy.absolute_lifetime_ms);
        let ends_at_ms = now_ms.saturating_add(lifetime_ms);
        Token {
            record: Arc::new(TokenRecord {
                id,
                secret_hash: hash,
                previous: PreviousSecrets::default(),
                refused: RefusedMarks::default(),
                verified: VerifiedMark::default(),
                texts: Texts::new(&new.user, new.auth_slug.as_deref(), new.backend.as_deref(), None),
                takeover: None,
                is_active: true,
                is_authenticated: new.is_authenticated,
                allowed_cookie: new.allowed_cookie,
                allowed_header: new.allowed_header,
                expires_at_ms: ends_at_ms.min(now_ms.saturating_add(idle_ms)),
                idle_ms,
                ends_at_ms,
                accesses: AccessMark::default(),
                details: Cached::default(),
                json: Cached::default(),
            }),
            details: Arc::new(TokenDetails {
                created_at_ms: now_ms,
                user_agent: rules::user_agent(&new.user_agent),
                ip: new.ip,
                expiration: new.expiration,
                related_objects: each_once(new.related_objects),
            }),
            last_access_ms: now_ms,
            revoked: None,
        }
    }

    /// The token of this id.
    ///
    /// # Errors
    /// `NotFound`, `Store`.
    pub async fn token(&self, id: TokenId) -> Result<Token, ServiceError> {
        let mut found = self.store.token(id, self.clock.now_ms()).await?;
        // After an outage the store may know less than this node.
        if found.is_none() && self.last_access.earned_ms(id).is_some() {
            // What could not be written stays for the next time.
            let _ = self.last_access.flush().await;
            found = self.store.token(id, self.clock.now_ms()).await?;
        }
        Ok(found.ok_or(Rejection::NotFound)?)
    }

    /// Changes a token. Ending one that has ended is no error.
    ///
    /// # Errors
    /// `Invalid`, `NotFound`, `Ended`, `Store`.
    pub async fn change(
        &self,
        id: TokenId,
        change: &TokenChange,
        actor: Actor<'_>,
    ) -> Result<Token, ServiceError> {
        valid_if_some("auth_slug", change.auth_slug.iter().flatten().next(), |slug| rules::auth_slug(slug))?;
        Ok(self.store.change(id, change, self.call(actor)).await??)
    }

    /// The second factor was shown: the token opens what it is for. Confirming a confirmed one is no error.
    ///
    /// # Errors
    /// `NotFound`, `Ended`, `Store`.
    pub async fn confirm(&self, id: TokenId, actor: Actor<'_>) -> Result<Token, ServiceError> {
        self.change(id, &TokenChange::confirming(), actor).await
    }

    /// Gives a token a new secret; the old one works for the rotation grace.
    ///
    /// # Errors
    /// `NotFound`, `Ended`, `Pending`, `RotatedTooOften`; `Store`, and then both secrets may be good for the grace,
    /// and only the new one after it, which nobody has.
    pub async fn rotate(&self, id: TokenId, actor: Actor<'_>) -> Result<Issued, ServiceError> {
        let minted = self
            .with_token_keys(|keys| secret::mint_secret(Kind::Token, keys, id, &self.entropy))?
            .map_err(|error| StoreError::Unavailable(format!("no randomness: {error}")))?;
        let rotation = Rotation { hash: minted.hash, grace_ms: self.policy.rotation_grace_ms };
        let token = self.change(id, &TokenChange::rotating(rotation), actor).await?;
        Ok(Issued { token, token_string: minted.token_string })
    }

    /// A secret that was rotated out was presented after its grace: somebody copied the token. Revokes the token, if
    /// `reuse-ends-token` says so (RFC 9700, section 4.14.2).
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn secret_reused(&self, id: TokenId, presented: &SecretHash) -> Result<(), StoreError> {
        if self.policy.reuse_ends_token
            && self.store.revoke_reused(id, presented, self.call(Actor::Doorward)).await?
        {
            tracing::warn!(token = %id, "a secret that was rotated out was seen again; its token was ended");
        }
        Ok(())
    }

    /// The user's tokens, newest first; the ended ones, too, when asked for.
    ///
    /// # Errors
    /// `Store`.
    pub async fn user_tokens(&self, user: &str, include_revoked: bool) -> Result<Vec<Token>, ServiceError> {
        let mut tokens = self.store.user_tokens(user, self.clock.now_ms()).await?;
        tokens.retain(|token| include_revoked || token.record.is_active);
        Ok(tokens)
    }

    /// Revokes all of a user's live tokens but one, as [`Store::revoke_user_tokens`](crate::store::Store::revoke_user_tokens) does. Gives
    /// how many it revoked.
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

fn each_once(objects: Vec<RelatedObject>) -> Vec<RelatedObject> {
    let mut seen = HashSet::new();
    objects.into_iter().filter(|object| seen.insert(object.clone())).collect()
}
