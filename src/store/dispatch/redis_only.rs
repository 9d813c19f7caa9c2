//! Facts that only the Redis store has.

use super::store::Store;
use crate::store::check_up::CheckUp;
use crate::store::redis::counters::RedisCounters;
use crate::store::redis::replay::memory::{MergeTotals, ReplaySize};
use crate::store::redis::replay::settling::WaitingMasters;
use crate::values::RedisDeployment;

impl Store {
    /// Examines the Redis of this deployment for a person, without any change there. `None` for the embedded store.
    pub async fn check_up(&self, deployment: &RedisDeployment) -> Option<CheckUp> {
        match self {
            Self::Memory(_) => None,
            Self::Redis(store) => Some(store.check_up(deployment).await),
        }
    }

    /// How much this node remembers of acknowledged changes, what it has merged, and what it waits for; `None` on the embedded
    /// store.
    pub fn replay_stats(&self) -> Option<(ReplaySize, MergeTotals, WaitingMasters)> {
        match self {
            Self::Memory(_) => None,
            Self::Redis(store) => {
                Some((store.replay.size(), store.replay.merge_totals(), store.waiting_masters()))
            }
        }
    }

    /// The counters of the connections to Redis; `None` on the embedded store.
    pub fn redis_counters(&self) -> Option<&RedisCounters> {
        match self {
            Self::Memory(_) => None,
            Self::Redis(store) => Some(&store.topology.counters),
        }
    }
}
