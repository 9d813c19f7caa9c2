//! Requests with `Idempotency-Key`. The hash tag of a request's name decides its shard.

use super::memory_store::MemoryStore;
use crate::model::idempotency::IdempotentRequest;
use crate::store::error::StoreError;
use crate::store::rejection::Outcome;

impl MemoryStore {
    pub(crate) fn claim_request(
        &self,
        request: &IdempotentRequest,
        now_ms: u64,
    ) -> Result<Outcome<Option<Vec<u8>>>, StoreError> {
        self.shard(request.name.hash_tag()).requests.claim(request, now_ms)
    }

    pub(crate) fn keep_answer(&self, request: &IdempotentRequest, answer: &[u8], now_ms: u64) -> Vec<u8> {
        self.shard(request.name.hash_tag()).requests.keep_first(request, answer, now_ms)
    }
}
