//! The shared token key: data that has lost it gets it back before it is accepted.
//!
//! A node that starts on data without a token key makes another one, and would refuse every older token as forged.

use redis::aio::MultiplexedConnection;
use redis::{RedisResult, cmd};

use crate::store::redis::cluster::slot_set::SlotSet;
use crate::store::redis::cluster::slots::slot_of_key;
use crate::store::redis::redis_store::RedisStore;

/// The code of Redis's answer to a write while its memory is full.
const FULL: &str = "OOM";

impl RedisStore {
    /// Writes the token key that this node knows into these slots of a master, if they have its place and lack it.
    pub(super) async fn restore_token_key(
        &self,
        connection: &mut MultiplexedConnection,
        slots: &SlotSet,
    ) -> RedisResult<()> {
        let name = self.keys.token_key();
        let is_here = !self.topology.map().is_by_slot() || slots.contains(slot_of_key(name.as_bytes()));
        let Some(key) = self.replay.token_key().filter(|_| is_here) else { return Ok(()) };
        // Reads first: with a full memory, SET is refused even if it would change nothing.
        let present: Option<Vec<u8>> = cmd("GET").arg(&name).query_async(connection).await?;
        if present.is_some() {
            return Ok(());
        }
        match cmd("SET").arg(&name).arg(key.expose()).arg("NX").exec_async(connection).await {
            // The monitor tries again. Nothing else has to wait for it.
            Err(error) if error.code() == Some(FULL) => Ok(()),
            outcome => outcome,
        }
    }
}
