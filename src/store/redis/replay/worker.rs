//! Accepting the data of masters: merges what is remembered into it first.
//!
//! | state of a master's data | what ends it |
//! |---|---|
//! | unknown: no connection may use it | a connection meets it and starts an attempt |
//! | being merged into: its connections wait | the merge is done and the data is still the same |
//! | accepted: it is used | a heartbeat finds other data, or the server is no longer a master |
//!
//! Other nodes merge at the same time. For `REPLAY_SETTLE` after this node has accepted other data than before, and as long as
//! another node says that it still merges (`merge_sign`), what it does not find may be what another node is about to write:
//! such an answer is an error and no refusal.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::future::join_all;
use redis::aio::MultiplexedConnection;

use super::merge_counts::MergeCounts;
use super::merged::Merged;
use super::settling::{LONGEST_SETTLE, REPLAY_SETTLE};
use crate::store::redis::cluster::address::ServerAddress;
use crate::store::redis::cluster::authority;
use crate::store::redis::cluster::data_identity::DataIdentity;
use crate::store::redis::cluster::master::Master;
use crate::store::redis::cluster::master_data::AcceptanceAttempt;
use crate::store::redis::cluster::slot_set::SlotSet;
use crate::store::redis::cluster::slots::slot_of_tag;
use crate::store::redis::errors::described;
use crate::store::redis::redis_store::RedisStore;
use crate::store::redis::schema::keys::Keys;

/// The longest that a merge waits for one answer: longer than `redis-timeout`, because a merge that is given up begins
/// again from its start.
const MERGE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long after a merge messages of a former master may still arrive.
const LATE_MESSAGES: Duration = Duration::from_secs(1);
/// The pause between two looks at the data of a master, if no tracking connection looks at it.
const BEAT: Duration = Duration::from_millis(500);

/// A master's data that this node may accept.
struct MergedData {
    identity: Arc<DataIdentity>,
    /// The slots into which this node has merged.
    slots: SlotSet,
    merged: Merged,
}

/// The connection over which the data of a master is looked at, and the data that it was opened to.
type Watched = (MultiplexedConnection, Arc<DataIdentity>);

impl RedisStore {
    /// Makes one attempt to accept the data of a master.
    pub(crate) async fn accept(&self, master: &Arc<Master>, attempt: AcceptanceAttempt) {
        let began_ms = self.node_cache.clock.boottime_ms();
        match self.merge_into(master).await {
            Ok(data) => {
                let took_ms = self.node_cache.clock.boottime_ms() - began_ms;
                self.accept_merged(master, attempt, &data, took_ms);
                self.remove_entries_made_stale(&data.merged, self.node_cache.clock.now_ms()).await;
                self.merge_late_endings(master, &data, began_ms).await;
            }
            Err(reason) => {
                tracing::debug!(reason, master = %master.address, "redis data not accepted");
                attempt.fail(reason);
            }
        }
    }

    /// Accepts data at once if nothing is remembered, and no message of a former master may come. Otherwise returns the attempt.
    pub(crate) fn accept_unmerged(
        &self,
        master: &Arc<Master>,
        identity: &Arc<DataIdentity>,
        attempt: AcceptanceAttempt,
    ) -> Option<AcceptanceAttempt> {
        let map = self.topology.map();
        let is_gone = master.may_have_tokens() && !map.contains(master);
        let may_hear = self.replay.is_on() && attempt.is_change(identity);
        if is_gone || may_hear || !self.replay.is_empty() {
            return Some(attempt);
        }
        let (identity, slots) = (identity.clone(), map.slots_of(master));
        let data = MergedData { identity, slots, merged: Merged::default() };
        self.accept_merged(master, attempt, &data, 0);
        None
    }

