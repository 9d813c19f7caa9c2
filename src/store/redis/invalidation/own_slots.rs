//! The slots that a master of a Cluster has, as it says itself.

use std::collections::BTreeSet;
use std::sync::Arc;

use redis::aio::MultiplexedConnection;
use redis::{Value, cmd};

use crate::store::redis::cluster::master::Master;
use crate::store::redis::cluster::slot_ranges::slot_ranges;
use crate::store::redis::cluster::topology::Topology;
use crate::store::redis::errors::describe;

/// The slots that a master had when it was last asked.
pub(crate) struct OwnSlots<'a> {
    topology: &'a Arc<Topology>,
    master: &'a Master,
    node_id: String,
    ranges: Vec<(u16, u16)>,
}

impl<'a> OwnSlots<'a> {
    pub(crate) async fn ask(
        topology: &'a Arc<Topology>,
        master: &'a Master,
        connection: &mut MultiplexedConnection,
    ) -> Result<Self, String> {
        let node_id =
            cmd("CLUSTER").arg("MYID").query_async(connection).await.map_err(|error| describe(&error))?;
        let mut own = Self { topology, master, node_id, ranges: Vec::new() };
        own.ranges = own.ask_ranges(connection).await?;
        Ok(own)
    }

    async fn ask_ranges(&self, connection: &mut MultiplexedConnection) -> Result<Vec<(u16, u16)>, String> {
        let answer: Value =
            cmd("CLUSTER").arg("SLOTS").query_async(connection).await.map_err(|error| describe(&error))?;
        let ranges = slot_ranges(&answer, &self.master.address).ok_or("slots in an unexpected form")?;
        let own = ranges.into_iter().filter(|range| range.node_id == self.node_id);
        Ok(own.map(|range| (range.first, range.last)).collect())
    }

    /// Asks again, and returns whether any slot has gone since the last time. A change refreshes the topology.
    pub(crate) async fn has_lost_any(
        &mut self,
        connection: &mut MultiplexedConnection,
    ) -> Result<bool, String> {
        let now = self.ask_ranges(connection).await?;
        let before = std::mem::replace(&mut self.ranges, now);
        if before == self.ranges {
            return Ok(false);
        }
        self.topology.refresh_soon();
        let slots = |ranges: &[(u16, u16)]| -> BTreeSet<u16> {
            ranges.iter().flat_map(|(first, last)| *first..=*last).collect()
        };
        Ok(!slots(&before).is_subset(&slots(&self.ranges)))
    }
}
