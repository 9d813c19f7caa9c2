//! Reads the masters' clocks.

use std::time::Duration;

use futures_util::future::join_all;
use redis::pipe;

use crate::store::error::StoreError;
use crate::store::redis::cluster::address::ServerAddress;
use crate::store::redis::cluster::master::Master;
use crate::store::redis::cluster::pool::{Priority, Sharing};
use crate::store::redis::inspection::faults;
use crate::store::redis::redis_store::RedisStore;
use crate::store::redis::store_clock::estimate::Reading;
use crate::store::report::Fault;

/// The pause before a clock that seems to have jumped is read again.
const SECOND_READING_AFTER: Duration = Duration::from_millis(200);

impl RedisStore {
    /// Checks that every master takes writes, reads its clock, and follows the clocks. (A PING would not do: a replica and a
    /// cluster without quorum answer it.)
    ///
    /// # Errors
    /// `Unavailable`, also if it concerns a single master, or if a master's clock is wrong.
    pub(crate) async fn probe(&self) -> Result<(), StoreError> {
        let (outcome, faults) = self.probe_clocks().await;
        match faults.into_iter().find(|fault| fault.kind.is_fatal()) {
            Some(fault) => outcome.and(Err(StoreError::Unavailable(fault.cause))),
            None => outcome,
        }
    }

    /// Probes as [`RedisStore::probe`] does, but returns the faults of the clocks apart from the outcome.
    pub(crate) async fn probe_clocks(&self) -> (Result<(), StoreError>, Vec<Fault>) {
        if self.topology.map().masters.is_empty() {
            self.topology.refresh().await;
        }
        let found = self.follow_clocks().await;
        if !self.node_cache.store_clock.estimator().suspects_a_jump() {
            return found;
        }
        tokio::time::sleep(SECOND_READING_AFTER).await;
        self.follow_clocks().await
    }

    async fn follow_clocks(&self) -> (Result<(), StoreError>, Vec<Fault>) {
        let masters = self.masters_with_tokens();
        if masters.is_empty() {
            return (Err(StoreError::Unavailable(self.topology.why_unknown())), Vec::new());
        }
        let outcomes = join_all(masters.iter().map(|master| self.read_clock(master))).await;
        let (mut readings, mut failure) = (Vec::with_capacity(masters.len()), None);
        for (master, outcome) in masters.iter().zip(outcomes) {
            match outcome {
                Ok(reading) => readings.push((&master.address, reading)),
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        let followed = self.node_cache.store_clock.follow(&readings, masters.len());
        (failure.map_or(followed, Err), self.clock_faults(&readings))
    }

    fn clock_faults(&self, readings: &[(&ServerAddress, Reading)]) -> Vec<Fault> {
        let clock = &self.node_cache.store_clock;
        let off = readings.iter().filter_map(|(master, reading)| {
            Some(faults::master_clock(master, clock.is_off_by_ms(*reading)?))
        });
        let first = readings.first();
        let system =
            first.and_then(|(master, _)| Some(faults::system_clock(master, clock.system_is_off_by_ms()?)));
        off.chain(system).collect()
    }

    /// Reads the clock of a master, after a write that changes nothing.
    async fn read_clock(&self, master: &Master) -> Result<Reading, StoreError> {
        let mut pipeline = pipe();
        pipeline.cmd("DEL").arg(master.probe()).ignore().cmd("TIME");
        let sent_us = self.node_cache.clock.boottime_us();
        let ((seconds, micros),): ((u64, u64),) = self
            .connections
            .run(Priority::Urgent, Sharing::Own, async |c| pipeline.query_async(c).await)
            .await?;
        let answered_us = self.node_cache.clock.boottime_us();
        Ok(Reading::new(seconds.saturating_mul(1_000_000).saturating_add(micros), sent_us, answered_us))
    }
}
