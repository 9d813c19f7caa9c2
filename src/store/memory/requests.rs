//! The requests with `Idempotency-Key` of a shard.

use std::collections::HashMap;

use super::memory_store::MemoryStore;
use crate::model::idempotency::{BodyDigest, IdempotentRequest, REMEMBERED_MS, RequestName};
use crate::store::error::StoreError;
use crate::store::rejection::{Outcome, Rejection};
use crate::token_string::TokenId;

/// The most requests that a shard remembers.
const MAX_PER_SHARD: usize = 4096;

/// A request: its body, the answer if it is kept, and until when.
struct Claim {
    body: BodyDigest,
    answer: Vec<u8>,
    until_ms: u64,
}

/// The requests of a shard.
#[derive(Default)]
pub(crate) struct Requests {
    /// By the shard of the request's name.
    claims: HashMap<RequestName, Claim>,
    /// The token that was made, if one was, and until when that is remembered. By the shard of the user.
    done: HashMap<RequestName, (Option<TokenId>, u64)>,
}

impl Requests {
    /// Refuses a request that was done before.
    pub(crate) fn refuse_repeat(&self, name: Option<RequestName>, now_ms: u64) -> Outcome<()> {
        match name.and_then(|name| self.done.get(&name)) {
            Some((token, until_ms)) if *until_ms > now_ms => Err(Rejection::DoneBefore(*token)),
            _ => Ok(()),
        }
    }

    /// Remembers that a request was done, and the token that it made.
    pub(crate) fn remember(&mut self, name: Option<RequestName>, token: Option<TokenId>, now_ms: u64) {
        self.done.extend(name.map(|name| (name, (token, now_ms + REMEMBERED_MS))));
    }

    /// Removes the expired requests.
    pub(crate) fn prune(&mut self, now_ms: u64) {
        self.claims.retain(|_, claim| claim.until_ms > now_ms);
        self.done.retain(|_, (_, until_ms)| *until_ms > now_ms);
    }
}

impl MemoryStore {
    pub(crate) fn claim_request(
        &self,
        request: &IdempotentRequest,
        now_ms: u64,
    ) -> Result<Outcome<Option<Vec<u8>>>, StoreError> {
        let claims = &mut self.shard(request.name.hash_tag()).requests.claims;
        match claims.get(&request.name).filter(|claim| claim.until_ms > now_ms) {
            Some(claim) if claim.body != request.body => Ok(Err(Rejection::OtherBody)),
            Some(claim) => Ok(Ok(Some(claim.answer.clone()).filter(|answer| !answer.is_empty()))),
            None if claims.len() >= MAX_PER_SHARD => Err(StoreError::Unavailable(
                "the embedded store remembers as many requests with Idempotency-Key as it may".into(),
            )),
            None => {
                let claim =
                    Claim { body: request.body, answer: Vec::new(), until_ms: now_ms + REMEMBERED_MS };
                claims.insert(request.name, claim);
                Ok(Ok(None))
            }
        }
    }

    pub(crate) fn keep_answer(&self, request: &IdempotentRequest, answer: &[u8], now_ms: u64) {
        let claim = Claim { body: request.body, answer: answer.to_vec(), until_ms: now_ms + REMEMBERED_MS };
        self.shard(request.name.hash_tag()).requests.claims.insert(request.name, claim);
    }
}
