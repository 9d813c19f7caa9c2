//! The reports of all nodes about themselves.

use super::store::Store;
use crate::model::node_report::{NodeReport, ReportedNode};
use crate::store::call::Call;
use crate::store::error::StoreError;
use crate::store::on_store::on_store;

impl Store {
    /// Writes the report of the node with this id, instead of its earlier one. A first report removes those that are out of
    /// date, and the oldest ones above the limit.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn report_node(
        &self,
        id: &str,
        report: &NodeReport,
        call: impl Into<Call<'_>>,
    ) -> Result<(), StoreError> {
        on_store!(match self {
            Self::Memory(store) => {
                store.report_node(id, report, call.into().now_ms);
                Ok(())
            }
            Self::Redis(store) => store.report_node(id, Some(report), &call.into()).await,
        })
    }

    /// Removes the report of a node that stops.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn remove_node_report(&self, id: &str, call: impl Into<Call<'_>>) -> Result<(), StoreError> {
        on_store!(match self {
            Self::Memory(store) => {
                store.remove_node_report(id);
                Ok(())
            }
            Self::Redis(store) => store.report_node(id, None, &call.into()).await,
        })
    }

    /// Reads the reports of all nodes, in no order. A report that another version wrote, and that cannot be decoded, is left
    /// out.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn node_reports(&self, now_ms: u64) -> Result<Vec<ReportedNode>, StoreError> {
        let mut nodes = on_store!(match self {
            Self::Memory(store) => store.node_reports(),
            Self::Redis(store) => store.node_reports().await?,
        });
        nodes.retain(|node| node.is_kept(now_ms));
        Ok(nodes)
    }
}
