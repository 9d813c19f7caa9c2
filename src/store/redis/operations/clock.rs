//! Reads the masters' clocks.

use std::time::Duration;

use futures_util::future::join_all;
use redis::pipe;

use crate::store::error::StoreError;
use crate::store::redis::cluster::master_map::Master;
use crate::store::redis::cluster::pool::Priority;
use crate::store::redis::redis_store::RedisStore;
use crate::store::redis::store_clock::estimate::Reading;

/// The pause before a clock that seems to have jumped is read again.
const SECOND_READING_AFTER: Duration = Duration::from_millis(200);

impl RedisStore {
    /// Checks that every master takes writes, reads its clock, and follows the clocks. (A PING would not do: a replica and a
    /// cluster without quorum answer it.)
    ///
    /// # Errors
    /// `Unavailable`, also if it concerns a single master, or if a master's clock is wrong.
    pub(crate) async fn probe(&self) -> Result<(), StoreError> {
        if self.topology.map().masters.is_empty() {
            self.topology.refresh().await;
        }
        let outcome = self.follow_clocks().await;
        if !self.near.store_clock.estimator().suspects_a_jump() {
            return outcome;
        }
        tokio::time::sleep(SECOND_READING_AFTER).await;
        self.follow_clocks().await
    }

    async fn follow_clocks(&self) -> Result<(), StoreError> {
        let masters = self.masters_with_tokens();
        let outcomes = join_all(masters.iter().map(|master| self.read_clock(master))).await;
        let (mut readings, mut failure) = (Vec::with_capacity(masters.len()), None);
        for (master, outcome) in masters.iter().zip(outcomes) {
            match outcome {
                Ok(reading) => readings.push((&master.address, reading)),
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        let followed = self.near.store_clock.follow(&readings, masters.len());
        if masters.is_empty() {
            return Err(StoreError::Unavailable(self.topology.why_unknown()));
        }
        failure.map_or(followed, Err)
    }

    /// Reads the clock of a master, after a write that changes nothing.
    async fn read_clock(&self, master: &Master) -> Result<Reading, StoreError> {
        let mut pipeline = pipe();
        pipeline.cmd("DEL").arg(master.probe()).ignore().cmd("TIME");
        let sent_us = self.near.clock.boottime_us();
        let ((seconds, micros),): ((u64, u64),) =
            self.connections.run(Priority::Urgent, async |c| pipeline.query_async(c).await).await?;
        let answered_us = self.near.clock.boottime_us();
        Ok(Reading::new(seconds.saturating_mul(1_000_000).saturating_add(micros), sent_us, answered_us))
    }
}
