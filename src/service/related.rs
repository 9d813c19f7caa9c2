//! Related objects: relate, unrelate, list and revoke the tokens of an object.

use super::core::Service;
use super::error::ServiceError;
use super::fields::check_object;
use crate::model::event::Actor;
use crate::model::token::{RelatedObject, Token};
use crate::token_string::TokenId;

impl Service {
    /// Relates a token to an object. Relating it twice is no error. Returns the token's user.
    ///
    /// # Errors
    /// `Invalid`, `NotFound`, `Revoked`, `TooManyObjects`, `ObjectFull`, `Store`.
    pub async fn relate(
        &self,
        id: TokenId,
        object: &RelatedObject,
        actor: Actor<'_>,
    ) -> Result<String, ServiceError> {
        check_object(object)?;
        self.require_not_cut_off(id).await?;
        Ok(self.store.relate(id, object, self.call(actor)).await??)
    }

    /// Unrelates a token from an object. Unrelating it twice is no error. Returns the token's user.
    ///
    /// # Errors
    /// `NotFound`, `Revoked`, `Store`.
    pub async fn unrelate(
        &self,
        id: TokenId,
        object: &RelatedObject,
        actor: Actor<'_>,
    ) -> Result<String, ServiceError> {
        self.require_not_cut_off(id).await?;
        Ok(self.store.unrelate(id, object, self.call(actor)).await??)
    }

    /// Lists the live tokens of an object, newest first.
    ///
    /// # Errors
    /// `Store`.
    pub async fn object_tokens(&self, object: &RelatedObject) -> Result<Vec<Token>, ServiceError> {
        let tokens = self.store.object_tokens(object, self.clock.now_ms()).await?;
        Ok(tokens.into_iter().map(|token| self.shown(token)).filter(|token| token.record.is_active).collect())
    }

    /// Revokes the live tokens of an object, one by one. Returns how many were revoked.
    ///
    /// # Errors
    /// `Store`: some may be revoked; calling again revokes the rest.
    pub async fn revoke_object_tokens(
        &self,
        object: &RelatedObject,
        actor: Actor<'_>,
    ) -> Result<usize, ServiceError> {
        Ok(self.store.revoke_object_tokens(object, self.call(actor)).await?.len())
    }
}
