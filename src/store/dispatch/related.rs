//! Related objects in the store.

use super::store::Store;
use crate::model::token::{RelatedObject, Token};
use crate::store::call::Call;
use crate::store::error::StoreError;
use crate::store::on_store::on_store;
use crate::store::rejection::Outcome;
use crate::token_string::TokenId;

impl Store {
    /// Relates a token to an object. The token can then be found and revoked by the object. Returns the
    /// token's user.
    ///
    /// # Errors
    /// `Unavailable`, also if the store is full; `Corrupt`.
    pub async fn relate(
        &self,
        id: TokenId,
        object: &RelatedObject,
        call: impl Into<Call<'_>>,
    ) -> Result<Outcome<String>, StoreError> {
        on_store!(match self {
            Self::Memory(store) => Ok(store.relate(id, object, &call.into())),
            Self::Redis(store) => {
                store.settled(
                    id.hash_tag(),
                    store.acknowledge(call.into(), async |call| store.relate(id, object, call).await).await?,
                )
            }
        })
    }

    /// Unrelates a token from an object. Returns the token's user.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn unrelate(
        &self,
        id: TokenId,
        object: &RelatedObject,
        call: impl Into<Call<'_>>,
    ) -> Result<Outcome<String>, StoreError> {
        on_store!(match self {
            Self::Memory(store) => Ok(store.unrelate(id, object, &call.into())),
            Self::Redis(store) => {
                store.settled(
                    id.hash_tag(),
                    store
                        .acknowledge(call.into(), async |call| store.unrelate(id, object, call).await)
                        .await?,
                )
            }
        })
    }

    /// Lists the live tokens of an object, newest first.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn object_tokens(&self, object: &RelatedObject, now_ms: u64) -> Result<Vec<Token>, StoreError> {
        on_store!(match self {
            Self::Memory(store) => Ok(store.object_tokens(object, now_ms)),
            Self::Redis(store) => store.object_tokens(object, now_ms).await,
        })
    }

    /// Revokes the live tokens of an object, one by one. Returns those it revoked.
    ///
    /// # Errors
    /// `Unavailable`: some may be revoked. `Corrupt`: all other tokens were revoked.
    pub async fn revoke_object_tokens(
        &self,
        object: &RelatedObject,
        call: impl Into<Call<'_>>,
    ) -> Result<Vec<TokenId>, StoreError> {
        on_store!(match self {
            Self::Memory(store) => Ok(store.revoke_object_tokens(object, &call.into())),
            Self::Redis(store) => {
                let revoked = store
                    .acknowledge(call.into(), async |call| store.revoke_object_tokens(object, call).await)
                    .await?;
                store.require_all_settled().map(|()| revoked)
            }
        })
    }
}
