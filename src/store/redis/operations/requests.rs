//! Requests with `Idempotency-Key`.

use redis::cmd;
use serde::Serialize;

use super::script_call::ScriptCall;
use crate::model::idempotency::{BodyDigest, IdempotentRequest, REMEMBERED_MS, RequestName};
use crate::store::call::Call;
use crate::store::error::StoreError;
use crate::store::redis::errors::unexpected;
use crate::store::redis::redis_store::RedisStore;
use crate::store::rejection::{Outcome, Rejection};
use crate::token_string::{HashTag, TokenId};

/// A request as lua/shared/once.lua takes it.
#[derive(Serialize)]
pub(crate) struct OnceArgs {
    name: String,
    made: String,
    ttl_ms: u64,
}

impl RedisStore {
    /// Returns the request of a call with a name, for its script. `token` is the token that the request makes, if it makes one.
    ///
    /// # Errors
    /// `Unavailable` while another node may be about to write that the request was done.
    pub(crate) fn once_args(
        &self,
        call: &Call<'_>,
        hash_tag: HashTag,
        token: Option<TokenId>,
    ) -> Result<Option<OnceArgs>, StoreError> {
        let Some(name) = call.once else { return Ok(None) };
        self.require_settled(hash_tag)?;
        let made = token.map(|id| id.to_string()).unwrap_or_default();
        Ok(Some(OnceArgs { name: name.text(), made, ttl_ms: REMEMBERED_MS }))
    }

    pub(crate) async fn claim_request(
        &self,
        request: &IdempotentRequest,
        now_ms: u64,
    ) -> Result<Outcome<Option<Vec<u8>>>, StoreError> {
        let mut set = cmd("SET");
        set.arg(self.keys.request(request.name)).arg(request.body.as_bytes());
        set.arg("NX").arg("GET").arg("PX").arg(REMEMBERED_MS);
        let earlier: Option<Vec<u8>> = self.with_connection(async |c| set.query_async(c).await).await?;
        let Some(mut body) = earlier else {
            self.remember_request(request, &[], now_ms);
            return Ok(Ok(None));
        };
        if body.len() < BodyDigest::BYTES {
            return Err(unexpected("a request"));
        }
        let answer = body.split_off(BodyDigest::BYTES);
        if body != request.body.as_bytes() {
            return Ok(Err(Rejection::OtherBody));
        }
        Ok(Ok(Some(answer).filter(|answer| !answer.is_empty())))
    }

    pub(crate) async fn keep_answer(
        &self,
        request: &IdempotentRequest,
        answer: &[u8],
        call: &Call<'_>,
    ) -> Result<Vec<u8>, StoreError> {
        #[derive(Serialize)]
        struct Args {
            name: String,
            ttl_ms: u64,
        }
        let at = (self.keys.request(request.name), request.name.hash_tag());
        let args = Args { name: request.name.text(), ttl_ms: REMEMBERED_MS };
        let script_call = ScriptCall::new(&self.scripts.keep_answer, at, call, &args);
        let kept: Vec<u8> =
            self.run_script(script_call.with_bytes([request.body.as_bytes(), answer])).await?;
        self.remember_request(request, &kept, call.now_ms);
        Ok(kept)
    }

    /// Returns the rejection of a request that a script found to be done before.
    pub(crate) async fn done_before(
        &self,
        hash_tag: HashTag,
        name: Option<RequestName>,
    ) -> Result<Rejection, StoreError> {
        let name = name.ok_or_else(|| unexpected("a script"))?;
        let get = cmd("GET").arg(self.keys.done_request(hash_tag, name)).to_owned();
        let made: Option<String> = self.with_connection(async |c| get.query_async(c).await).await?;
        Ok(Rejection::DoneBefore(made.and_then(|made| TokenId::parse(&made))))
    }
}
