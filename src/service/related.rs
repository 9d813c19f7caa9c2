//! Related objects: relate, unrelate, find tokens by their object, end them by it.

use super::core::Service;
use super::error::ServiceError;
use super::tokens::check_object;
use crate::model::event::Actor;
use crate::model::token::{RelatedObject, Token};
use crate::token_string::TokenId;

impl Service {
    /// Relates a token to an object. Doing it twice is no error.
    ///
    /// # Errors
    /// `Invalid`, `NotFound`, `Ended`, `TooManyObjects`, `ObjectFull`, `Store`.
    pub async fn relate(
        &self,
        id: TokenId,
        object: &RelatedObject,
        actor: Actor<'_>,
    ) -> Result<(), ServiceError> {
        check_object(object)?;
        Ok(self.store.relate(id, object, self.call(actor)).await??)
    }

    /// Takes an object from a token. That it was not related is no error.
    ///
    /// # Errors
    /// `NotFound`, `Ended`, `Store`.
    pub async fn unrelate(
        &self,
        id: TokenId,
        object: &RelatedObject,
        actor: Actor<'_>,
    ) -> Result<(), ServiceError> {
        Ok(self.store.unrelate(id, object, self.call(actor)).await??)
    }

    /// The live tokens related to an object, newest first.
    ///
    /// # Errors
    /// `Store`.
    pub async fn object_tokens(&self, object: &RelatedObject) -> Result<Vec<Token>, ServiceError> {
        Ok(self.store.object_tokens(object, self.clock.now_ms()).await?)
    }

    /// Ends the live tokens related to an object, one by one. Gives how many it ended.
    ///
    /// # Errors
    /// `Store`; then some may have ended.
    pub async fn revoke_object_tokens(
        &self,
        object: &RelatedObject,
        actor: Actor<'_>,
    ) -> Result<usize, ServiceError> {
        Ok(self.store.revoke_object_tokens(object, self.call(actor)).await?.len())
    }
}
