//! Looks at the masters' clocks.

use crate::store::error::StoreError;
use crate::store::redis::cluster::master::Master;
use crate::store::redis::cluster::pool::Priority;
use crate::store::redis::redis_store::RedisStore;
use crate::store::redis::store_clock::estimate::Reading;
use futures_util::future::join_all;
use redis::pipe;
use std::time::Duration;

/// The pause before a second look at a clock that seems to have jumped.
pub const SECOND_LOOK_AFTER: Duration = Duration::from_millis(200);

impl RedisStore {
    /// Reads the clock of every master and follows them, after each has shown that it takes writes (a replica and a
    /// cluster without quorum answer a PING).
    ///
    /// # Errors
    /// `Unavailable`, also when a single master is, or when its clock is off.
    pub(crate) async fn look_at_clocks(&self) -> Result<(), StoreError> {
        let looked = self.look_at_clocks_once().await;
        if !self.node_cache.store_clock.estimator().suspects_a_jump() {
            return looked;
        }
        tokio::time::sleep(SECOND_LOOK_AFTER).await;
        self.look_at_clocks_once().await
    }

    async fn look_at_clocks_once(&self) -> Result<(), StoreError> {
        let map = self.topology.map().clone();
        let masters: Vec<_> = map.masters.iter().filter(|master| master.may_have_tokens()).collect();
        let outcomes = join_all(masters.iter().map(|master| self.read_clock(master))).await;
        let (mut readings, mut failure) = (Vec::with_capacity(masters.len()), None);
        for (master, outcome) in masters.iter().zip(outcomes) {
            match outcome {
                Ok(reading) => readings.push((&master.address, reading)),
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        let followed = self.node_cache.store_clock.follow(&readings, masters.len());
        if masters.is_empty() {
            return Err(StoreError::Unavailable(self.topology.why_unknown()));
        }
        failure.map_or(followed, Err)
    }

    /// Reads the clock of a master, and deletes the key of it that is never there.
    async fn read_clock(&self, master: &Master) -> Result<Reading, StoreError> {
        let mut pipeline = pipe();
        pipeline.cmd("DEL").arg(master.probe()).ignore().cmd("TIME");
        let sent_us = self.node_cache.clock.boottime_us();
        let ((seconds, micros),): ((u64, u64),) =
            self.connections.run(Priority::Urgent, async |c| pipeline.query_async(c).await).await?;
        let answered_us = self.node_cache.clock.boottime_us();
        Ok(Reading::new(seconds.saturating_mul(1_000_000).saturating_add(micros), sent_us, answered_us))
    }
}