    fn accept_merged(
        &self,
        master: &Arc<Master>,
        attempt: AcceptanceAttempt,
        data: &MergedData,
        took_ms: u64,
    ) {
        let is_change = attempt.is_change(&data.identity);
        let settles = is_change && self.replay.is_on() && self.may_others_remember();
        if settles {
            // Before the first answer.
            let end_ms = |of: Duration| self.node_cache.clock.boottime_ms() + of.as_millis() as u64;
            master.data.settle(end_ms(REPLAY_SETTLE), end_ms(LONGEST_SETTLE));
        }
        let has_cutoffs = is_change && self.has_cutoffs(&data.slots);
        if has_cutoffs {
            self.cutoff_data.fetch_add(1, Ordering::SeqCst);
        }
        attempt.accept(&data.identity, data.slots.clone());
        if has_cutoffs {
            self.feed.read_cutoffs_again();
        }
        self.replay.note_merge(data.merged.counts, took_ms);
        if is_change {
            let MergeCounts { sent, revoked, ended, recreated, changed, moved, failed } = data.merged.counts;
            let master = &master.address;
            tracing::info!(
                %master, sent, revoked, ended, recreated, changed, moved, failed, took_ms, settles, "redis data accepted"
            );
        }
    }

    fn has_cutoffs(&self, slots: &SlotSet) -> bool {
        !self.topology.map().is_by_slot() || slots.contains(slot_of_tag(Keys::cutoff_tag()))
    }

    /// Whether another node may remember what this one does not. A server of a Cluster counts only its own subscribers.
    fn may_others_remember(&self) -> bool {
        self.topology.is_cluster() || self.peers.may_remember()
    }

    /// Merges what is remembered into the data of a master.
    async fn merge_into(&self, master: &Arc<Master>) -> Result<MergedData, String> {
        self.topology.gate.check().map_err(|error| error.to_string())?;
        let known = self.known_master(master).await?;
        let slots = known.as_ref().map(|known| self.topology.map().slots_of(known)).unwrap_or_default();
        let mut connection = self.topology.connector.connect(&master.address).await.map_err(described)?;
        let identity = master.data.ask(&mut connection).await.map_err(described)?;
        if let Some(known) = known {
            authority::prove(&known, &mut connection, true).await?;
        }
        self.restore_token_key(&mut connection, &slots).await.map_err(described)?;
        let merged = self.merge_slots(&mut connection, &slots).await?;
        match identity.lasts(&mut connection).await.map_err(described)? {
            true => Ok(MergedData { identity, slots, merged }),
            false => Err("the server has other data by now".into()),
        }
    }

    /// Returns the master of the map at the address of `master`, to which a redirect may have led. `None` for a server that
    /// is about to get its first slot.
    async fn known_master(&self, master: &Arc<Master>) -> Result<Option<Arc<Master>>, String> {
        if self.topology.map().contains(master) {
            return Ok(Some(master.clone()));
        }
        if master.may_have_tokens() {
            return Err("the server is not a master any more".into());
        }
        self.topology.refresh().await;
        match self.topology.failure_reason() {
            Some(reason) => Err(reason),
            None => Ok(self.topology.map().at(&master.address).cloned()),
        }
    }

    async fn merge_slots(
        &self,
        connection: &mut MultiplexedConnection,
        slots: &SlotSet,
    ) -> Result<Merged, String> {
        if self.replay.is_empty() {
            return Ok(Merged::default());
        }
        connection.set_response_timeout(MERGE_TIMEOUT.max(self.timeout()));
        let (now_ms, signed) = (self.node_cache.clock.now_ms(), connection.clone());
        let is_in = |slot| slots.contains(slot);
        self.with_sign(&signed, slots, self.merge_remembered(connection, &is_in, now_ms))
            .await
            .map_err(described)
    }

    /// Merges the endings of which this node has heard since a merge began: the last messages of a former master may arrive
    /// after that.
    async fn merge_late_endings(&self, master: &Arc<Master>, data: &MergedData, since_ms: u64) {
        tokio::time::sleep(LATE_MESSAGES).await;
        if !data.identity.is_accepted() {
            return;
        }
        let merge = async {
            let mut connection = self.topology.connector.connect(&master.address).await.map_err(described)?;
            let times = (since_ms, self.node_cache.clock.now_ms());
            let merged =
                self.merge_endings_since(&mut connection, |slot| data.slots.contains(slot), times).await;
            match data.identity.lasts(&mut connection).await {
                Ok(true) => merged.map_err(described),
                Ok(false) => Err("the server has other data by now".into()),
                Err(error) => Err(described(error)),
            }
        };
        match merge.await {
            Ok(merged) => self.remove_entries_made_stale(&merged, self.node_cache.clock.now_ms()).await,
            Err(reason) => {
                tracing::debug!(reason, master = %master.address, "late endings not merged");
                // The data is merged into as a whole when it is accepted again.
                master.data.renounce();
            }
        }
    }

