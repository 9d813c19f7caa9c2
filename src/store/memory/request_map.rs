//! The requests with `Idempotency-Key` of a shard.

use std::collections::HashMap;

use crate::model::idempotency::{BodyDigest, IdempotentRequest, REMEMBERED_MS, RequestName};
use crate::store::error::StoreError;
use crate::store::rejection::{Outcome, Rejection};
use crate::token_string::TokenId;

/// The most requests that a shard remembers.
const MAX_PER_SHARD: usize = 4096;

/// A request: its body, the answer if it is kept, and until when.
struct RememberedRequest {
    body: BodyDigest,
    answer: Vec<u8>,
    until_ms: u64,
}

/// The requests of a shard.
#[derive(Default)]
pub(crate) struct Requests {
    /// The remembered requests, by the shard of the request's name.
    claims: HashMap<RequestName, RememberedRequest>,
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

    /// Claims a request for its first sender. Returns the answer that is kept of an earlier one.
    ///
    /// # Errors
    /// `Unavailable` if as many requests are remembered as may be.
    pub(crate) fn claim(
        &mut self,
        request: &IdempotentRequest,
        now_ms: u64,
    ) -> Result<Outcome<Option<Vec<u8>>>, StoreError> {
        match self.claims.get(&request.name).filter(|claim| claim.until_ms > now_ms) {
            Some(claim) if claim.body != request.body => Ok(Err(Rejection::OtherBody)),
            Some(claim) => Ok(Ok(Some(claim.answer.clone()).filter(|answer| !answer.is_empty()))),
            None if self.claims.len() >= MAX_PER_SHARD => Err(StoreError::Unavailable(
                "the embedded store remembers as many requests with Idempotency-Key as it may".into(),
            )),
            None => {
                self.keep(request, &[], now_ms);
                Ok(Ok(None))
            }
        }
    }

    /// Keeps the answer of a request, unless another is kept. Returns the one that is kept.
    pub(crate) fn keep_first(&mut self, request: &IdempotentRequest, answer: &[u8], now_ms: u64) -> Vec<u8> {
        let claim = self.claims.get(&request.name).filter(|claim| claim.until_ms > now_ms);
        match claim.filter(|claim| claim.body == request.body && !claim.answer.is_empty()) {
            Some(claim) => claim.answer.clone(),
            None => {
                self.keep(request, answer, now_ms);
                answer.to_vec()
            }
        }
    }

    fn keep(&mut self, request: &IdempotentRequest, answer: &[u8], now_ms: u64) {
        let claim = RememberedRequest {
            body: request.body,
            answer: answer.to_vec(),
            until_ms: now_ms + REMEMBERED_MS,
        };
        self.claims.insert(request.name, claim);
    }
}
