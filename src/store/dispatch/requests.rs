//! Requests with `Idempotency-Key` in the store.

use super::store::Store;
use crate::model::idempotency::IdempotentRequest;
use crate::store::error::StoreError;
use crate::store::on_store::on_store;
use crate::store::rejection::Outcome;

impl Store {
    /// Binds the name of a request to its body, for [`REMEMBERED_MS`](crate::model::idempotency::REMEMBERED_MS). Returns the
    /// answer that was kept for a repeat; `OtherBody` if an earlier request of this name had another body.
    ///
    /// # Errors
    /// `Unavailable`, also if the store is full.
    pub async fn claim_request(
        &self,
        request: &IdempotentRequest,
        now_ms: u64,
    ) -> Result<Outcome<Option<Vec<u8>>>, StoreError> {
        on_store!(match self {
            Self::Memory(store) => store.claim_request(request, now_ms),
            Self::Redis(store) => {
                let claimed = store.claim_request(request, now_ms).await?;
                if let Ok(None) = claimed {
                    // Another node may be about to write the answer.
                    store.require_settled(request.name.hash_tag())?;
                }
                Ok(claimed)
            }
        })
    }

    /// Keeps the answer of a request for its repeats. If a repeat at the same time was faster, its answer stays. Returns
    /// the answer that is kept.
    ///
    /// # Errors
    /// `Unavailable`, also if the store is full.
    pub async fn keep_answer(
        &self,
        request: &IdempotentRequest,
        answer: &[u8],
        now_ms: u64,
    ) -> Result<Vec<u8>, StoreError> {
        on_store!(match self {
            Self::Memory(store) => Ok(store.keep_answer(request, answer, now_ms)),
            Self::Redis(store) => store.keep_answer(request, answer, &now_ms.into()).await,
        })
    }
}