    /// Runs the worker that merges into slots which move to a master, without a near cache looks at the data of each master, and
    /// waits for the merges of other nodes. Ends with its runtime.
    pub(crate) async fn watch_data(&self) -> Infallible {
        tokio::select! {
            never = self.merge_into_gained_slots() => never,
            never = self.look_at_data() => never,
            never = self.look_for_signs() => never,
        }
    }

    /// When slots move to a master whose data is accepted, merges what is remembered of them.
    async fn merge_into_gained_slots(&self) -> Infallible {
        let mut changes = self.topology.changes();
        while changes.changed().await.is_ok() {
            let map = self.topology.map().clone();
            let gained = map.masters.iter().filter(|master| master.may_have_tokens()).filter_map(|master| {
                let gained = master.data.unmerged(&map.slots_of(master))?;
                (!gained.is_empty()).then_some((master, gained))
            });
            join_all(gained.map(|(master, gained)| self.merge_gained(master, gained))).await;
        }
        std::future::pending().await
    }

    /// Merges what is remembered of slots that a master has gained.
    async fn merge_gained(&self, master: &Arc<Master>, gained: SlotSet) {
        let merge = async {
            let mut connection = self.topology.connector.connect(&master.address).await.map_err(described)?;
            authority::prove(master, &mut connection, true).await?;
            self.merge_slots(&mut connection, &gained).await
        };
        let merged = match self.replay.is_empty() {
            true => Ok(Merged::default()),
            false => merge.await,
        };
        match merged {
            Ok(merged) => {
                master.data.add_merged(&gained);
                self.remove_entries_made_stale(&merged, self.node_cache.clock.now_ms()).await;
            }
            Err(reason) => {
                tracing::debug!(reason, master = %master.address, "gained slots not merged into");
                // The data is merged into as a whole when it is accepted again.
                master.data.renounce();
            }
        }
    }

    /// Looks at the data of each master, as heartbeats do, if there are none.
    async fn look_at_data(&self) -> Infallible {
        if self.node_cache.cache.is_some() {
            return std::future::pending().await;
        }
        let mut watched: HashMap<ServerAddress, Watched> = HashMap::new();
        loop {
            let masters = self.masters_with_tokens();
            let looks = masters.iter().map(|master| self.look_at(master, watched.remove(&master.address)));
            let looks = join_all(looks).await;
            watched = masters
                .iter()
                .zip(looks)
                .filter_map(|(master, watched)| Some((master.address.clone(), watched?)))
                .collect();
            tokio::time::sleep(BEAT).await;
        }
    }

    /// Looks at the data of a master, over the connection of the last time. Returns the connection if it can be used again.
    async fn look_at(&self, master: &Arc<Master>, watched: Option<Watched>) -> Option<Watched> {
        let sent_at_ms = self.node_cache.clock.boottime_ms();
        let look = async {
            let (mut connection, identity) = match watched {
                Some(watched) => watched,
                None => {
                    let mut connection = self.topology.connector.connect(&master.address).await.ok()?;
                    let identity = master.data.ask(&mut connection).await.ok()?;
                    (connection, identity)
                }
            };
            authority::prove(master, &mut connection, false).await.ok()?;
            if !identity.lasts(&mut connection).await.ok()? {
                master.data.renounce();
                return None;
            }
            self.topology.await_acceptance(master, &identity).await.ok()?;
            Some((connection, identity))
        };
        let watched = tokio::time::timeout(self.timeout(), look).await.ok().flatten()?;
        self.replay.master_proven(&self.topology.map(), master, sent_at_ms);
        Some(watched)
    }
}
