//! Reads of many keys or members, in pieces that each hold the server for a short time.

use std::collections::BTreeMap;

use futures_util::future::try_join_all;
use redis::{Value, cmd, pipe};

use super::script_call::CALLS_AT_ONCE;
use crate::store::error::StoreError;
use crate::store::redis::cluster::pool::Priority;
use crate::store::redis::cluster::slots::slot_of_tag;
use crate::store::redis::errors::answer_text;
use crate::store::redis::redis_store::RedisStore;
use crate::token_string::TokenId;

/// Records read in one pipeline.
pub(crate) const READS_PER_PIPELINE: usize = 256;
/// Members of a sorted set read in one command, about: few enough to hold the server for less than a millisecond.
const MEMBERS_PER_SCAN: usize = 500;

impl RedisStore {
    /// Reads hashes that are in one slot, each as `HGETALL` answers.
    pub(crate) async fn read_hashes(&self, keys: Vec<String>) -> Result<Vec<Value>, StoreError> {
        let mut hashes = Vec::with_capacity(keys.len());
        for chunk in keys.chunks(READS_PER_PIPELINE) {
            let mut pipeline = pipe();
            for key in chunk {
                pipeline.cmd("HGETALL").arg(key);
            }
            let answers: Vec<Value> = self.with_connection(async |c| pipeline.query_async(c).await).await?;
            hashes.extend(answers);
        }
        Ok(hashes)
    }

    /// Reads one hash per token, from any slots, and passes each to `decode`.
    pub(crate) async fn read_hashes_by_id(
        &self,
        ids: impl Iterator<Item = TokenId>,
        key: impl Fn(TokenId) -> String,
        mut decode: impl FnMut(TokenId, Value) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        for some in self.pipelines(ids).chunks(self.pipelines_at_once()) {
            let reads = some.iter().map(|ids| self.read_hashes(ids.iter().map(|id| key(*id)).collect()));
            for (ids, answers) in some.iter().zip(try_join_all(reads).await?) {
                for (id, fields) in ids.iter().zip(answers) {
                    decode(*id, fields)?;
                }
            }
        }
        Ok(())
    }

    /// Reads the members of a sorted set with their scores. A member that comes or goes meanwhile may or may not be found.
    pub(crate) async fn scan_set(
        &self,
        priority: Priority,
        key: String,
    ) -> Result<BTreeMap<String, Value>, StoreError> {
        let (mut found, mut cursor) = (BTreeMap::new(), 0_u64);
        loop {
            let scan = cmd("ZSCAN").arg(&key).arg(cursor).arg("COUNT").arg(MEMBERS_PER_SCAN).to_owned();
            let (next, some): (u64, Vec<(Vec<u8>, Value)>) =
                self.with_connection_for(priority, async |c| scan.query_async(c).await).await?;
            for (member, score) in some {
                found.insert(answer_text(member, "index")?, score);
            }
            cursor = next;
            if cursor == 0 {
                return Ok(found);
            }
        }
    }

    /// Returns how many pipelines of a listing may be under way: one to the only master, or several to different masters.
    pub(crate) fn pipelines_at_once(&self) -> usize {
        if self.topology.map().is_by_slot() { CALLS_AT_ONCE } else { 1 }
    }

    /// Divides ids into pipelines, each of one slot on a Cluster.
    pub(crate) fn pipelines(&self, ids: impl Iterator<Item = TokenId>) -> Vec<Vec<TokenId>> {
        let is_by_slot = self.topology.map().is_by_slot();
        let mut by_slot: BTreeMap<u16, Vec<TokenId>> = BTreeMap::new();
        for id in ids {
            let slot = if is_by_slot { slot_of_tag(id.hash_tag()) } else { 0 };
            by_slot.entry(slot).or_default().push(id);
        }
        by_slot.values().flat_map(|ids| ids.chunks(READS_PER_PIPELINE).map(<[_]>::to_vec)).collect()
    }
}
