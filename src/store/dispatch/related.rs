//! Tokens by what they belong to, in the store.

use super::store::Store;
use crate::model::token::{RelatedObject, Token};
use crate::store::call::Call;
use crate::store::error::StoreError;
use crate::store::rejection::Outcome;
use crate::token_string::TokenId;

impl Store {
    /// Lets a token name an object, to be found and ended by it.
    ///
    /// # Errors
    /// `Unavailable`, also when the store is full; `Corrupt`.
    pub async fn relate(
        &self,
        id: TokenId,
        object: &RelatedObject,
        call: impl Into<Call<'_>>,
    ) -> Result<Outcome<()>, StoreError> {
        match self {
            Self::Memory(store) => Ok(store.relate(id, object, &call.into())),
            Self::Redis(store) => store.relate(id, object, &call.into()).await,
        }
    }

    /// Takes an object from a token.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn unrelate(
        &self,
        id: TokenId,
        object: &RelatedObject,
        call: impl Into<Call<'_>>,
    ) -> Result<Outcome<()>, StoreError> {
        match self {
            Self::Memory(store) => Ok(store.unrelate(id, object, &call.into())),
            Self::Redis(store) => store.unrelate(id, object, &call.into()).await,
        }
    }

    /// The live tokens that name an object, newest first.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn object_tokens(&self, object: &RelatedObject, now_ms: u64) -> Result<Vec<Token>, StoreError> {
        match self {
            Self::Memory(store) => Ok(store.object_tokens(object, now_ms)),
            Self::Redis(store) => store.object_tokens(object, now_ms).await,
        }
    }

    /// Ends the live tokens that name an object, one by one. Gives those it ended.
    ///
    /// # Errors
    /// `Unavailable`, and then some may have ended; `Corrupt`, and then all were ended whose records are not.
    pub async fn revoke_object_tokens(
        &self,
        object: &RelatedObject,
        call: impl Into<Call<'_>>,
    ) -> Result<Vec<TokenId>, StoreError> {
        match self {
            Self::Memory(store) => Ok(store.revoke_object_tokens(object, &call.into())),
            Self::Redis(store) => store.revoke_object_tokens(object, &call.into()).await,
        }
    }
}
