//! Aliases in the store: the ids of imported tokens, by their foreign strings.

use super::store::Store;
use crate::foreign::ForeignDigest;
use crate::store::call::Call;
use crate::store::error::StoreError;
use crate::token_string::TokenId;

impl Store {
    /// Returns the id of the imported token of this foreign string, if its alias is kept.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn alias(&self, digest: &ForeignDigest, now_ms: u64) -> Result<Option<TokenId>, StoreError> {
        match self {
            Self::Memory(store) => Ok(store.alias(digest, now_ms)),
            Self::Redis(store) => store.alias(digest).await,
        }
    }

    /// Keeps an alias until this time, in place of an earlier one of the digest. An alias whose time is over changes
    /// nothing. Write it after the record of the token: a reader that finds the alias then finds the record, too.
    ///
    /// # Errors
    /// `Unavailable`: writing it again is safe.
    pub async fn put_alias(
        &self,
        digest: &ForeignDigest,
        id: TokenId,
        until_ms: u64,
        call: impl Into<Call<'_>>,
    ) -> Result<(), StoreError> {
        match self {
            Self::Memory(store) => {
                store.put_alias(digest, id, until_ms, &call.into());
                Ok(())
            }
            Self::Redis(store) => store.put_alias(digest, id, until_ms, &call.into()).await,
        }
    }
}
