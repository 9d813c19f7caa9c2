//! The reports of all nodes about themselves: fields of one hash.

use redis::cmd;
use serde::Serialize;

use super::script_call::ScriptCall;
use crate::model::node_report::{MAX_REPORTED_NODES, NodeReport, REPORT_KEPT_MS, ReportedNode};
use crate::store::call::Call;
use crate::store::error::StoreError;
use crate::store::redis::redis_store::RedisStore;
use crate::store::redis::schema::codec::node_report as codec;
use crate::store::redis::schema::keys::Keys;

impl RedisStore {
    /// Writes the report of a node, or removes it. Both are the same script, so that they keep their order on the connection
    /// that scripts share.
    pub(crate) async fn report_node(
        &self,
        id: &str,
        report: Option<&NodeReport>,
        call: &Call<'_>,
    ) -> Result<(), StoreError> {
        #[derive(Serialize)]
        struct Args<'a> {
            id: &'a str,
            kept_ms: u64,
            max: usize,
        }
        let at = (self.keys.node_reports(), Keys::node_tag());
        let args = Args { id, kept_ms: REPORT_KEPT_MS, max: MAX_REPORTED_NODES };
        let packed = report.map(codec::encode).unwrap_or_default();
        let script_call = ScriptCall::new(&self.scripts.report_node, at, call, &args);
        self.run_script(script_call.with_bytes([&packed[..]])).await
    }

    pub(crate) async fn node_reports(&self) -> Result<Vec<ReportedNode>, StoreError> {
        let all = cmd("HGETALL").arg(self.keys.node_reports()).to_owned();
        codec::decode_all(&self.with_connection(async |c| all.query_async(c).await).await?)
    }
}
