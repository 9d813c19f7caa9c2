//! The cluster as one of its nodes sees it.

use std::collections::BTreeSet;

use redis::{RedisError, Value, pipe};
use tokio::time::timeout;

use super::address::ServerAddress;
use super::connector::Connector;
use super::slot_ranges::{SlotRange, slot_ranges};
use crate::store::redis::errors::{describe, first_error};

/// The cluster as one of its nodes sees it.
#[derive(Clone)]
pub(crate) struct ClusterView {
    /// The id of the node with this view.
    pub(crate) own_id: String,
    /// Grows with every failover in the cluster.
    pub(crate) epoch: u64,
    pub(crate) ranges: Vec<SlotRange>,
}

impl ClusterView {
    /// Asks a node for its view.
    ///
    /// # Errors
    /// If the node does not answer, has lost contact with the other nodes, or knows no masters.
    pub(crate) async fn ask(connector: &Connector, node: &ServerAddress) -> Result<Self, String> {
        let mut requests = pipe();
        requests.cmd("CLUSTER").arg("INFO").cmd("CLUSTER").arg("MYID").cmd("CLUSTER").arg("SLOTS");
        let ask = async { requests.query_async(&mut connector.connect(node).await?).await };
        let answer = timeout(connector.timeout, ask).await.map_err(|_| format!("{node} does not answer"))?;
        let (info, own_id, slots): (String, String, Value) =
            answer.map_err(|error| format!("{node}: {}", describe_failure(error)))?;
        let field = |name: &str| info.lines().find_map(|line| line.trim().strip_prefix(name));
        if field("cluster_state:") != Some("ok") {
            return Err(format!("{node} says that the cluster is down"));
        }
        let epoch = field("cluster_current_epoch:").and_then(|epoch| epoch.parse().ok()).unwrap_or(0);
        let ranges =
            slot_ranges(&slots, node).ok_or_else(|| format!("{node} lists slots in an unexpected form"))?;
        if ranges.is_empty() {
            return Err(format!("{node} knows no master of any slot"));
        }
        Ok(Self { own_id, epoch, ranges })
    }

    /// Returns the ids of all masters and replicas.
    pub(crate) fn node_ids(&self) -> BTreeSet<String> {
        let of_range = |range: &SlotRange| {
            let replicas = range.replicas.iter().map(|(_, id)| id.clone());
            replicas.chain([range.node_id.clone()]).collect::<Vec<_>>()
        };
        self.ranges.iter().flat_map(of_range).collect()
    }
}

fn describe_failure(error: RedisError) -> String {
    let error = first_error(error);
    let is_single = error.detail().is_some_and(|text| text.contains("cluster support disabled"));
    if is_single {
        "the server belongs to no Cluster: use redis:// instead of redis+cluster://".into()
    } else {
        describe(&error)
    }
}
