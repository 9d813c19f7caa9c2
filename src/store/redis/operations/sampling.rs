//! Estimates how many live tokens there are, from random keys of each master: the store is not walked.

use std::collections::BTreeSet;

use futures_util::future::try_join_all;
use redis::aio::{ConnectionLike as _, MultiplexedConnection};
use redis::{RedisError, Value, cmd, pipe};

use crate::store::error::StoreError;
use crate::store::live_tokens::LiveTokens;
use crate::store::redis::cluster::master::Master;
use crate::store::redis::errors::store_error;
use crate::store::redis::redis_store::RedisStore;
use crate::store::redis::schema::codec::token::stored::is_active;

/// The keys that are drawn of each master: about 0.3 ms of its time.
const SAMPLED_KEYS: usize = 400;
/// A master with at most so many keys is counted.
const COUNTED_KEYS: u64 = 400;
/// More keys than that have come meanwhile if this many scans do not reach the end.
const SCANS: usize = 4;

impl RedisStore {
    /// Estimates the number of live tokens: of each master, the number of its keys times the share of live tokens among some
    /// that are drawn at random. The tokens of a master with few keys are counted.
    pub(crate) async fn sample_live_tokens(&self, now_ms: u64) -> Result<LiveTokens, StoreError> {
        self.topology.gate.check()?;
        self.node_cache.store_clock.require_known()?;
        let masters = self.masters_with_tokens();
        if masters.is_empty() {
            return Err(StoreError::Unavailable(self.topology.why_unknown()));
        }
        let samples = masters.iter().map(|master| self.sample_master(master, now_ms));
        let samples = try_join_all(samples).await.map_err(store_error)?;
        Ok(samples.into_iter().fold(LiveTokens::default(), LiveTokens::and))
    }

    async fn sample_master(&self, master: &Master, now_ms: u64) -> Result<LiveTokens, RedisError> {
        // A connection of its own, because a pool's connection goes where a key is. It is closed afterwards: samples are rare.
        let mut connection = self.topology.connector.connect(&master.address).await?;
        let count = cmd("DBSIZE").query_async(&mut connection).await?;
        if count <= COUNTED_KEYS {
            let keys = all_keys(&mut connection).await?;
            let live = self.count_live(&mut connection, keys.iter(), now_ms).await?;
            return Ok(LiveTokens::counted(live, keys.len() as u64));
        }
        let mut draws = pipe();
        for _ in 0..SAMPLED_KEYS {
            draws.cmd("RANDOMKEY");
        }
        let drawn: Vec<Option<Vec<u8>>> = draws.query_async(&mut connection).await?;
        let sampled = drawn.iter().flatten().count() as u64;
        let live = self.count_live(&mut connection, drawn.iter().flatten(), now_ms).await?;
        Ok(LiveTokens::estimated(count, live, sampled))
    }

    /// Counts the live tokens among these keys; a key that is there twice counts twice.
    async fn count_live<'a>(
        &self,
        connection: &mut MultiplexedConnection,
        keys: impl Iterator<Item = &'a Vec<u8>>,
        now_ms: u64,
    ) -> Result<u64, RedisError> {
        let mut reads = pipe();
        for key in keys.filter(|key| self.keys.token_id(key).is_some()) {
            reads.cmd("HMGET").arg(key).arg("f").arg("x");
        }
        let count = reads.len();
        if count == 0 {
            return Ok(0);
        }
        // One by one: a slot may have moved meanwhile, or a key may be of another type. Such a key is no live token.
        let answers = connection.req_packed_commands(&reads, 0, count).await?;
        Ok(answers.iter().filter(|answer| is_live(answer, now_ms)).count() as u64)
    }
}

fn is_live(flags_and_expiry: &Value, now_ms: u64) -> bool {
    match redis::from_redis_value_ref(flags_and_expiry) {
        Ok((Some(flags), Some(expires_at_ms))) => is_active(flags) && now_ms < expires_at_ms,
        _ => false,
    }
}

/// Reads the names of all keys, which are few.
async fn all_keys(connection: &mut MultiplexedConnection) -> Result<BTreeSet<Vec<u8>>, RedisError> {
    let (mut keys, mut cursor) = (BTreeSet::new(), 0_u64);
    for _ in 0..SCANS {
        let scan = cmd("SCAN").arg(cursor).arg("COUNT").arg(COUNTED_KEYS).to_owned();
        let (next, some): (u64, Vec<Vec<u8>>) = scan.query_async(connection).await?;
        keys.extend(some);
        cursor = next;
        if cursor == 0 {
            break;
        }
    }
    Ok(keys)
}
