//! Signs of long merges: a node that merges says so in the master's data, and the other nodes settle for longer.
//!
//! Without it, another node would refuse a login that is about to be written, if a merge takes longer than `REPLAY_SETTLE`.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use redis::aio::MultiplexedConnection;
use redis::cmd;

use super::merge::AT_ONCE;
use super::settling::REPLAY_SETTLE;
use crate::store::redis::cluster::master::Master;
use crate::store::redis::cluster::slot_set::SlotSet;
use crate::store::redis::cluster::slots::{SLOTS, hash_tag_in_slot};
use crate::store::redis::redis_store::RedisStore;

/// A merge that has taken so long gets a sign. A merge of many changes has one from the start.
const SHORT_MERGE: Duration = Duration::from_millis(500);
/// The pause between two renewals of a sign, which is kept for `REPLAY_SETTLE`.
const RENEWAL: Duration = Duration::from_secs(1);
/// A node that settles looks for signs from so long before the end on.
const LAST_LOOKS: Duration = Duration::from_secs(1);
/// The pause between two looks, and the longest wait for an answer.
const LOOK: Duration = Duration::from_millis(250);

impl RedisStore {
    /// Runs a merge into these slots of a master, to which `connection` leads, and keeps a sign of it there meanwhile.
    pub(super) async fn with_sign<T>(
        &self,
        connection: &MultiplexedConnection,
        slots: &SlotSet,
        merge: impl Future<Output = T>,
    ) -> T {
        let sign = async {
            match self.sign_key(slots) {
                Some(key) => self.keep_sign(connection.clone(), &key).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            // The first sign comes before the first call.
            biased;
            never = sign => match never {},
            merged = merge => merged,
        }
    }

    async fn keep_sign(&self, mut connection: MultiplexedConnection, key: &str) -> Infallible {
        if self.replay.size().changes <= AT_ONCE {
            tokio::time::sleep(SHORT_MERGE).await;
        }
        loop {
            let mut set = cmd("SET");
            set.arg(key).arg("").arg("PX").arg(REPLAY_SETTLE.as_millis() as u64);
            // Without it, other nodes settle for as short as ever.
            let _ = set.exec_async(&mut connection).await;
            tokio::time::sleep(RENEWAL).await;
        }
    }

    /// Returns the key of the sign in these slots; `None` if no token can be in them.
    fn sign_key(&self, slots: &SlotSet) -> Option<String> {
        let own = (0..SLOTS as u16).filter(|slot| slots.contains(*slot));
        own.filter_map(hash_tag_in_slot).next().map(|tag| self.keys.merging_at(&tag))
    }

    /// Settles for longer where other nodes merge. Ends with its runtime.
    pub(super) async fn look_for_signs(&self) -> Infallible {
        loop {
            tokio::time::sleep(LOOK).await;
            let now_ms = self.node_cache.clock.boottime_ms();
            let ends_soon = |master: &Arc<Master>| {
                let left_ms = master.data.settles_for_ms(now_ms);
                (1..=LAST_LOOKS.as_millis() as u64).contains(&left_ms)
            };
            let masters: Vec<_> = self.masters_with_tokens().into_iter().filter(ends_soon).collect();
            join_all(masters.iter().map(|master| self.look_for_sign(master))).await;
        }
    }

    async fn look_for_sign(&self, master: &Arc<Master>) {
        let Some(key) = self.sign_key(&self.topology.map().slots_of(master)) else { return };
        let get = cmd("GET").arg(key).to_owned();
        let look = self.with_connection::<Option<Vec<u8>>>(async |c| get.query_async(c).await);
        // No answer is no reason to refuse anything.
        let is_merging = !matches!(tokio::time::timeout(LOOK, look).await, Ok(Ok(None)));
        if is_merging {
            let until_ms = self.node_cache.clock.boottime_ms() + REPLAY_SETTLE.as_millis() as u64;
            master.data.settle_longer(until_ms);
        }
    }
}
