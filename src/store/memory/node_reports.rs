//! The reports of nodes about themselves: on this store, of one node.

use super::memory_store::MemoryStore;
use super::shard::lock;
use crate::model::node_report::{MAX_REPORTED_NODES, NodeReport, ReportedNode};

impl MemoryStore {
    pub(crate) fn report_node(&self, id: &str, report: &NodeReport, now_ms: u64) {
        let mut nodes = lock(&self.node_reports);
        let node = ReportedNode { id: id.to_owned(), reported_at_ms: now_ms, report: report.clone() };
        if nodes.insert(id.to_owned(), node).is_some() {
            return;
        }
        nodes.retain(|_, node| node.is_kept(now_ms));
        let mut by_age: Vec<_> = nodes.values().map(|node| (node.reported_at_ms, node.id.clone())).collect();
        by_age.sort();
        for (_, id) in by_age.iter().take(nodes.len().saturating_sub(MAX_REPORTED_NODES)) {
            nodes.remove(id);
        }
    }

    pub(crate) fn remove_node_report(&self, id: &str) {
        lock(&self.node_reports).remove(id);
    }

    pub(crate) fn node_reports(&self) -> Vec<ReportedNode> {
        lock(&self.node_reports).values().cloned().collect()
    }
}
