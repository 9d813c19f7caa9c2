//! Requests with `Idempotency-Key`.

use super::core::Service;
use super::error::ServiceError;
use crate::model::idempotency::{IdempotentRequest, MAX_KEPT_ANSWER};

impl Service {
    /// Binds the name of a request to its body, before the request is done. Returns the answer that was kept for a repeat.
    ///
    /// # Errors
    /// `OtherBody`, `Store`.
    pub async fn claim_request(&self, request: &IdempotentRequest) -> Result<Option<Vec<u8>>, ServiceError> {
        Ok(self.store.claim_request(request, self.clock.now_ms()).await??)
    }

    /// Keeps the answer of a request for its repeats, and returns the answer to give: that of a repeat at the same time which
    /// was faster, else this one. A longer answer than [`MAX_KEPT_ANSWER`] is not kept: a repeat is done again then.
    ///
    /// # Errors
    /// `Store`.
    pub async fn keep_answer(
        &self,
        request: &IdempotentRequest,
        answer: Vec<u8>,
    ) -> Result<Vec<u8>, ServiceError> {
        if answer.len() > MAX_KEPT_ANSWER {
            return Ok(answer);
        }
        Ok(self.store.keep_answer(request, &answer, self.clock.now_ms()).await?)
    }
}
