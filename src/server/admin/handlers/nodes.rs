//! `GET /v1/nodes`: all nodes of the store, by the reports that they write about themselves.

use hyper::StatusCode;
use serde_json::json;

use crate::server::admin::call::{AdminCall, Answer};
use crate::server::json::node::NodeJson;
use crate::server::transport::response;

/// Lists the nodes. While the store cannot be asked, lists this node alone: 200 all the same, because the health of a node
/// is worth most then.
pub async fn list(call: AdminCall<'_>) -> Answer {
    call.input.no_query()?;
    let reporter = &call.admin.reporter;
    let known = reporter.nodes().await;
    let node = |node| NodeJson::of(node, node.id == reporter.id(), known.now_ms);
    let nodes: Vec<_> = known.nodes.iter().map(node).collect();
    Ok(response::json(StatusCode::OK, &json!({"nodes": nodes, "complete": known.is_complete})))
}
