//! Cut-offs: all of them in one hash.

use redis::{Value, cmd};
use serde::Serialize;

use super::script_call::ScriptCall;
use crate::model::cutoff::{Cutoff, CutoffName, CutoffStep, MAX_CUTOFFS, SetCutoff};
use crate::store::call::Call;
use crate::store::error::StoreError;
use crate::store::redis::cluster::pool::Priority;
use crate::store::redis::errors::unexpected;
use crate::store::redis::redis_store::RedisStore;
use crate::store::redis::schema::codec::cutoff as codec;
use crate::store::redis::schema::keys::Keys;
use crate::store::redis::schema::script::Script;
use crate::store::rejection::{Outcome, Rejection};
use crate::store::walk::WALK_LEASE_MS;

impl RedisStore {
    pub(crate) async fn cutoffs(&self) -> Result<Vec<Cutoff>, StoreError> {
        let all = cmd("HGETALL").arg(self.keys.cutoffs()).to_owned();
        let all = self.with_connection_for(Priority::Urgent, async |c| all.query_async(c).await).await?;
        codec::cutoffs(&all)
    }

    pub(crate) async fn set_cutoff(
        &self,
        name: &CutoffName,
        before_ms: u64,
        call: &Call<'_>,
    ) -> Result<Outcome<SetCutoff>, StoreError> {
        #[derive(Serialize)]
        struct Args<'a> {
            name: &'a str,
            before_ms: u64,
            max: usize,
        }
        let name = name.to_string();
        let args = Args { name: &name, before_ms, max: MAX_CUTOFFS };
        let answer: Vec<Value> = self.run_cutoff_script(&self.scripts.set_cutoff, call, &args).await?;
        match answer.as_slice() {
            [Value::Int(status @ 1..=3), Value::BulkString(packed)] => {
                let cutoff = codec::cutoff(&name, packed)?;
                self.remember_cutoff(&cutoff);
                Ok(Ok(SetCutoff { cutoff, is_new: *status == 1 }))
            }
            [Value::Int(4)] => Ok(Err(Rejection::CutoffIsLater)),
            [Value::Int(5)] => Ok(Err(Rejection::TooManyCutoffs)),
            _ => Err(unexpected("set_cutoff")),
        }
    }

    pub(crate) async fn remove_cutoff(&self, name: &CutoffName, call: &Call<'_>) -> Result<bool, StoreError> {
        #[derive(Serialize)]
        struct Args {
            name: String,
            trace_ms: u64,
        }
        let args = Args { name: name.to_string(), trace_ms: self.trace_ms() };
        let is_removed = self.run_cutoff_script(&self.scripts.remove_cutoff, call, &args).await?;
        if is_removed {
            self.remember_removed_cutoff(args.name, call.now_ms);
        }
        Ok(is_removed)
    }

    pub(crate) async fn hold_walk(
        &self,
        walker: &str,
        steps: &[CutoffStep],
        call: &Call<'_>,
    ) -> Result<Option<Vec<Cutoff>>, StoreError> {
        #[derive(Serialize)]
        struct Args<'a> {
            walker: &'a str,
            lease_ms: u64,
            steps: Vec<(String, u64, u64, u64, bool)>,
        }
        let packed = |step: &CutoffStep| {
            (step.name.to_string(), step.before_ms, step.scanned, step.revoked, step.is_last)
        };
        let args = Args { walker, lease_ms: WALK_LEASE_MS, steps: steps.iter().map(packed).collect() };
        match self.run_cutoff_script(&self.scripts.hold_walk, call, &args).await? {
            Value::Nil => Ok(None),
            all => codec::cutoffs(&all).map(Some),
        }
    }

    async fn run_cutoff_script<T: redis::FromRedisValue>(
        &self,
        script: &Script,
        call: &Call<'_>,
        args: &impl Serialize,
    ) -> Result<T, StoreError> {
        let at = (self.keys.cutoffs(), Keys::cutoff_tag());
        self.run_script(ScriptCall::new(script, at, call, args).urgent()).await
    }
}
